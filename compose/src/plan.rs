//! A plan says what is to be composed, as data that can be written down, read and
//! changed before any bytes are made.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wac_types::ItemKind;

use crate::assemble::assemble;
use crate::component::Component;
use crate::decompose::decompose;
use crate::diagnose::{Components, diagnose};
use crate::needed_exports;
use crate::provenance::{Provenance, stamp};
use crate::report::{Code, Diagnostic, Report};
use crate::resources::clashes;
use crate::structure::{Export, Import, Part, Structure, Wire, named_types, sha256};
use crate::version_track;

/// Which components become instances, how they are wired, and what the whole
/// exports. What no wire satisfies is imported by the whole.
///
/// [`link`](crate::link()), [`chain`](crate::chain()) and [`swap`](crate::swap())
/// make plans; a plan of any other shape can be written by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The name of the whole, for titles and messages.
    pub name: String,
    /// The components, by names that are unique in the plan. Each becomes one
    /// instance. Those with the same bytes are embedded once.
    pub components: Vec<PlannedComponent>,
    /// Who satisfies which import.
    #[serde(default)]
    pub wires: Vec<Wire>,
    /// What the whole exports.
    pub exports: Vec<Export>,
}

/// A component that a plan asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedComponent {
    /// Its name within the plan.
    pub name: String,
    /// The file that it is in. The library passes this on and reads nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The SHA-256 digest of its bytes, in lower-case hexadecimal digits, if it
    /// has to be exactly this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// A composition, and what is known about it.
#[derive(Debug, Clone)]
pub struct Composed {
    /// The composed component in binary form, valid, with its provenance.
    pub bytes: Vec<u8>,
    /// What it consists of, read from the bytes.
    pub structure: Structure,
    /// Warnings.
    pub report: Report,
    /// The record of what it was made of, as it stands in the bytes.
    pub provenance: Provenance,
}

impl Plan {
    /// Looks for everything that keeps the plan from being carried out.
    ///
    /// `components` are those that the plan names; others are ignored. If the
    /// report has no error, [`encode`](Self::encode) succeeds.
    #[must_use]
    pub fn check<'c>(&self, components: impl IntoIterator<Item = &'c Component>) -> Report {
        match self.encode(components) {
            Ok(Composed { report, .. }) | Err(report) => report,
        }
    }

    /// Composes.
    ///
    /// Where an export has a type that another interface names, and a part provides
    /// that interface, the result exports it as well: without a name outside, the
    /// type cannot be exported.
    ///
    /// Equal plans give byte-identical compositions, in whichever order the
    /// components come.
    ///
    /// # Errors
    ///
    /// Returns what [`check`](Self::check) finds, if there is an error in it.
    pub fn encode<'c>(
        &self,
        components: impl IntoIterator<Item = &'c Component>,
    ) -> Result<Composed, Report> {
        let components = self.find_components(components)?;
        let report = Report::from(diagnose(self, &components)).into_result()?;
        self.compose(&components, &report)
            .or_else(|error| self.compose_with_needed(&components, &report).ok_or(error))
            .map_err(|error| {
                // What `wac` and the validator say of it is less.
                let clashes = clashes(self, &components);
                if clashes.is_empty() {
                    self.function_of_the_host(&components).unwrap_or(error)
                } else {
                    clashes.into()
                }
            })
    }

    fn compose(&self, components: &Components<'_>, report: &Report) -> Result<Composed, Report> {
        let bytes = assemble(self, components)?;
        finish(&self.name, bytes, report.clone())
    }

    /// The function that `wac` may have failed to import: one that stays open, of a component
    /// that names types of an interface which another component provides. Such a type has no
    /// name outside.
    fn function_of_the_host(&self, components: &Components<'_>) -> Option<Report> {
        let mut pairs = components.values().flat_map(|component| {
            let functions = self.open_imports(component).filter(|import| {
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

    /// Composes with the fewest further exports that the types of the exports need;
    /// nothing if that does not help either.
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

    /// What the plan comes to, for a picture of it: also of one that cannot be carried
    /// out.
    ///
    /// # Errors
    ///
    /// Returns a report if `components` lacks one that the plan names.
    pub fn structure<'c>(
        &self,
        components: impl IntoIterator<Item = &'c Component>,
    ) -> Result<Structure, Report> {
        let components = self.find_components(components)?;
        match self.encode(components.values().copied()) {
            Ok(composed) => Ok(composed.structure),
            Err(_) => Ok(self.intended_structure(&components)),
        }
    }

    fn intended_structure(&self, components: &Components<'_>) -> Structure {
        let open: Vec<(&str, &str)> = components
            .values()
            .flat_map(|component| {
                let imports = self.open_imports(component);
                imports.map(|import| (component.name(), import))
            })
            .collect();
        let names = || open.iter().map(|(_, import)| *import);
        let imports = open.iter().map(|(importer, import)| Import {
            importer: (*importer).to_owned(),
            import: (*import).to_owned(),
            name: version_track::highest(import, names()).to_owned(),
        });
        let imports: Vec<Import> = imports.collect();
        let host_imports: BTreeSet<String> =
            imports.iter().map(|import| import.name.clone()).collect();
        let parts = components
            .values()
            .map(|component| Part::new(component.name(), component.bytes()));
        Structure {
            name: self.name.clone(),
            parts: parts.collect(),
            wires: self.wires.clone(),
            imports,
            exports: self.exports.clone(),
            host_imports: host_imports.into_iter().collect(),
            named_types: components
                .values()
                .flat_map(|part| named_types(part))
                .collect(),
            ..Structure::default()
        }
        .sorted()
    }

    /// The components of the plan by their names.
    fn find_components<'c>(
        &self,
        components: impl IntoIterator<Item = &'c Component>,
    ) -> Result<Components<'c>, Report> {
        let mut given = BTreeMap::new();
        let mut twice = Vec::new();
        for component in components {
            if given.insert(component.name(), component).is_some() {
                twice.push(component.name());
            }
        }
        let mut diagnostics = Vec::new();
        let mut found = BTreeMap::new();
        for PlannedComponent { name, sha256, .. } in &self.components {
            let Some((name, component)) = given.get_key_value(name.as_str()) else {
                diagnostics.push(unknown_component(name, given.keys()));
                continue;
            };
            if found.insert(*name, *component).is_some() || twice.contains(name) {
                diagnostics.push(equal_names(name));
            }
            if let Some(sha256) = sha256 {
                diagnostics.extend(changed(component, sha256));
            }
        }
        Report::from(diagnostics).into_result()?;
        Ok(found)
    }

    /// The imports of `component` that no wire satisfies.
    pub(crate) fn open_imports<'p, 'c: 'p>(
        &'p self,
        component: &'c Component,
    ) -> impl Iterator<Item = &'c str> + 'p {
        component.imports().filter(move |import| {
            !self
                .wires
                .iter()
                .any(|wire| wire.importer == component.name() && wire.import == *import)
        })
    }
}

