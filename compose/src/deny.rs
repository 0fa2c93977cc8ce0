//! Imports that a composition must not have.

use wildmatch::WildMatch;

use crate::report::{Code, Diagnostic, Report, quoted};
use crate::structure::Structure;

/// Reports every import of the whole that one of `patterns` matches.
///
/// A `*` in a pattern stands for any number of characters: `wasi:filesystem/*`,
/// or `*` alone for every import.
#[must_use]
pub fn deny_imports<P: AsRef<str>>(structure: &Structure, patterns: &[P]) -> Report {
    let mut denied: Vec<(&str, &str)> = structure
        .imports
        .iter()
        .filter_map(|import| {
            let pattern = patterns
                .iter()
                .map(AsRef::as_ref)
                .find(|pattern| WildMatch::new(pattern).matches(&import.name))?;
            Some((import.name.as_str(), pattern))
        })
        .collect();
    denied.sort_unstable();
    denied.dedup();
    let diagnostics = denied.into_iter().map(|(name, pattern)| {
        let importers = structure
            .imports
            .iter()
            .filter(|import| import.name == name)
            .map(|import| import.importer.as_str());
        let importers: Vec<&str> = importers.collect();
        Diagnostic::error(
            Code::DeniedImport,
            format!(
                "{} would import `{name}`, which `{pattern}` denies",
                quoted(&importers)
            ),
            "link a part that exports it, or `component-compose stub` for it",
        )
        .of_import(importers.first().copied().unwrap_or_default(), name)
        .among(importers)
    });
    diagnostics.collect::<Vec<Diagnostic>>().into()
}
