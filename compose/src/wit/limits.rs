//! Limits on types: the conversion of types beyond the limits of the component validator
//! would exhaust the stack or take too long.

use wit_parser::{Type, TypeDef, TypeDefKind};

/// Maximum nesting depth of a type: that of the component validator.
const MAX_DEPTH: u32 = 100;

/// Maximum number of types that a type consists of, nested ones counted per use: that of
/// the component validator.
const MAX_SIZE: u32 = 1_000_000;

#[derive(Clone, Copy)]
struct Extent {
    depth: u32,
    size: u32,
}

/// The error of the first of `types` that exceeds a limit.
///
/// A type comes after those that it consists of.
pub(super) fn exceeded<'t>(types: impl IntoIterator<Item = &'t TypeDef>) -> Option<String> {
    let mut extents: Vec<Extent> = Vec::new();
    for ty in types {
        let nested = nested(&ty.kind).into_iter().map(|ty| match ty {
            Type::Id(id) => extents.get(id.index()).copied(),
            _ => None,
        });
        let mut extent = Extent { depth: 1, size: 1 };
        for inner in nested {
            let inner = inner.unwrap_or(Extent { depth: 1, size: 1 });
            extent.depth = extent.depth.max(inner.depth.saturating_add(1));
            extent.size = extent.size.saturating_add(inner.size);
        }
        extents.push(extent);
        let name = ty.name.as_deref().unwrap_or("(anonymous)");
        if extent.depth > MAX_DEPTH {
            return Some(format!(
                "the type `{name}` is nested more than {MAX_DEPTH} levels deep"
            ));
        }
        if extent.size > MAX_SIZE {
            return Some(format!(
                "the type `{name}` consists of more than {MAX_SIZE} types"
            ));
        }
    }
    None
}

fn nested(kind: &TypeDefKind) -> Vec<Type> {
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