impl PlannedComponent {
    /// Asks for exactly this component.
    #[must_use]
    pub fn new(component: &Component) -> Self {
        Self {
            name: component.name().to_owned(),
            file: None,
            sha256: Some(sha256(component.bytes())),
        }
    }
}

/// Validates a composition, reads off what it consists of, and has it carry that.
fn finish(name: &str, mut bytes: Vec<u8>, report: Report) -> Result<Composed, Report> {
    let component = Component::new(name, bytes.clone())
        .map_err(|error| not_encodable(&format!("the result is not valid: {error}")))?;
    let structure = decompose(&component)
        .ok_or_else(|| not_encodable("the result is not a composition"))?
        .structure;
    let provenance = stamp(&mut bytes, &structure);
    Ok(Composed {
        bytes,
        structure,
        report,
        provenance,
    })
}

pub(crate) fn not_encodable(reason: &str) -> Report {
    Diagnostic::error(
        Code::NotEncodable,
        format!("`wac`, which encodes compositions, cannot encode this one: {reason}"),
        "leave out one component after the other to find the one that it is about",
    )
    .into()
}

pub(crate) fn equal_names(name: &str) -> Diagnostic {
    Diagnostic::error(
        Code::DuplicateName,
        format!("two components are named `{name}`"),
        "give one of them another name",
    )
    .among([name])
}

pub(crate) fn unknown_component<N: AsRef<str>>(
    name: &str,
    known: impl IntoIterator<Item = N>,
) -> Diagnostic {
    let known: Vec<String> = known
        .into_iter()
        .map(|name| name.as_ref().to_owned())
        .collect();
    let fix = if known.is_empty() {
        "there are no components at all".to_owned()
    } else {
        format!("there are {}", crate::report::quoted(&known))
    };
    Diagnostic::error(
        Code::UnknownComponent,
        format!("there is no component `{name}`"),
        fix,
    )
    .among(known)
}

fn changed(component: &Component, planned: &str) -> Option<Diagnostic> {
    let found = sha256(component.bytes());
    (found != planned).then(|| {
        Diagnostic::error(
            Code::ChangedPart,
            format!(
                "`{}` is not the component that was planned with: its SHA-256 digest is {found}, \
                 and was {planned}",
                component.name()
            ),
            "plan again, or take the digest out of the plan",
        )
        .among([component.name()])
    })
}
