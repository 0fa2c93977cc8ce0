//! The WebAssembly proposals that the core modules of a component use, which its host must
//! support.

use std::fmt;

use serde::Serialize;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use crate::catch_panic::catch_panic;
use crate::model::component::Component;

/// The proposals that hosts may not support, by their names in `wasmtime`.
const PROPOSALS: [(&str, WasmFeatures); 11] = [
    ("component-model-async", WasmFeatures::CM_ASYNC),
    ("exceptions", WasmFeatures::EXCEPTIONS),
    ("extended-const", WasmFeatures::EXTENDED_CONST),
    ("function-references", WasmFeatures::FUNCTION_REFERENCES),
    ("gc", WasmFeatures::GC),
    ("memory64", WasmFeatures::MEMORY64),
    ("multi-memory", WasmFeatures::MULTI_MEMORY),
    ("relaxed-simd", WasmFeatures::RELAXED_SIMD),
    ("tail-call", WasmFeatures::TAIL_CALL),
    ("threads", WasmFeatures::THREADS),
    ("wide-arithmetic", WasmFeatures::WIDE_ARITHMETIC),
];

/// A proposal that a component uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoreFeature {
    /// Its name in `wasmtime`.
    pub name: &'static str,
    /// A consequence for hosts, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl fmt::Display for CoreFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "core feature {}", self.name)?;
        match &self.note {
            Some(note) => write!(f, ": {note}"),
            None => Ok(()),
        }
    }
}

/// The proposals without which `component` is not valid, sorted by name.
#[must_use]
pub fn core_features(component: &Component) -> Vec<CoreFeature> {
    let bytes = component.bytes();
    let is_valid_without = |feature: WasmFeatures| {
        let features = WasmFeatures::default().difference(feature);
        let mut validator = Validator::new_with_features(features);
        catch_panic(|| validator.validate_all(bytes).is_ok()).unwrap_or(false)
    };
    let (memories, tables) = max_memories_and_tables(bytes);
    let used = PROPOSALS
        .iter()
        .filter(|(_, feature)| !is_valid_without(*feature));
    let mut used: Vec<CoreFeature> = used
        .map(|&(name, feature)| CoreFeature {
            name,
            note: (feature == WasmFeatures::MULTI_MEMORY && memories > 1).then(|| {
                format!(
                    "a module has {memories} memories, for which `wasmtime serve` requires \
                     `-O pooling-max-memories-per-module={memories}`, and which jco does not support"
                )
            }),
        })
        .collect();
    if tables > 1 {
        // Hosts that support the proposal may still limit modules to one table.
        used.push(CoreFeature {
            name: "reference-types",
            note: Some(format!(
                "a module has {tables} tables, for which `wasmtime serve` requires \
                 `-O pooling-max-tables-per-module={tables}`"
            )),
        });
    }
    used.sort_by_key(|feature| feature.name);
    used
}

/// The maximum numbers of memories and of tables that one core module defines.
fn max_memories_and_tables(bytes: &[u8]) -> (u32, u32) {
    let mut max = (0, 0);
    for payload in Parser::new(0).parse_all(bytes).flatten() {
        match payload {
            Payload::MemorySection(memories) => max.0 = max.0.max(memories.count()),
            Payload::TableSection(tables) => max.1 = max.1.max(tables.count()),
            _ => {}
        }
    }
    max
}
