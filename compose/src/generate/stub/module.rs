//! The core module of a stub: functions that trap, with names that identify the call.
//!
//! A host prints the function names on the stack. A compiler that inlines a function into its
//! caller, as wasmtime may do across components, removes it from the stack. Each function
//! therefore calls the trapping one through a table, which prevents inlining.

use std::error::Error;

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ElementSection, Elements, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, InstructionSink, MemorySection,
    MemoryType, Module, NameMap, NameSection, RefType, TableSection, TableType, TypeSection,
    ValType,
};
use wit_parser::abi::{WasmSignature, WasmType};
use wit_parser::{
    LiftLowerAbi, ManglingAndAbi, Resolve, TypeDefKind, WasmExport, WasmExportKind, WorldId,
    WorldItem, WorldKey,
};

/// All functions are lifted as synchronous ones, also those that are `async` in WIT: the ABI
/// does not matter to a function that traps immediately.
const ABI: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);

/// One function of the module.
struct Stub {
    /// The export name that the component encoder expects.
    export: String,
    /// The name that hosts print.
    name: String,
    params: Vec<ValType>,
    results: Vec<ValType>,
    /// `None` for a function that traps.
    body: Option<Function>,
}

/// The module whose functions are the exports of `world`.
pub(super) fn encode(
    resolve: &Resolve,
    world: WorldId,
) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut stubs = Vec::new();
    let mut needs_memory = false;
    for (key, item) in &resolve.worlds[world].exports {
        let WorldItem::Interface { id, .. } = item else {
            return Err("only interfaces can be stubbed".into());
        };
        let interface = resolve.name_world_key(key);
        for function in resolve.interfaces[*id].functions.values() {
            let signature = resolve.wasm_signature(ABI.export_variant(), function);
            needs_memory |= uses_memory(&signature);
            let export = WasmExport::Func {
                interface: Some(key),
                func: function,
                kind: WasmExportKind::Normal,
            };
            stubs.push(Stub {
                export: resolve.wasm_export_name(ABI, export),
                name: format!("{interface}#{}", function.name),
                params: signature.params.into_iter().map(val_type).collect(),
                results: signature.results.into_iter().map(val_type).collect(),
                body: None,
            });
        }
        stubs.extend(destructors(resolve, key, &interface));
    }
    if needs_memory {
        stubs.push(Stub {
            export: resolve.wasm_export_name(ABI, WasmExport::Realloc),
            name: "stub: allocate".to_owned(),
            params: vec![ValType::I32; 4],
            results: vec![ValType::I32],
            body: Some(realloc()),
        });
    }
    let memory = needs_memory.then(|| resolve.wasm_export_name(ABI, WasmExport::Memory));
    Ok(assemble(&stubs, memory.as_deref()))
}

fn destructors(resolve: &Resolve, key: &WorldKey, interface: &str) -> Vec<Stub> {
    let WorldKey::Interface(id) = key else {
        return Vec::new();
    };
    let types = resolve.interfaces[*id].types.iter();
    types
        .filter(|(_, id)| matches!(resolve.types[**id].kind, TypeDefKind::Resource))
        .map(|(name, id)| {
            let export = WasmExport::ResourceDtor {
                interface: key,
                resource: *id,
            };
            Stub {
                export: resolve.wasm_export_name(ABI, export),
                name: format!("{interface}#[dtor]{name}"),
                params: vec![ValType::I32],
                results: Vec::new(),
                body: None,
            }
        })
        .collect()
}

/// Whether a value is passed by address.
fn uses_memory(signature: &WasmSignature) -> bool {
    let mut types = signature.params.iter().chain(&signature.results);
    signature.indirect_params
        || signature.retptr
        || types.any(|ty| matches!(ty, WasmType::Pointer | WasmType::PointerOrI64))
}

fn val_type(ty: WasmType) -> ValType {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
    }
}

/// Calls the trapping function of type `ty` in this slot of the table.
fn call_trap(slot: u32, ty: u32) -> Function {
    let mut body = Function::new([]);
    let mut code = body.instructions();
    code.i32_const(slot.cast_signed()).call_indirect(0, ty);
    code.unreachable().end();
    body
}

fn trap() -> Function {
    let mut body = Function::new([]);
    body.instructions().unreachable().end();
    body
}

