//! Decides which component provides what to which: the part of linking that
//! needs no bytes.

use crate::component::Component;
use crate::difference::differences;
use crate::link::{LinkError, NearMiss};
use crate::structure::Wire;
use crate::version_track;

/// Which components become instances, and how they are wired.
pub(crate) struct Plan<'c> {
    /// The components that become instances, in the order of the encoding.
    pub(crate) components: Vec<&'c Component>,
    /// The component whose exports become the exports of the composition.
    pub(crate) root: &'c Component,
    /// In the order in which they were found from the root on.
    pub(crate) wires: Vec<Wire>,
}

impl<'c> Plan<'c> {
    /// Wires every import of `root`, and of the parts that this needs, to the
    /// part that exports it.
    pub(crate) fn link(root: &'c Component, parts: &'c [Component]) -> Result<Self, LinkError> {
        // Sorted, so that the order of the arguments makes no difference.
        let mut parts: Vec<&Component> = parts.iter().collect();
        parts.sort_by_key(|part| part.name());
        refuse_equal_names(root, &parts)?;

        let mut used = vec![root];
        let mut wires = Vec::new();
        let mut next = 0;
        while let Some(importer) = used.get(next).copied() {
            next += 1;
            for import in importer.imports() {
                let Some((provider, export)) = find_provider(importer, import, &parts)? else {
                    continue;
                };
                check_types((importer, import), (provider, export))?;
                wires.push(Wire {
                    importer: importer.name().to_owned(),
                    import: import.to_owned(),
                    provider: provider.name().to_owned(),
                    export: export.to_owned(),
                });
                if !is_among(provider, &used) {
                    used.push(provider);
                }
            }
        }

        refuse_unused(&used, &parts)?;
        refuse_cycle(root.name(), &wires)?;
        let mut plan = Self {
            components: used,
            root,
            wires,
        };
        plan.sort();
        Ok(plan)
    }

    /// Sorts the components: those with the latest versions of what stays open
    /// come first, because the encoder gives a merged import the version that it
    /// meets first; those that are equal in this are sorted by name.
    fn sort(&mut self) {
        let components = self.components.iter();
        let open: Vec<&str> = components
            .flat_map(|component| self.open_imports(component))
            .collect();
        let outdated = |component: &'c Component| {
            self.open_imports(component)
                .filter(|import| version_track::highest(import, open.iter().copied()) != *import)
                .count()
        };
        let mut sorted: Vec<(usize, &Component)> = self
            .components
            .iter()
            .map(|component| (outdated(component), *component))
            .collect();
        sorted.sort_by_key(|(outdated, component)| (*outdated, component.name()));
        self.components = sorted.into_iter().map(|(_, component)| component).collect();
    }

    /// The imports of `component` that nobody provides.
    pub(crate) fn open_imports(&self, component: &'c Component) -> impl Iterator<Item = &'c str> {
        let wires = &self.wires;
        component.imports().filter(move |import| {
            !wires
                .iter()
                .any(|wire| wire.importer == component.name() && wire.import == *import)
        })
    }
}

fn is_among(component: &Component, components: &[&Component]) -> bool {
    components
        .iter()
        .any(|other| other.name() == component.name())
}

/// Names identify components in messages, so two must not share one.
fn refuse_equal_names(root: &Component, sorted_parts: &[&Component]) -> Result<(), LinkError> {
    let twice = sorted_parts
        .windows(2)
        .find(|pair| pair[0].name() == pair[1].name())
        .map(|pair| pair[0])
        .or_else(|| is_among(root, sorted_parts).then_some(root));
    match twice {
        Some(component) => Err(LinkError::EqualNames {
            name: component.name().to_owned(),
        }),
        None => Ok(()),
    }
}

fn find_provider<'c>(
    importer: &Component,
    import: &str,
    parts: &[&'c Component],
) -> Result<Option<(&'c Component, &'c str)>, LinkError> {
    let mut providers = parts
        .iter()
        .filter(|part| part.name() != importer.name())
        .filter_map(|part| Some((*part, version_track::find(import, part.exports())?)));
    let first = providers.next();
    let others: Vec<String> = providers.map(|(part, _)| part.name().to_owned()).collect();
    match first {
        Some((first, _)) if !others.is_empty() => {
            let mut providers = vec![first.name().to_owned()];
            providers.extend(others);
            Err(LinkError::SeveralProviders {
                importer: importer.name().to_owned(),
                interface: import.to_owned(),
                providers,
            })
        }
        provider => Ok(provider),
    }
}

fn check_types(
    (importer, import): (&Component, &str),
    (provider, export): (&Component, &str),
) -> Result<(), LinkError> {
    // Both names come from these very maps.
    let (Some(expected), Some(offered)) = (
        importer.world().imports.get(import),
        provider.world().exports.get(export),
    ) else {
        return Ok(());
    };
    let differences = differences(
        import,
        (importer.types(), *expected),
        (provider.types(), *offered),
    );
    if differences.is_empty() {
        return Ok(());
    }
    Err(LinkError::TypeMismatch {
        importer: importer.name().to_owned(),
        import: import.to_owned(),
        provider: provider.name().to_owned(),
        export: export.to_owned(),
        differences,
    })
}

fn refuse_unused(used: &[&Component], parts: &[&Component]) -> Result<(), LinkError> {
    let unused: Vec<&Component> = parts
        .iter()
        .copied()
        .filter(|part| !is_among(part, used))
        .collect();
    // A part that another unused one would use is not the cause: name the one
    // at the start of such a row.
    let is_wanted = |part: &Component| {
        unused
            .iter()
            .filter(|other| other.name() != part.name())
            .flat_map(|other| other.imports())
            .any(|import| version_track::find(import, part.exports()).is_some())
    };
    let Some(part) = unused
        .iter()
        .find(|part| !is_wanted(part))
        .or(unused.first())
    else {
        return Ok(());
    };
    let near_miss = used.iter().find_map(|importer| {
        importer.imports().find_map(|import| {
            let mut exports = part.exports();
            let export = exports
                .find(|export| version_track::same_interface_on_other_track(import, export))?;
            Some(NearMiss {
                importer: importer.name().to_owned(),
                import: import.to_owned(),
                export: export.to_owned(),
            })
        })
    });
    Err(LinkError::Unused {
        part: part.name().to_owned(),
        exports: part.exports().map(str::to_owned).collect(),
        near_miss,
    })
}

/// Components cannot be instantiated in a circle: each needs its imports first.
fn refuse_cycle(root: &str, wires: &[Wire]) -> Result<(), LinkError> {
    let providers_of = |importer: &str| -> Vec<&str> {
        let wires = wires.iter().rev();
        wires
            .filter(|wire| wire.importer == importer)
            .map(|wire| wire.provider.as_str())
            .collect()
    };
    let mut finished: Vec<&str> = Vec::new();
    let mut path: Vec<&str> = vec![root];
    // For each component of the path, what is still to be looked at below it.
    let mut pending: Vec<Vec<&str>> = vec![providers_of(root)];
    while let Some(rest) = pending.last_mut() {
        let Some(provider) = rest.pop() else {
            pending.pop();
            finished.extend(path.pop());
            continue;
        };
        if let Some(start) = path.iter().position(|name| *name == provider) {
            let mut path: Vec<String> = path.iter().skip(start).map(|s| (*s).to_owned()).collect();
            path.push(provider.to_owned());
            return Err(LinkError::Cycle { path });
        }
        if !finished.contains(&provider) {
            path.push(provider);
            pending.push(providers_of(provider));
        }
    }
    Ok(())
}
