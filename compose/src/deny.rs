//! Imports that a composition must not have.

use wildmatch::WildMatch;

use crate::report::{Code, Diagnostic, Report, quoted};
use crate::structure::Structure;

/// Reports every import of the whole that one of `patterns` matches.
///
/// A `*` in a pattern stands for any number of characters, and a `?` for one:
/// `wasi:filesystem/*`, or `*` alone for every import.
#[must_use]
pub fn deny_imports<P: AsRef<str>>(structure: &Structure, patterns: &[P]) -> Report {
    let denied = structure.host_imports.iter().filter_map(|name| {
        let mut patterns = patterns.iter().map(AsRef::as_ref);
        let pattern = patterns.find(|pattern| WildMatch::new(pattern).matches(name))?;
        Some((name.as_str(), pattern))
    });
    let diagnostics = denied.map(|(name, pattern)| {
        let imports = structure.imports.iter();
        let importers: Vec<&str> = imports
            .filter(|import| import.name == name)
            .map(|import| import.importer.as_str())
            .collect();
        let who = if importers.is_empty() {
            format!("`{}`", structure.name)
        } else {
            quoted(&importers)
        };
        let diagnostic = Diagnostic::error(
            Code::DeniedImport,
            format!("{who} would import `{name}`, which `{pattern}` denies"),
            "link a part that exports it, or `component-compose stub` for it",
        );
        match importers.first() {
            Some(importer) => diagnostic.of_import(importer, name).among(importers),
            None => diagnostic.about(name),
        }
    });
    diagnostics.collect::<Vec<Diagnostic>>().into()
}