/// The allocator `realloc`: without it, a call with a string would trap before it reaches
/// its function.
///
/// The parameters are old address, old size, alignment and new size. Old contents are
/// copied; memory is never freed, because every instance traps in its first call.
fn realloc() -> Function {
    const OLD: u32 = 0;
    const OLD_SIZE: u32 = 1;
    const ALIGN: u32 = 2;
    const NEW_SIZE: u32 = 3;
    const NEW: u32 = 4;
    const FREE: u32 = 0;
    let mut body = Function::new([(1, ValType::I32)]);
    let mut code = body.instructions();
    // new = (free + align - 1) & -align; free = new + new_size
    code.global_get(FREE).local_get(ALIGN).i32_add();
    code.i32_const(1).i32_sub();
    code.i32_const(0).local_get(ALIGN).i32_sub().i32_and();
    code.local_tee(NEW).local_get(NEW_SIZE).i32_add();
    code.global_set(FREE);
    // trap on overflow of the address space
    code.global_get(FREE).local_get(NEW).i32_lt_u();
    trap_if(&mut code);
    // grow to the page of the last byte
    code.memory_size(0);
    pages(&mut code, FREE);
    code.i32_lt_u().if_(BlockType::Empty);
    pages(&mut code, FREE);
    code.memory_size(0).i32_sub().memory_grow(0);
    code.i32_const(-1).i32_eq();
    trap_if(&mut code);
    code.end();
    // copy the smaller of both sizes
    code.local_get(NEW).local_get(OLD);
    code.local_get(OLD_SIZE).local_get(NEW_SIZE);
    code.local_get(OLD_SIZE).local_get(NEW_SIZE).i32_lt_u();
    code.select().memory_copy(0, 0);
    code.local_get(NEW).end();
    body
}

fn trap_if(code: &mut InstructionSink<'_>) {
    code.if_(BlockType::Empty).unreachable().end();
}

/// The number of pages up to the address in a global.
fn pages(code: &mut InstructionSink<'_>, global: u32) {
    const PAGE_SIZE_BITS: i32 = 16;
    code.global_get(global)
        .i32_const(PAGE_SIZE_BITS)
        .i32_shr_u();
    code.i32_const(1).i32_add();
}

/// The module of these functions, followed by one trapping function for each of them.
fn assemble(stubs: &[Stub], memory: Option<&str>) -> Vec<u8> {
    let mut types = TypeSection::new();
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    let mut function_names = NameMap::new();
    let trap_type = index(stubs.len());
    let mut traps = Vec::new();
    for (index, stub) in (0..).zip(stubs) {
        let (params, results) = (stub.params.iter().copied(), stub.results.iter().copied());
        types.ty().function(params, results);
        functions.function(index);
        exports.export(&stub.export, ExportKind::Func, index);
        function_names.append(index, &stub.name);
        if let Some(body) = &stub.body {
            code.function(body);
        } else {
            code.function(&call_trap(self::index(traps.len()), trap_type));
            traps.push(format!("stub: {} is not implemented", stub.name));
        }
    }
    types.ty().function([], []);
    let trap_functions = (trap_type..).zip(&traps);
    for (index, name) in trap_functions.clone() {
        functions.function(trap_type);
        code.function(&trap());
        function_names.append(index, name);
    }
    let trap_functions: Vec<u32> = trap_functions.map(|(index, _)| index).collect();
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: traps.len() as u64,
        maximum: Some(traps.len() as u64),
        shared: false,
    });
    let mut elements = ElementSection::new();
    let first = ConstExpr::i32_const(0);
    elements.active(None, &first, Elements::Functions(trap_functions.into()));
    let mut names = NameSection::new();
    names.module("stub");
    names.functions(&function_names);

    let mut module = Module::new();
    module.section(&types).section(&functions);
    if !traps.is_empty() {
        module.section(&tables);
    }
    if let Some(memory) = memory {
        exports.export(memory, ExportKind::Memory, 0);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 0,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut globals = GlobalSection::new();
        let address = GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        };
        // Languages treat address 0 as null.
        globals.global(address, &ConstExpr::i32_const(16));
        module.section(&memories).section(&globals);
    }
    module.section(&exports);
    if !traps.is_empty() {
        module.section(&elements);
    }
    module.section(&code).section(&names);
    module.finish()
}

/// An index; the WIT text limits the number of functions.
fn index(number: usize) -> u32 {
    u32::try_from(number).expect("fewer than 2^32 functions")
}
