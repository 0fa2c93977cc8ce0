//! Whether fusing changes the order of initialization observably.

use std::collections::BTreeSet;

use crate::FuseError;
use crate::flatten::flat::Flat;
use crate::layout::Layout;
use crate::module::Module;

/// Rejects compositions that depend on the order of start functions and segments: in the
/// fused module all segments come first. That matters if a segment of one instance
/// initializes a memory or table that an earlier start function could write.
pub(crate) fn check(layout: &Layout, flat: &Flat, modules: &[Module<'_>]) -> Result<(), FuseError> {
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

/// Adds an instance, and all instances that it reaches through its imports.
fn reach(flat: &Flat, instance: usize, reached: &mut BTreeSet<usize>) {
    // Instances import only from earlier ones, so this terminates.
    if reached.insert(instance) {
        for def in &flat.instances[instance].arguments {
            if let Some(other) = def.instance() {
                reach(flat, other, reached);
            }
        }
    }
}
