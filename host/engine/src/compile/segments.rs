//! The segments of a function whose middleware is for other versions of WASI.
//!
//! Composing connects handlers of one version of WASI. Where the middleware of a function and its
//! component have several, the longest sequences with the same version are composed, and the server
//! connects these segments ([`crate::NextHandler`]).

use super::protocol::Job;
use crate::wasi_version::WasiVersion;

impl Job {
    /// The jobs of the segments, the outermost first. `versions` are those of the middleware, and
    /// then of the component.
    #[must_use]
    pub(super) fn segments(self, versions: &[WasiVersion]) -> Vec<Self> {
        let Self {
            component,
            adapts,
            adapters,
            middleware,
            has_next,
        } = self;
        let mut segment = Self {
            component,
            adapts,
            adapters,
            middleware: Vec::new(),
            has_next,
        };
        let mut version = versions.last().copied().unwrap_or_default();
        let mut segments = Vec::new();
        for (part, its_version) in middleware.into_iter().zip(versions).rev() {
            if *its_version == version {
                segment.middleware.insert(0, part);
                continue;
            }
            version = *its_version;
            let outer = Self {
                component: Some(part),
                adapts: false,
                adapters: Vec::new(),
                middleware: Vec::new(),
                has_next: true,
            };
            segments.push(std::mem::replace(&mut segment, outer));
        }
        segments.push(segment);
        segments.reverse();
        segments
    }
}

#[cfg(test)]
mod tests {
    use super::super::Part;
    use super::*;

    /// Middleware and component of each segment of a chain, in which letters are for WASI 0.2 and
    /// capitals for WASI 0.3.
    fn segments(chain: &str) -> Vec<String> {
        let part = |name: char| Part::new(name, &b""[..]);
        let mut parts: Vec<_> = chain.chars().map(part).collect();
        let versions: Vec<_> = chain
            .chars()
            .map(|name| {
                if name.is_uppercase() {
                    WasiVersion::V03
                } else {
                    WasiVersion::V02
                }
            })
            .collect();
        let job = Job {
            component: parts.pop(),
            adapts: true,
            adapters: Vec::new(),
            middleware: parts,
            has_next: false,
        };
        let segments = job.segments(&versions);
        let count = segments.len();
        for (number, segment) in segments.iter().enumerate() {
            let is_last = number + 1 == count;
            assert_eq!(segment.has_next, !is_last, "{chain}");
            assert_eq!(segment.adapts, is_last, "{chain}");
        }
        let names = |segment: &Job| {
            let parts = segment.middleware.iter().chain(&segment.component);
            parts.map(|part| part.name.as_str()).collect()
        };
        segments.iter().map(names).collect()
    }

    #[test]
    fn sequences_of_one_version_are_segments() {
        assert_eq!(segments("a"), ["a"]);
        assert_eq!(segments("abc"), ["abc"]);
        assert_eq!(segments("Aa"), ["A", "a"]);
        assert_eq!(segments("aA"), ["a", "A"]);
        assert_eq!(segments("abABcdA"), ["ab", "AB", "cd", "A"]);
    }
}
