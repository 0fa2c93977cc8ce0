//! Provider selection, common to `link` and `chain`.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::component::Component;
use crate::model::composition::{Export, Wire};
use crate::model::diagnostics::{
    duplicate_component, missing_export, other_track, unknown_component,
};
use crate::model::plan::{Plan, PlannedComponent};
use crate::model::report::{Code, Diagnostic, Report, quoted};
use crate::model::version_track;

/// Choices that the components do not determine.
#[derive(Debug, Clone, Default)]
pub struct LinkOptions {
    /// The provider of an interface that several parts export: the name of the part by the
    /// interface, with or without a version.
    pub prefer: BTreeMap<String, String>,
    /// Exports of an application that [`chain`](crate::chain()) exports in addition to those of
    /// the first middleware: interfaces, with or without a version.
    pub also_export: Vec<String>,
}

/// An unfinished plan.
pub(crate) struct Planner<'c> {
    /// The possible providers, sorted by name.
    parts: Vec<&'c Component>,
    options: &'c LinkOptions,
    /// The components that become instances, in the order of discovery.
    used: Vec<&'c Component>,
    /// Providers that a preference excluded: they may be unused.
    excluded: BTreeSet<&'c str>,
    wires: Vec<Wire>,
    diagnostics: Vec<Diagnostic>,
}

impl<'c> Planner<'c> {
    /// Starts with the components that are used in any case.
    pub(crate) fn new(
        roots: impl IntoIterator<Item = &'c Component>,
        parts: &'c [Component],
        options: &'c LinkOptions,
    ) -> Self {
        let used: Vec<&Component> = roots.into_iter().collect();
        // The result must not depend on the order of the arguments.
        let mut parts: Vec<&Component> = parts.iter().collect();
        parts.sort_by_key(|part| part.name());

        let mut planner = Self {
            parts,
            options,
            used,
            excluded: BTreeSet::new(),
            wires: Vec::new(),
            diagnostics: Vec::new(),
        };
        planner.reject_duplicate_names();
        planner.reject_unknown_preferences();
        planner
    }

    /// Adds a wire before providers are selected.
    pub(crate) fn wire(&mut self, wire: Wire) {
        self.wires.push(wire);
    }

