//! Whether it matters in which order the instances of a composition are made.

use std::collections::BTreeSet;

use super::FuseError;
use super::flat::Flat;
use super::layout::Layout;
use super::module::Module;

/// Checks that the order of starts and segments makes no difference: in the
/// fused module all segments come first. They would differ if a segment of
/// one instance is put where another was able to write when it started.
pub(super) fn check(layout: &Layout, flat: &Flat, modules: &[Module<'_>]) -> Result<(), FuseError> {
    let mut started = BTreeSet::new();
    for (instance, module) in modules.iter().enumerate() {
        let filled = module.filled_imports();
        let owners = layout.instances.contains(&instance).then_some(filled);
        for import in owners.into_iter().flatten() {
            let owner = flat.instances[instance].arguments.get(import);
            let owner = owner.and_then(|&def| layout.origin(def).instance());
            if owner.is_some_and(|owner| started.contains(&owner)) {
                return Err(FuseError::Unsupported(
                    "a part fills a memory or table of another that has started before",
                ));
            }
        }
        if module.start.is_some() {
            reach(flat, instance, &mut started);
        }
    }
    Ok(())
}

/// Adds an instance, and all that it can reach through its imports.
fn reach(flat: &Flat, instance: usize, reached: &mut BTreeSet<usize>) {
    // Instances import from earlier ones only, so this ends.
    if reached.insert(instance) {
        for def in &flat.instances[instance].arguments {
            if let Some(other) = def.instance() {
                reach(flat, other, reached);
            }
        }
    }
}
