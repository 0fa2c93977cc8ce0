//! The core module with the memories of the fused component.
//!
//! Functions of the host refer to the memories before the code that calls them is
//! instantiated, and some allocate in them with functions of that code. The memories are
//! therefore a module of their own, which also has, for each allocator, a function that
//! calls it through a table.

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection,
    MemorySection, Module as Encoder, RefType, TableSection, TableType, TypeSection, ValType,
};
use wasmparser::DataKind;

use super::const_expr;
use crate::FuseError;
use crate::flatten::flat::{Def, Item};
use crate::layout::Layout;
use crate::module::Module;

/// Export name of the table of allocators.
pub(crate) const REALLOCS: &str = "reallocs";

/// Export name of a memory.
pub(crate) fn memory_name(memory: u32) -> String {
    format!("m{memory}")
}

/// Export name of an allocator, by its slot in the table.
pub(crate) fn realloc_name(slot: usize) -> String {
    format!("realloc{slot}")
}

/// The type of the table of allocators.
pub(crate) fn realloc_table(layout: &Layout) -> TableType {
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
pub(crate) fn encode(modules: &[Module<'_>], layout: &Layout) -> Result<Vec<u8>, FuseError> {
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
        for (slot, index) in (0..).zip(0..layout.reallocs.len()) {
            let mut body = Function::new([]);
            let mut instructions = body.instructions();
            for parameter in 0..4 {
                instructions.local_get(parameter);
            }
            instructions.i32_const(slot).call_indirect(0, 0).end();
            exports.export(&realloc_name(index), ExportKind::Func, functions.len());
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

/// The initial contents of the memories.
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
            let offset = const_expr::number(modules, layout, instance, offset_expr).ok_or(
                FuseError::Unsupported("a part computes the address of its data when it starts"),
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
