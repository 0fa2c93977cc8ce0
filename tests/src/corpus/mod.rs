//! The corpus of malformed, ambiguous and smuggling requests, with the expected responses.
//! `corpus/README.md` describes its files.
//!
//! - this file: files, and the cases in them.
//! - `escape.rs`: bytes as text.
//! - [`http1`]: cases of bytes.
//! - [`http2`]: cases of frames, which `frames.rs` reads.

mod escape;
mod frames;
pub mod http1;
pub mod http2;

use std::fs;
use std::path::{Path, PathBuf};

pub use escape::{escape, unescape};

/// One exchange on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case<S> {
    /// Its name.
    pub name: String,
    /// The RFC and section that decide.
    pub section: String,
    /// Its steps, in order.
    pub steps: Vec<S>,
}

/// A line of a case, and its mark.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    mark: &'a str,
    text: &'a str,
}

/// The folder of the files for one version of HTTP, such as `http1`.
#[must_use]
pub fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(version)
}

/// The names of all files in the folder, without their extension.
#[must_use]
pub fn themes(version: &str) -> Vec<String> {
    let entries = fs::read_dir(folder(version)).expect("the folder of the corpus");
    let name = |path: PathBuf| path.file_stem()?.to_str().map(ToOwned::to_owned);
    let mut names: Vec<_> = entries
        .filter_map(|entry| name(entry.ok()?.path()))
        .collect();
    names.sort();
    names
}

/// Reads the cases of one file; `steps` parses the lines of each.
fn load<S>(
    version: &str,
    theme: &str,
    steps: impl Fn(&[Line<'_>]) -> Result<Vec<S>, String>,
) -> Vec<Case<S>> {
    let file = folder(version).join(theme).with_extension("txt");
    let text = fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("cannot read `{}`: {error}", file.display()));
    parse(&text, steps).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn parse<S>(
    text: &str,
    steps: impl Fn(&[Line<'_>]) -> Result<Vec<S>, String>,
) -> Result<Vec<Case<S>>, String> {
    let mut cases = Vec::new();
    // The text before the first case describes the file.
    for (number, case) in text.split("\n== ").enumerate().skip(1) {
        let mut lines = case.lines();
        let name = lines.next().unwrap_or_default();
        let fail = |why: &str| format!("case {number}, `{name}`: {why}");
        let section = lines.next().and_then(|line| line.strip_prefix("RFC "));
        let section = section.ok_or_else(|| fail("expected `RFC` and a section after the name"))?;
        let lines = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| match line.strip_suffix(' ') {
                Some(_) => Err(fail("a space at the end of a line; write `\\x20`")),
                None => Ok(line.split_once(' ').unwrap_or((line, ""))),
            })
            .map(|line| line.map(|(mark, text)| Line { mark, text }));
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        cases.push(Case {
            name: name.to_owned(),
            section: section.to_owned(),
            steps: steps(&lines).map_err(|why| fail(&why))?,
        });
    }
    Ok(cases)
}
