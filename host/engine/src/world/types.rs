//! Types of imports and exports.

use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType, ResourceId};
use wasmparser::types::TypesRef;

use super::HANDLER;

/// Whether this is an interface with an asynchronous function `handle`. The linker checks its type.
pub(super) fn handles_async(types: TypesRef<'_>, ty: ComponentEntityType) -> bool {
    let ComponentEntityType::Instance(id) = ty else {
        return false;
    };
    match types[id].exports.get(HANDLER.1).map(|item| item.ty) {
        Some(ComponentEntityType::Func(id)) => types[id].async_,
        _ => false,
    }
}

pub(super) fn resource(ty: ComponentEntityType) -> Option<ResourceId> {
    match ty {
        ComponentEntityType::Type {
            created: ComponentAnyTypeId::Resource(resource),
            ..
        } => Some(resource.resource()),
        _ => None,
    }
}

/// Whether this is the type of an interface or a world, as in WIT packages.
pub(super) fn is_definition(ty: ComponentEntityType) -> bool {
    matches!(
        ty,
        ComponentEntityType::Type {
            created: ComponentAnyTypeId::Component(_) | ComponentAnyTypeId::Instance(_),
            ..
        }
    )
}
