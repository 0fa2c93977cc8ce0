//! What an instance of a component costs the host that makes it.

use serde::Serialize;
use wasmtime_environ::component::{
    ComponentTypesBuilder, GlobalInitializer, InstantiateModule, Translator,
};
use wasmtime_environ::wasmparser::{Validator, WasmFeatures};
use wasmtime_environ::{ScopeVec, Tunables};

use crate::component::Component;
use crate::expansion::is_bounded;
use crate::guard::guard;

/// What one instance of a component consists of, and what a host makes and
/// clears for each.
///
/// A host that keeps a pool needs as many slots of each kind as this says, times
/// the instances that are alive at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// How many core instances, with those that pass calls from part to part.
    pub core_instances: usize,
    /// How many memories.
    pub memories: usize,
    /// How many tables.
    pub tables: usize,
}

/// Counts what wasmtime makes for one instance of `component`.
///
/// Returns nothing if wasmtime does not take the component, if the component makes more
/// than 100,000 instances, or if it imports core modules, about which nothing is known.
#[must_use]
pub fn cost(component: &Component) -> Option<Cost> {
    if !is_bounded(component) {
        return None;
    }
    // wasmtime's translation asserts where it meets what it does not know.
    guard(|| translate(component.bytes())).ok().flatten()
}

fn translate(bytes: &[u8]) -> Option<Cost> {
    let mut validator = Validator::new_with_features(WasmFeatures::default());
    let mut types = ComponentTypesBuilder::new(&validator);
    let tunables = Tunables::default_u64();
    let adapters = ScopeVec::new();
    let (translation, modules) = Translator::new(&tunables, &mut validator, &mut types, &adapters)
        .translate(bytes)
        .ok()?;
    let mut cost = Cost {
        core_instances: 0,
        memories: 0,
        tables: 0,
    };
    for initializer in &translation.component.initializers {
        let GlobalInitializer::InstantiateModule(module, _) = initializer else {
            continue;
        };
        let InstantiateModule::Static(module, _) = module else {
            return None;
        };
        let module = &modules[*module].module;
        cost.core_instances += 1;
        cost.memories += module.memories.len() - module.num_imported_memories;
        cost.tables += module.tables.len() - module.num_imported_tables;
    }
    Some(cost)
}
