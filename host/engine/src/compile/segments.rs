//! The segments of a function: the parts of its chain of middleware and component that run in a store
//! of their own.
//!
//! Composing connects handlers of one version of WASI, and its result runs in one store, with one
//! environment, one set of grants and one set of limits. So a chain is divided where the version changes,
//! and around middleware with settings of its own. Each segment is composed, and the server connects the
//! segments ([`crate::NextHandler`]).

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;

use super::artefact::Artefact;
use super::compiler::Compiler;
use super::protocol::{Compiled, Job};
use crate::error::CompileError;
use crate::segment_name::SegmentName;
use crate::wasi_version::WasiVersion;

/// A component behind middleware.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The job of the whole chain.
    pub job: Job,
    /// Numbers of the middleware that have settings of their own, from 0 for the outermost.
    pub separate: BTreeSet<usize>,
}

/// A segment of a chain, and its artefact or another result.
#[derive(Debug)]
pub struct Segment<T> {
    /// Its parts. None if the chain has no other segment.
    pub name: Option<SegmentName>,
    /// The number of the middleware whose settings it has. None: those of the function.
    pub settings: Option<usize>,
    /// The result.
    pub content: T,
}

/// The name of the segment that a job gives.
fn name(job: &Job) -> SegmentName {
    let has_component = !job.has_next;
    // Without the component of the function, the innermost part is middleware too.
    let innermost = job.component.iter().filter(|_| !has_component);
    let parts = job.middleware.iter().chain(innermost);
    SegmentName::new(parts.map(|part| part.name.clone()).collect(), has_component)
}

impl Chain {
    /// The jobs of which each has one environment, the outermost first.
    fn segments(&self) -> Vec<Segment<Job>> {
        let numbers = 0..self.job.middleware.len();
        let own = |number| self.separate.contains(&number).then_some(number);
        let keys: Vec<_> = numbers.map(own).chain([None]).collect();
        let jobs = self.job.clone().split(&keys);
        let is_single = jobs.len() == 1;
        let segment = |(settings, job)| Segment {
            name: (!is_single).then(|| name(&job)),
            settings,
            content: job,
        };
        jobs.into_iter().map(segment).collect()
    }
}

impl<T> Segment<T> {
    /// The same segment with another content. An error names the segment.
    fn with<U>(&self, content: Result<U, CompileError>) -> Result<Segment<U>, CompileError> {
        match (content, &self.name) {
            (Ok(content), name) => Ok(Segment {
                name: name.clone(),
                settings: self.settings,
                content,
            }),
            (Err(error), Some(name)) => Err(CompileError::Segment {
                name: name.clone(),
                source: error.into(),
            }),
            (Err(error), None) => Err(error),
        }
    }
}

impl Segment<Job> {
    /// The segments of one version each, where the parts have these `versions`. No middleware may be
    /// left out.
    fn split(self, versions: &[WasiVersion]) -> Result<Vec<Self>, CompileError> {
        let Self {
            settings,
            content: job,
            ..
        } = self;
        if versions.len() != job.middleware.len() + 1 {
            return Err(io::Error::other("the reply does not fit the job").into());
        }
        let segment = |(_, job)| Self {
            name: Some(name(&job)),
            settings,
            content: job,
        };
        Ok(job.split(versions).into_iter().map(segment).collect())
    }
}

impl Job {
    /// Divides the job between neighbours with different `keys`, which are those of the middleware and
    /// then of the component. The outermost job is the first one, with its key.
    fn split<K: Copy + PartialEq>(self, keys: &[K]) -> Vec<(K, Self)> {
        let Self {
            component,
            adapts,
            adapters,
            middleware,
            has_next,
        } = self;
        let mut job = Self {
            component,
            adapts,
            adapters,
            middleware: Vec::new(),
            has_next,
        };
        let Some((mut key, outer)) = keys.split_last().map(|(key, outer)| (*key, outer)) else {
            return Vec::new();
        };
        let mut jobs = Vec::new();
        for (part, its_key) in middleware.into_iter().zip(outer).rev() {
            if *its_key == key {
                job.middleware.insert(0, part);
                continue;
            }
            let outer = Self {
                component: Some(part),
                adapts: false,
                adapters: Vec::new(),
                middleware: Vec::new(),
                has_next: true,
            };
            jobs.push((key, std::mem::replace(&mut job, outer)));
            key = *its_key;
        }
        jobs.push((key, job));
        jobs.reverse();
        jobs
    }
}

/// A future on any thread.
type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Compiles or checks one job.
type Compile<T> = for<'a> fn(&'a Compiler, &'a Job, bool) -> BoxFuture<'a, Result<T, CompileError>>;

impl Compiler {
    /// Compiles a component with its middleware. If there are several segments, each but the last has
    /// the following as its next handler. With `is_new`, no version of the function was active before.
    ///
    /// # Errors
    ///
    /// Fails like [`compile`](Self::compile), and names the segment if there are several.
    pub async fn compile_chain(
        &self,
        chain: &Chain,
        is_new: bool,
    ) -> Result<Vec<Segment<Artefact>>, CompileError> {
        let compile: Compile<_> = |compiler, job, is_new| Box::pin(compiler.compile(job, is_new));
        self.each_segment(chain, is_new, compile).await
    }

