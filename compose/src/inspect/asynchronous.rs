//! The asynchronous features of interfaces, which WASI 0.3 is made of: async functions, streams
//! and futures.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::{Serialize, Serializer};
use wac_types::{DefinedType, DefinedTypeId, FuncType, ItemKind, Type, Types, ValueType};
use wasmparser::{Validator, WasmFeatures};

use crate::catch_panic::catch_panic;
use crate::decompose::decompose;
use crate::model::component::Component;

/// The asynchronous features of one interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AsyncFeatures {
    /// It has async functions.
    pub functions: bool,
    /// Its functions or types have streams.
    pub streams: bool,
    /// Its functions or types have futures.
    pub futures: bool,
}

/// The interfaces with asynchronous features, by the names of imports and exports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AsyncInterfaces(BTreeMap<String, AsyncFeatures>);

impl AsyncFeatures {
    /// `async`, `stream` and `future`, as far as the interface has them.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let words = [
            (self.functions, "async"),
            (self.streams, "stream"),
            (self.futures, "future"),
        ];
        words
            .into_iter()
            .filter_map(|(is_used, word)| is_used.then_some(word))
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for AsyncFeatures {
    /// The words, such as `async, stream`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().collect::<Vec<_>>().join(", "))
    }
}

impl Serialize for AsyncFeatures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}

impl AsyncInterfaces {
    /// The features of the interface `name`, if it has any.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<AsyncFeatures> {
        self.0.get(name).copied()
    }

    /// Whether no interface has asynchronous features.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The imports and exports of `components` and of their parts, at any depth.
    pub fn of<'c>(components: impl IntoIterator<Item = &'c Component>) -> Self {
        let mut interfaces = Self::default();
        for component in components {
            interfaces.add(component);
        }
        interfaces
    }

    fn add(&mut self, component: &Component) {
        let world = component.world();
        for (name, kind) in world.imports.iter().chain(&world.exports) {
            let found = features(component.types(), *kind);
            if !found.is_empty() {
                let known = self.0.entry(name.clone()).or_default();
                known.functions |= found.functions;
                known.streams |= found.streams;
                known.futures |= found.futures;
            }
        }
        if !component.has_bounded_instances() {
            return;
        }
        // `Component::new` limits the nesting depth.
        for (name, bytes) in decompose(component).into_iter().flat_map(|it| it.parts) {
            if let Ok(part) = Component::new(name, bytes) {
                self.add(&part);
            }
        }
    }
}

/// Whether `component` is valid only with the asynchronous features of the component model: its
/// interfaces have them, or its parts use them internally.
#[must_use]
pub fn is_asynchronous(component: &Component) -> bool {
    let features = WasmFeatures::default().difference(WasmFeatures::CM_ASYNC);
    let mut validator = Validator::new_with_features(features);
    catch_panic(|| validator.validate_all(component.bytes()).is_err()).unwrap_or(true)
}

/// The features of one import or export.
fn features(types: &Types, kind: ItemKind) -> AsyncFeatures {
    let mut visitor = Visitor {
        types,
        found: AsyncFeatures::default(),
        visited: HashSet::new(),
    };
    match kind {
        ItemKind::Instance(interface) => {
            let items = types[interface].exports.values();
            items.for_each(|kind| visitor.item(*kind));
        }
        other => visitor.item(other),
    }
    visitor.found
}

struct Visitor<'t> {
    types: &'t Types,
    found: AsyncFeatures,
    /// The types that were visited.
    visited: HashSet<DefinedTypeId>,
}

impl Visitor<'_> {
    fn item(&mut self, kind: ItemKind) {
        match kind {
            ItemKind::Func(function) | ItemKind::Type(Type::Func(function)) => {
                self.function(&self.types[function]);
            }
            ItemKind::Type(Type::Value(ty)) | ItemKind::Value(ty) => self.value(ty),
            ItemKind::Type(_)
            | ItemKind::Instance(_)
            | ItemKind::Component(_)
            | ItemKind::Module(_) => {}
        }
    }

    fn function(&mut self, function: &FuncType) {
        self.found.functions |= function.is_async;
        let parameters = function.params.values().copied();
        parameters
            .chain(function.result)
            .for_each(|ty| self.value(ty));
    }

    fn value(&mut self, ty: ValueType) {
        let ValueType::Defined(id) = ty else {
            return;
        };
        if !self.visited.insert(id) {
            return;
        }
        let nested: Vec<ValueType> = match &self.types[id] {
            DefinedType::Stream(item) => {
                self.found.streams = true;
                item.iter().copied().collect()
            }
            DefinedType::Future(item) => {
                self.found.futures = true;
                item.iter().copied().collect()
            }
            DefinedType::Tuple(items) => items.clone(),
            DefinedType::List(item)
            | DefinedType::FixedSizeList(item, _)
            | DefinedType::Option(item)
            | DefinedType::Alias(item) => vec![*item],
            DefinedType::Map(key, value) => vec![*key, *value],
            DefinedType::Result { ok, err } => ok.iter().chain(err).copied().collect(),
            DefinedType::Variant(variant) => variant.cases.values().flatten().copied().collect(),
            DefinedType::Record(record) => record.fields.values().copied().collect(),
            DefinedType::Flags(_) | DefinedType::Enum(_) => Vec::new(),
        };
        for ty in nested {
            self.value(ty);
        }
    }
}
