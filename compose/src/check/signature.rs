//! Types in WIT syntax, for messages.

use std::collections::HashMap;

use wac_types::{
    DefinedType, DefinedTypeId, FuncType, InterfaceId, ItemKind, Type, Types, ValueType,
};

/// Writes the items of one interface.
///
/// A type with a name in the interface is written by that name, an anonymous one is written
/// out.
pub(crate) struct Signatures<'t> {
    types: &'t Types,
    names: HashMap<DefinedTypeId, &'t str>,
}

impl<'t> Signatures<'t> {
    /// For the items of `interface`, or for items without an interface.
    pub(crate) fn new(types: &'t Types, interface: Option<InterfaceId>) -> Self {
        let exports = interface.map(|id| &types[id].exports);
        let names = exports
            .into_iter()
            .flatten()
            .filter_map(|(name, kind)| match kind {
                ItemKind::Type(Type::Value(ValueType::Defined(id))) => Some((*id, name.as_str())),
                _ => None,
            })
            .collect();
        Self { types, names }
    }

    /// The item `kind` named `name` on one line, such as
    /// `encrypt: func(message: string) -> result<string, error>`.
    pub(crate) fn item(&self, name: &str, kind: ItemKind) -> String {
        match kind {
            ItemKind::Func(id) => self.function(name, &self.types[id]),
            ItemKind::Type(Type::Value(ty)) => self.declaration(name, ty),
            ItemKind::Type(Type::Resource(_)) => format!("resource {name}"),
            ItemKind::Value(ty) => format!("{name}: value {}", self.value(ty)),
            ItemKind::Type(_)
            | ItemKind::Instance(_)
            | ItemKind::Component(_)
            | ItemKind::Module(_) => format!("{name}: {}", kind.desc(self.types)),
        }
    }

    fn function(&self, name: &str, ty: &FuncType) -> String {
        // Functions of resources have names such as `[method]fields.get`.
        let (role, name) = match name.strip_prefix('[').and_then(|name| name.split_once(']')) {
            Some((role, name)) => (role, name),
            None => ("", name),
        };
        let implied_self = usize::from(role == "method");
        let parameters: Vec<String> = ty
            .params
            .iter()
            .skip(implied_self)
            .map(|(name, ty)| format!("{name}: {}", self.value(*ty)))
            .collect();
        let keyword = match role {
            "constructor" => "constructor",
            "static" if ty.is_async => "static async func",
            "static" => "static func",
            _ if ty.is_async => "async func",
            _ => "func",
        };
        let mut text = format!("{name}: {keyword}({})", parameters.join(", "));
        if let Some(result) = ty.result.filter(|_| role != "constructor") {
            text.push_str(" -> ");
            text.push_str(&self.value(result));
        }
        text
    }

    fn declaration(&self, name: &str, ty: ValueType) -> String {
        let ValueType::Defined(id) = ty else {
            return format!("type {name} = {}", self.value(ty));
        };
        match &self.types[id] {
            DefinedType::Record(record) => {
                let fields = record.fields.iter();
                let fields = fields.map(|(name, ty)| format!("{name}: {}", self.value(*ty)));
                braces("record", name, fields)
            }
            DefinedType::Variant(variant) => {
                let cases = variant.cases.iter().map(|(name, ty)| match ty {
                    Some(ty) => format!("{name}({})", self.value(*ty)),
                    None => name.clone(),
                });
                braces("variant", name, cases)
            }
            DefinedType::Flags(flags) => braces("flags", name, flags.0.iter().cloned()),
            DefinedType::Enum(cases) => braces("enum", name, cases.0.iter().cloned()),
            other => format!("type {name} = {}", self.defined(other)),
        }
    }

    fn value(&self, ty: ValueType) -> String {
        match ty {
            ValueType::Primitive(primitive) => primitive.desc().to_owned(),
            ValueType::Own(id) => self.types[id].name.clone(),
            ValueType::Borrow(id) => format!("borrow<{}>", self.types[id].name),
            ValueType::Defined(id) => match self.names.get(&id) {
                Some(name) => (*name).to_owned(),
                None => self.defined(&self.types[id]),
            },
        }
    }

    fn defined(&self, ty: &DefinedType) -> String {
        let optional = |ty: &Option<ValueType>| ty.map(|ty| self.value(ty));
        match ty {
            DefinedType::Tuple(items) => {
                let items: Vec<String> = items.iter().map(|ty| self.value(*ty)).collect();
                format!("tuple<{}>", items.join(", "))
            }
            DefinedType::List(item) => format!("list<{}>", self.value(*item)),
            DefinedType::FixedSizeList(item, length) => {
                format!("list<{}, {length}>", self.value(*item))
            }
            DefinedType::Map(key, value) => {
                format!("map<{}, {}>", self.value(*key), self.value(*value))
            }
            DefinedType::Option(item) => format!("option<{}>", self.value(*item)),
            DefinedType::Result { ok, err } => match (optional(ok), optional(err)) {
                (None, None) => "result".to_owned(),
                (Some(ok), None) => format!("result<{ok}>"),
                (None, Some(err)) => format!("result<_, {err}>"),
                (Some(ok), Some(err)) => format!("result<{ok}, {err}>"),
            },
            DefinedType::Stream(item) => one_optional("stream", optional(item)),
            DefinedType::Future(item) => one_optional("future", optional(item)),
            DefinedType::Alias(target) => self.value(*target),
            // Reached only for anonymous types.
            DefinedType::Variant(_)
            | DefinedType::Record(_)
            | DefinedType::Flags(_)
            | DefinedType::Enum(_) => ty.desc(self.types).to_owned(),
        }
    }
}

fn braces(keyword: &str, name: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("{keyword} {name} {{ {} }}", items.join(", "))
}

fn one_optional(keyword: &str, item: Option<String>) -> String {
    match item {
        Some(item) => format!("{keyword}<{item}>"),
        None => keyword.to_owned(),
    }
}