    /// Validates and compiles a component with its middleware without artefacts, like
    /// [`compile_chain`](Self::compile_chain).
    ///
    /// # Errors
    ///
    /// Fails like [`compile`](Self::compile), and names the segment if there are several.
    pub async fn check_chain(
        &self,
        chain: &Chain,
    ) -> Result<Vec<Segment<Option<Compiled>>>, CompileError> {
        let check: Compile<_> = |compiler, job, _| Box::pin(compiler.check(job));
        self.each_segment(chain, true, check).await
    }

    async fn each_segment<T>(
        &self,
        chain: &Chain,
        is_new: bool,
        compile: Compile<T>,
    ) -> Result<Vec<Segment<T>>, CompileError> {
        let mut done = Vec::new();
        for segment in chain.segments() {
            match compile(self, &segment.content, is_new).await {
                Err(CompileError::Mixed(versions)) => {
                    for segment in segment.split(&versions)? {
                        let compiled = compile(self, &segment.content, is_new).await;
                        done.push(segment.with(compiled)?);
                    }
                }
                compiled => done.push(segment.with(compiled)?),
            }
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Part;
    use super::*;

    /// A chain, in which letters are for WASI 0.2 and capitals for WASI 0.3, and their versions.
    fn job(chain: &str) -> (Job, Vec<WasiVersion>) {
        let part = |name: char| Part::new(name, &b""[..]);
        let mut parts: Vec<_> = chain.chars().map(part).collect();
        let version = |name: char| {
            if name.is_uppercase() {
                WasiVersion::V03
            } else {
                WasiVersion::V02
            }
        };
        let job = Job {
            component: parts.pop(),
            adapts: true,
            adapters: Vec::new(),
            middleware: parts,
            has_next: false,
        };
        (job, chain.chars().map(version).collect())
    }

    /// Middleware and component of each segment.
    fn segments(chain: &str, separate: &[usize]) -> Vec<String> {
        let (job, versions) = job(chain);
        let chain = Chain {
            job,
            separate: separate.iter().copied().collect(),
        };
        let mut segments = Vec::new();
        let mut rest = &versions[..];
        for segment in chain.segments() {
            let (own, others) = rest.split_at(segment.content.middleware.len() + 1);
            rest = others;
            segments.extend(segment.split(own).unwrap());
        }
        let count = segments.len();
        for (number, Segment { content, .. }) in segments.iter().enumerate() {
            let is_last = number + 1 == count;
            assert_eq!(content.has_next, !is_last, "{chain:?}");
            assert_eq!(content.adapts, is_last, "{chain:?}");
        }
        let names = |Segment { content, .. }: &Segment<Job>| {
            let parts = content.middleware.iter().chain(&content.component);
            parts.map(|part| part.name.as_str()).collect()
        };
        segments.iter().map(names).collect()
    }

    #[test]
    fn sequences_of_one_version_are_segments() {
        assert_eq!(segments("a", &[]), ["a"]);
        assert_eq!(segments("abc", &[]), ["abc"]);
        assert_eq!(segments("Aa", &[]), ["A", "a"]);
        assert_eq!(segments("aA", &[]), ["a", "A"]);
        assert_eq!(segments("abABcdA", &[]), ["ab", "AB", "cd", "A"]);
    }

    #[test]
    fn middleware_with_settings_of_its_own_is_a_segment_also_before_its_own_version() {
        assert_eq!(segments("abc", &[0]), ["a", "bc"]);
        assert_eq!(segments("abc", &[1]), ["a", "b", "c"]);
        assert_eq!(segments("abc", &[0, 1]), ["a", "b", "c"]);
        assert_eq!(segments("abcd", &[2]), ["ab", "c", "d"]);
        assert_eq!(segments("aAbcd", &[2]), ["a", "A", "b", "cd"]);
    }

    #[test]
    fn a_segment_has_the_settings_of_its_own_middleware() {
        let chain = Chain {
            job: job("abcd").0,
            separate: BTreeSet::from([1]),
        };
        let segments = chain.segments();
        let settings: Vec<_> = segments.iter().map(|segment| segment.settings).collect();
        assert_eq!(settings, [None, Some(1), None]);
    }

    #[test]
    fn segment_names_have_all_parts_and_a_single_segment_has_none() {
        let shown = |chain: &str, separate: &[usize]| {
            let chain = Chain {
                job: job(chain).0,
                separate: separate.iter().copied().collect(),
            };
            let name = |segment: Segment<Job>| segment.name.map(|name| name.to_string());
            chain.segments().into_iter().map(name).collect::<Vec<_>>()
        };
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(shown("ab", &[]), [None]);
        assert_eq!(
            shown("ab", &[0]),
            [some("middleware `a`"), some("component")]
        );
        assert_eq!(
            shown("abcde", &[2]),
            [
                some("middleware `a`, `b`"),
                some("middleware `c`"),
                some("component behind middleware `d`")
            ]
        );
    }
}