    /// Adds a finding.
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Wires every import of the roots, and of the parts that they depend on, to the part
    /// that exports it.
    pub(crate) fn finish(mut self, name: &str, exports: Vec<Export>) -> Result<Plan, Report> {
        // Provider selection requires unique names.
        if self.diagnostics.is_empty() {
            self.select_providers();
        }
        // Which parts are unused is known only after every choice is made.
        if self.diagnostics.is_empty() {
            self.reject_unused();
        }
        Report::from(self.diagnostics).into_result()?;

        let mut components: Vec<PlannedComponent> =
            self.used.into_iter().map(PlannedComponent::new).collect();
        components.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Plan {
            name: name.to_owned(),
            components,
            wires: self.wires,
            exports,
        })
    }

    fn select_providers(&mut self) {
        let mut next = 0;
        while let Some(importer) = self.used.get(next).copied() {
            next += 1;
            for import in importer.imports() {
                let is_wired =
                    |wire: &Wire| wire.importer == importer.name() && wire.import == import;
                if self.wires.iter().any(is_wired) {
                    continue;
                }
                let Some((provider, export)) = self.find_provider(importer, import) else {
                    continue;
                };
                self.wires.push(Wire {
                    importer: importer.name().to_owned(),
                    import: import.to_owned(),
                    provider: provider.name().to_owned(),
                    export: export.to_owned(),
                });
                if !is_among(provider, &self.used) {
                    self.used.push(provider);
                }
            }
        }
    }

    fn find_provider(
        &mut self,
        importer: &Component,
        import: &str,
    ) -> Option<(&'c Component, &'c str)> {
        let providers: Vec<(&'c Component, &'c str)> = self
            .parts
            .iter()
            .filter(|part| part.name() != importer.name())
            .filter_map(|part| Some((*part, version_track::find(import, part.exports())?)))
            .collect();
        if providers.len() < 2 {
            return providers.first().copied();
        }
        let mut preferences = self.options.prefer.iter();
        if let Some((_, preferred)) =
            preferences.find(|(interface, _)| version_track::matches(interface, import))
        {
            let is_preferred = |(part, _): &&(&Component, &str)| part.name() == preferred;
            if let Some(provider) = providers.iter().find(is_preferred) {
                self.excluded
                    .extend(providers.iter().map(|(part, _)| part.name()));
                return Some(*provider);
            }
        }
        self.diagnostics
            .push(ambiguous_provider(importer.name(), import, &providers));
        None
    }

    /// Names identify components in plans and messages, so they must be unique.
    fn reject_duplicate_names(&mut self) {
        let mut names = BTreeSet::new();
        for component in self.used.iter().chain(&self.parts) {
            if !names.insert(component.name()) {
                self.diagnostics.push(duplicate_component(component.name()));
            }
        }
    }

    fn reject_unknown_preferences(&mut self) {
        for (interface, preferred) in &self.options.prefer {
            let Some(part) = self.parts.iter().find(|part| part.name() == preferred) else {
                let names = self.parts.iter().map(|part| part.name());
                self.diagnostics
                    .push(unknown_component(preferred, names).about(interface));
                continue;
            };
            let mut exports = part.exports();
            if !exports.any(|export| version_track::matches(interface, export)) {
                self.diagnostics.push(missing_export(part, interface));
            }
        }
    }

    /// An unused part is probably a mistake.
    fn reject_unused(&mut self) {
        let unused: Vec<&Component> = self
            .parts
            .iter()
            .copied()
            .filter(|part| !is_among(part, &self.used))
            .filter(|part| !self.excluded.contains(part.name()))
            .collect();
        // A part that only unused parts import from is not the cause: report the parts that
        // no other part imports from.
        let is_wanted = |part: &Component| {
            unused
                .iter()
                .filter(|other| other.name() != part.name())
                .flat_map(|other| other.imports())
                .any(|import| version_track::find(import, part.exports()).is_some())
        };
        let mut causes: Vec<&Component> = unused
            .iter()
            .copied()
            .filter(|part| !is_wanted(part))
            .collect();
        if causes.is_empty() {
            causes = unused;
        }
        for part in causes {
            self.diagnostics.push(self.unused(part));
        }
    }

    fn unused(&self, part: &Component) -> Diagnostic {
        let near_miss = self.used.iter().find_map(|importer| {
            importer.imports().find_map(|import| {
                let mut exports = part.exports();
                let export = exports
                    .find(|export| version_track::same_interface_on_other_track(import, export))?;
                Some(other_track(
                    (importer.name(), import),
                    (part.name(), export),
                ))
            })
        });
        near_miss.unwrap_or_else(|| {
            let exports: Vec<&str> = part.exports().collect();
            let is_imported = self
                .wires
                .iter()
                .any(|wire| version_track::find(&wire.import, exports.iter().copied()).is_some());
            let found = match (exports.is_empty(), is_imported) {
                (true, _) => "nothing".to_owned(),
                (false, true) => format!("{}, which other components provide", quoted(&exports)),
                (false, false) => {
                    format!("{}, which no other component imports", quoted(&exports))
                }
            };
            Diagnostic::error(
                Code::UnusedPart,
                format!("`{}` is unused: it exports {found}", part.name()),
                self.remedy_for_unused(part),
            )
            .among([part.name()])
        })
    }

    /// A part that imports an export of the root may be the intended root.
    fn remedy_for_unused(&self, part: &Component) -> String {
        let wanted = self.used.first().and_then(|root| {
            let mut imports = part.imports();
            let import =
                imports.find(|import| version_track::find(import, root.exports()).is_some());
            Some((root.name(), import?))
        });
        match wanted {
            Some((root, import)) => format!(
                "leave it out, or make it the root: it imports `{import}`, which `{root}` exports"
            ),
            None => "leave it out".to_owned(),
        }
    }
}

fn is_among(component: &Component, components: &[&Component]) -> bool {
    components
        .iter()
        .any(|other| other.name() == component.name())
}

fn ambiguous_provider(
    importer: &str,
    import: &str,
    providers: &[(&Component, &str)],
) -> Diagnostic {
    let names: Vec<&str> = providers.iter().map(|(part, _)| part.name()).collect();
    Diagnostic::error(
        Code::AmbiguousProvider,
        format!(
            "`{importer}` imports `{import}`, and more than one part exports it: {}",
            quoted(&names)
        ),
        "leave out all but one of them, or prefer one for this interface",
    )
    .of_import(importer, import)
    .among(names)
}
