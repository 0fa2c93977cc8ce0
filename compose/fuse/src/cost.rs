//! The cost of one instance of a component for its host.

use compose::{Component, catch_panic};
use serde::Serialize;
use wasmtime_environ::component::{
    ComponentTypesBuilder, GlobalInitializer, InstantiateModule, Translator,
};
use wasmtime_environ::wasmparser::{Validator, WasmFeatures};
use wasmtime_environ::{ScopeVec, Tunables};

/// The core instances, memories and tables of one instance of a component.
///
/// A host with an instance pool needs this number of slots of each kind for each live
/// instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Number of core instances, with the adapters for calls between parts.
    pub core_instances: usize,
    /// Number of memories.
    pub memories: usize,
    /// Number of tables.
    pub tables: usize,
}

/// Counts what wasmtime allocates for one instance of `component`.
///
/// Returns `None` if wasmtime does not support the component, if the component makes more
/// than 100,000 instances, or if it imports core modules, whose contents are unknown.
#[must_use]
pub fn cost(component: &Component) -> Option<Cost> {
    if !component.has_bounded_instances() {
        return None;
    }
    // wasmtime's translation panics on unknown features.
    catch_panic(|| translate(component.bytes())).ok().flatten()
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
