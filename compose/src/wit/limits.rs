//! Refuses types that no component can have: converting them would take too much
//! stack, or too long.

use wit_parser::{Type, TypeDef, TypeDefKind};

/// How deep a type may be nested: what the validator of components allows.
const MAXIMUM_DEPTH: u32 = 100;

/// Of how many types a type may consist, those inside it counted with each use:
/// what the validator of components allows.
const MAXIMUM_SIZE: u32 = 1_000_000;

#[derive(Clone, Copy)]
struct Extent {
    depth: u32,
    size: u32,
}

/// What is wrong with one of `types`, if it is too large.
///
/// A type comes after those that it consists of.
pub(super) fn exceeded<'t>(types: impl IntoIterator<Item = &'t TypeDef>) -> Option<String> {
    let mut extents: Vec<Extent> = Vec::new();
    for ty in types {
        let parts = parts(&ty.kind).into_iter().map(|part| match part {
            Type::Id(id) => extents.get(id.index()).copied(),
            _ => None,
        });
        let mut extent = Extent { depth: 1, size: 1 };
        for part in parts {
            let part = part.unwrap_or(Extent { depth: 1, size: 1 });
            extent.depth = extent.depth.max(part.depth.saturating_add(1));
            extent.size = extent.size.saturating_add(part.size);
        }
        extents.push(extent);
        let name = ty.name.as_deref().unwrap_or("without name");
        if extent.depth > MAXIMUM_DEPTH {
            return Some(format!(
                "the type `{name}` is nested more than {MAXIMUM_DEPTH} deep"
            ));
        }
        if extent.size > MAXIMUM_SIZE {
            return Some(format!(
                "the type `{name}` consists of more than {MAXIMUM_SIZE} types"
            ));
        }
    }
    None
}

fn parts(kind: &TypeDefKind) -> Vec<Type> {
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|field| field.ty).collect(),
        TypeDefKind::Tuple(tuple) => tuple.types.clone(),
        TypeDefKind::Variant(variant) => variant.cases.iter().filter_map(|case| case.ty).collect(),
        TypeDefKind::Result(result) => result.ok.into_iter().chain(result.err).collect(),
        TypeDefKind::Map(key, value) => vec![*key, *value],
        TypeDefKind::Option(ty)
        | TypeDefKind::List(ty)
        | TypeDefKind::FixedLengthList(ty, _)
        | TypeDefKind::Type(ty) => vec![*ty],
        TypeDefKind::Future(ty) | TypeDefKind::Stream(ty) => ty.iter().copied().collect(),
        TypeDefKind::Resource
        | TypeDefKind::Handle(_)
        | TypeDefKind::Flags(_)
        | TypeDefKind::Enum(_)
        | TypeDefKind::Unknown => Vec::new(),
    }
}
