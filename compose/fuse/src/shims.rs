//! Calls that go through a table only because of the instantiation order.
//!
//! To lower an import, the memory of the calling module is needed, and to instantiate that
//! module, the lowered function. Toolchains therefore pass the module functions of a *shim*,
//! which call through a table, and a *fixup* fills the table afterwards. In a fused module
//! all functions are known in advance, so calls are direct, and shim, fixup and table are
//! removed.

use std::collections::HashMap;

use wasmparser::{
    CompositeInnerType, ConstExpr, ElementItems, ElementKind, Operator, RecGroup, Result, TypeRef,
};

use crate::flatten::flat::{Def, Flat, Item};
use crate::module::{Module, count};

/// The targets of shims, and the instances that become superfluous.
#[derive(Default)]
pub(crate) struct Shims {
    /// The target of each function of a shim.
    targets: HashMap<Item, Def>,
    /// Shims and fixups.
    superfluous: Vec<usize>,
}

impl Shims {
    /// Finds every shim whose table is used by exactly one fixup.
    pub(crate) fn find(flat: &Flat, modules: &[Module<'_>]) -> Result<Self> {
        let slots = modules.iter().map(shim_slots).collect::<Result<Vec<_>>>()?;
        let is_shim = |def: &Def| matches!(def, Def::Func(item) if slots[item.instance].is_some());
        let mut shims = Self::default();
        for (shim, slots) in slots.iter().enumerate() {
            let Some(slots) = slots else {
                continue;
            };
            let table = Def::Table(Item {
                instance: shim,
                index: 0,
            });
            let mut users = flat
                .instances
                .iter()
                .enumerate()
                .filter(|(_, instance)| instance.arguments.contains(&table));
            let (Some((fixup, instance)), None) = (users.next(), users.next()) else {
                continue;
            };
            let Some(elements) = fixup_elements(&modules[fixup])? else {
                continue;
            };
            if elements.len() as u64 > modules[shim].tables[0].ty.initial {
                continue;
            }
            // The contents of the table. The fixup defines no functions, so each element is one
            // of its imports.
            let functions: Vec<Def> = modules[fixup]
                .imports
                .iter()
                .zip(&instance.arguments)
                .filter(|(ty, _)| matches!(ty, TypeRef::Func(_)))
                .map(|(_, &def)| def)
                .collect();
            // A chain of shims could be a cycle.
            if functions.iter().any(is_shim) {
                continue;
            }
            let target = |&slot: &u32| {
                let element = elements.get(slot as usize)?;
                functions.get(*element as usize).copied()
            };
            let Some(targets) = slots.iter().map(target).collect::<Option<Vec<_>>>() else {
                continue;
            };
            for (index, target) in (0..).zip(targets) {
                shims.targets.insert(
                    Item {
                        instance: shim,
                        index,
                    },
                    target,
                );
            }
            shims.superfluous.extend([shim, fixup]);
        }
        Ok(shims)
    }

    /// The target of a function, if it belongs to a shim.
    pub(crate) fn target(&self, function: Item) -> Option<Def> {
        self.targets.get(&function).copied()
    }

    /// Whether an instance is a removed shim or fixup.
    pub(crate) fn is_superfluous(&self, instance: usize) -> bool {
        self.superfluous.contains(&instance)
    }
}

/// The table slot that each function of a shim calls; `None` if the module is not a shim.
fn shim_slots(module: &Module<'_>) -> Result<Option<Vec<u32>>> {
    let is_bare = module.imports.is_empty()
        && module.tables.len() == 1
        && module.memories.is_empty()
        && module.globals.is_empty()
        && module.elements.is_empty()
        && module.data.is_empty()
        && module.start.is_none()
        && !module.bodies.is_empty();
    if !is_bare {
        return Ok(None);
    }
    let mut slots = Vec::new();
    for (body, &ty) in module.bodies.iter().zip(&module.functions) {
        let Some(parameters) = parameter_count(module, ty) else {
            return Ok(None);
        };
        let operators: Vec<_> = body
            .get_operators_reader()?
            .into_iter()
            .collect::<Result<_>>()?;
        let (forwarded, rest) = operators.split_at(operators.len().min(parameters));
        let forwards_all = (0..)
            .zip(forwarded)
            .all(|(index, operator)| {
                matches!(operator, Operator::LocalGet { local_index } if *local_index == index)
            });
        match rest {
            [
                Operator::I32Const { value },
                Operator::CallIndirect {
                    type_index,
                    table_index: 0,
                },
                Operator::End,
            ] if forwards_all && *type_index == ty => slots.push(value.cast_unsigned()),
            _ => return Ok(None),
        }
    }
    Ok(Some(slots))
}

fn parameter_count(module: &Module<'_>, ty: u32) -> Option<usize> {
    let mut types = module.types.iter().flat_map(RecGroup::types);
    match &types.nth(ty as usize)?.composite_type.inner {
        CompositeInnerType::Func(function) => Some(function.params().len()),
        _ => None,
    }
}

/// The functions that a fixup writes to its imported table, from slot 0; `None` if the module
/// is not a fixup.
fn fixup_elements(module: &Module<'_>) -> Result<Option<Vec<u32>>> {
    let tables = module
        .imports
        .iter()
        .filter(|ty| matches!(ty, TypeRef::Table(_)));
    let functions = module
        .imports
        .iter()
        .filter(|ty| matches!(ty, TypeRef::Func(_)));
    // An export could make the table accessible to other modules.
    let is_bare = !module.exports_anything
        && module.bodies.is_empty()
        && module.tables.is_empty()
        && module.memories.is_empty()
        && module.globals.is_empty()
        && module.data.is_empty()
        && tables.count() == 1
        && functions.count() + 1 == module.imports.len();
    let [element] = module.elements.as_slice() else {
        return Ok(None);
    };
    if !is_bare {
        return Ok(None);
    }
    let (
        ElementKind::Active {
            table_index: None | Some(0),
            offset_expr,
        },
        ElementItems::Functions(functions),
    ) = (&element.kind, &element.items)
    else {
        return Ok(None);
    };
    if !is_zero(offset_expr)? {
        return Ok(None);
    }
    let functions: Vec<u32> = functions.clone().into_iter().collect::<Result<_>>()?;
    let imported = count(module.imports.len());
    Ok(functions
        .iter()
        .all(|&function| function < imported)
        .then_some(functions))
}

fn is_zero(offset: &ConstExpr<'_>) -> Result<bool> {
    let operators: Vec<_> = offset
        .get_operators_reader()
        .into_iter()
        .collect::<Result<_>>()?;
    Ok(matches!(
        operators.as_slice(),
        [Operator::I32Const { value: 0 }, Operator::End]
    ))
}
