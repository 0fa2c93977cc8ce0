//! The core module that holds the memories of the fused component.
//!
//! The functions of the host need the memories before the code that calls them
//! can exist, and sometimes allocate in them with functions of that code. So the
//! memories are a module of their own, which also has, for each function that
//! allocates, one that calls it through a table.

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection,
    MemorySection, Module as Encoder, RefType, TableSection, TableType, TypeSection, ValType,
};
use wasmparser::DataKind;

use super::flat::{Def, Item};
use super::layout::Layout;
use super::module::Module;
use super::{FuseError, constant};

/// The export that is the table of functions that allocate.
pub(super) const REALLOCS: &str = "reallocs";

/// The export that is a memory.
pub(super) fn memory_name(memory: u32) -> String {
    format!("m{memory}")
}

/// The export that is a function that allocates, by its place in the table.
pub(super) fn realloc_name(slot: usize) -> String {
    format!("realloc{slot}")
}

/// The table of functions that allocate.
pub(super) fn realloc_table(layout: &Layout) -> TableType {
    let size = layout.reallocs.len() as u64;
    TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: size,
        maximum: Some(size),
        shared: false,
    }
}

/// Encodes the module.
pub(super) fn encode(modules: &[Module<'_>], layout: &Layout) -> Result<Vec<u8>, FuseError> {
    let mut types = TypeSection::new();
    let mut functions = FunctionSection::new();
    let mut tables = TableSection::new();
    let mut memories = MemorySection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();

    for (memory, &ty) in (0..).zip(&layout.memories) {
        memories.memory(ty);
        exports.export(&memory_name(memory), ExportKind::Memory, memory);
    }
    if !layout.reallocs.is_empty() {
        types.ty().function([ValType::I32; 4], [ValType::I32]);
        tables.table(realloc_table(layout));
        exports.export(REALLOCS, ExportKind::Table, 0);
        for (slot, place) in (0..).zip(0..layout.reallocs.len()) {
            let mut body = Function::new([]);
            let mut instructions = body.instructions();
            for parameter in 0..4 {
                instructions.local_get(parameter);
            }
            instructions.i32_const(slot).call_indirect(0, 0).end();
            exports.export(&realloc_name(place), ExportKind::Func, functions.len());
            functions.function(0);
            code.function(&body);
        }
    }

    let mut module = Encoder::new();
    module
        .section(&types)
        .section(&functions)
        .section(&tables)
        .section(&memories)
        .section(&exports)
        .section(&code)
        .section(&active_data(modules, layout)?);
    Ok(module.finish())
}

/// What the memories hold at the start.
fn active_data(modules: &[Module<'_>], layout: &Layout) -> Result<DataSection, FuseError> {
    let mut section = DataSection::new();
    for &instance in &layout.instances {
        for data in &modules[instance].data {
            let DataKind::Active {
                memory_index,
                offset_expr,
            } = &data.kind
            else {
                continue;
            };
            let offset = constant::number(modules, layout, instance, offset_expr).ok_or(
                FuseError::Unsupported("a part decides where its data lies when it starts"),
            )?;
            let index = *memory_index;
            let memory = layout.memory(Def::Memory(Item { instance, index }))?;
            section.active(
                memory,
                &ConstExpr::i32_const(offset),
                data.data.iter().copied(),
            );
        }
    }
    Ok(section)
}
