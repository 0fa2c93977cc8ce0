//! Forbidden imports of a composition.

use wildmatch::WildMatch;

use crate::model::composition::Composition;
use crate::model::report::{Code, Diagnostic, Report, quoted};

/// Reports every import of the composition that one of `patterns` matches.
///
/// In a pattern, `*` matches any number of characters, and `?` exactly one:
/// `wasi:filesystem/*`, or `*` alone for every import.
#[must_use]
pub fn deny_imports<P: AsRef<str>>(composition: &Composition, patterns: &[P]) -> Report {
    let denied = composition.host_imports.iter().filter_map(|name| {
        let mut patterns = patterns.iter().map(AsRef::as_ref);
        let pattern = patterns.find(|pattern| WildMatch::new(pattern).matches(name))?;
        Some((name.as_str(), pattern))
    });
    let diagnostics = denied.map(|(name, pattern)| {
        let imports = composition.imports.iter();
        let importers: Vec<&str> = imports
            .filter(|import| import.name == name)
            .map(|import| import.importer.as_str())
            .collect();
        let subject = if importers.is_empty() {
            format!("`{}`", composition.name)
        } else {
            quoted(&importers)
        };
        let diagnostic = Diagnostic::error(
            Code::DeniedImport,
            format!("{subject} would import `{name}`, which the pattern `{pattern}` denies"),
            "link a part that exports it, or `component-compose stub` for it",
        );
        match importers.first() {
            Some(importer) => diagnostic.of_import(importer, name).among(importers),
            None => diagnostic.about(name),
        }
    });
    diagnostics.collect::<Vec<Diagnostic>>().into()
}
