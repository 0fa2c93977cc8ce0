//! Encoding: a checked plan becomes a component.
//!
//! - `assemble`: the component, encoded by `wac-graph`
//! - `unresolved_imports`: names and types of the imports that no component satisfies
//! - `needed_exports`: exports that the types of other exports require

pub(crate) mod assemble;
mod needed_exports;
pub(crate) mod unresolved_imports;

use std::collections::BTreeSet;

use wac_types::ItemKind;

use crate::check::plan::{check_plan, find_components};
use crate::check::resource_origin::origin_mismatches;
use crate::decompose::decompose;
use crate::inspect::provenance::{Provenance, append_record};
use crate::model::component::Component;
use crate::model::composition::{Composition, Export, Import, Node, named_types};
use crate::model::diagnostics::not_encodable;
use crate::model::plan::{Components, Plan};
use crate::model::report::{Code, Diagnostic, Report};
use crate::model::version_track;
use assemble::assemble;

/// An encoded composition and its description.
#[derive(Debug, Clone)]
pub struct Composed {
    /// The composed component in binary form, valid, with its provenance.
    pub bytes: Vec<u8>,
    /// The composition as read from the bytes.
    pub composition: Composition,
    /// Warnings.
    pub report: Report,
    /// The record of the inputs, as it is in the bytes.
    pub provenance: Provenance,
}

impl Plan {
    /// Reports everything that prevents the composition.
    ///
    /// Of `components`, those that the plan does not name are ignored. If the report has no
    /// error, [`encode`](Self::encode) succeeds.
    #[must_use]
    pub fn check<'c>(&self, components: impl IntoIterator<Item = &'c Component>) -> Report {
        match self.encode(components) {
            Ok(Composed { report, .. }) | Err(report) => report,
        }
    }

    /// Composes.
    ///
    /// Where an export uses a type of another interface, and a component of the plan
    /// provides that interface, the result exports the interface as well: a type without an
    /// external name cannot be exported.
    ///
    /// Equal plans give byte-identical compositions, for any order of the components.
    ///
    /// # Errors
    ///
    /// Returns the findings of [`check`](Self::check), if one of them is an error.
    pub fn encode<'c>(
        &self,
        components: impl IntoIterator<Item = &'c Component>,
    ) -> Result<Composed, Report> {
        let components = find_components(self, components)?;
        let report = Report::from(check_plan(self, &components)).into_result()?;
        self.compose(&components, &report)
            .or_else(|error| self.compose_with_needed(&components, &report).ok_or(error))
            .map_err(|error| {
                // A mismatch of resources explains more than the errors of `wac` and the
                // validator.
                let mismatches = origin_mismatches(self, &components);
                if mismatches.is_empty() {
                    self.unencodable_function(&components).unwrap_or(error)
                } else {
                    mismatches.into()
                }
            })
    }

    fn compose(&self, components: &Components<'_>, report: &Report) -> Result<Composed, Report> {
        let bytes = assemble(self, components)?;
        finish(&self.name, bytes, report.clone())
    }

    /// An unresolved function import that `wac` may have failed to encode: its component
    /// names types of an interface which another component provides. Such a type has no
    /// external name.
    fn unencodable_function(&self, components: &Components<'_>) -> Option<Report> {
        let mut pairs = components.values().flat_map(|component| {
            let functions = self.unresolved_imports(component).filter(|import| {
                let kind = component.world().imports.get(*import);
                matches!(kind, Some(ItemKind::Func(_)))
            });
            functions.map(|function| (*component, function))
        });
        pairs.find_map(|(component, function)| {
            let name = component.name();
            let wire = self.wires.iter().find(|wire| {
                let mut types = component.type_imports().values().flatten();
                wire.importer == name && types.any(|used| used.import == wire.import)
            })?;
            let (interface, provider) = (&wire.import, &wire.provider);
            let error = Diagnostic::error(
                Code::NotEncodable,
                format!(
                    "`{name}` imports the function `{function}`, which no component provides, and \
                     names types of `{interface}`, which `{provider}` provides: `wac`, which \
                     encodes compositions, cannot import a function with such a type"
                ),
                format!("link a component that exports `{function}`, or leave out `{provider}`"),
            );
            Some(error.of_import(name, function).into())
        })
    }

    /// Composes with the fewest additional exports that the types of the exports require;
    /// `None` if that fails as well.
    fn compose_with_needed(
        &self,
        components: &Components<'_>,
        report: &Report,
    ) -> Option<Composed> {
        let mut needed = needed_exports::candidates(self, components);
        if needed.is_empty() {
            return None;
        }
        let compose = |needed: &[Export]| {
            let mut plan = self.clone();
            plan.exports.extend_from_slice(needed);
            plan.compose(components, report).ok()
        };
        let mut composed = compose(&needed)?;
        let mut next = 0;
        while next < needed.len() {
            let export = needed.remove(next);
            if let Some(smaller) = compose(&needed) {
                composed = smaller;
            } else {
                needed.insert(next, export);
                next += 1;
            }
        }
        Some(composed)
    }

    /// The composition that the plan describes, for a picture; also of a plan that cannot
    /// be encoded.
    ///
    /// # Errors
    ///
    /// Returns a report if `components` lacks one that the plan names.
    pub fn composition<'c>(
        &self,
        components: impl IntoIterator<Item = &'c Component>,
    ) -> Result<Composition, Report> {
        let components = find_components(self, components)?;
        match self.encode(components.values().copied()) {
            Ok(composed) => Ok(composed.composition),
            Err(_) => Ok(self.planned_composition(&components)),
        }
    }

    fn planned_composition(&self, components: &Components<'_>) -> Composition {
        let unresolved: Vec<(&str, &str)> = components
            .values()
            .flat_map(|component| {
                let imports = self.unresolved_imports(component);
                imports.map(|import| (component.name(), import))
            })
            .collect();
        let names = || unresolved.iter().map(|(_, import)| *import);
        let imports = unresolved.iter().map(|(importer, import)| Import {
            importer: (*importer).to_owned(),
            import: (*import).to_owned(),
            name: version_track::highest(import, names()).to_owned(),
        });
        let imports: Vec<Import> = imports.collect();
        let host_imports: BTreeSet<String> =
            imports.iter().map(|import| import.name.clone()).collect();
        let nodes = components
            .values()
            .map(|component| Node::new(component.name(), component.bytes()));
        Composition {
            name: self.name.clone(),
            nodes: nodes.collect(),
            wires: self.wires.clone(),
            imports,
            exports: self.exports.clone(),
            host_imports: host_imports.into_iter().collect(),
            named_types: components
                .values()
                .flat_map(|component| named_types(component))
                .collect(),
            ..Composition::default()
        }
        .sorted()
    }
}

/// Validates a composition, reads it back, and appends its record.
fn finish(name: &str, mut bytes: Vec<u8>, report: Report) -> Result<Composed, Report> {
    let component = Component::new(name, bytes.clone())
        .map_err(|error| not_encodable(&format!("the result is not valid: {error}")))?;
    let composition = decompose(&component)
        .ok_or_else(|| not_encodable("the result is not a composition"))?
        .composition;
    let provenance = append_record(&mut bytes, &composition);
    Ok(Composed {
        bytes,
        composition,
        report,
        provenance,
    })
}
