//! The core module with all code of the fused component.

use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{
    CodeSection, ConstExpr, DataCountSection, DataSection, ElementSection, Elements, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, ImportSection,
    Module as Encoder, NameMap, NameSection, StartSection, TableSection, TypeSection, ValType,
};
use wasmparser::DataKind;

use super::const_expr;
use super::copy_utf8::copy_utf8;
use super::memories;
use crate::FuseError;
use crate::flatten::flat::{Def, Item};
use crate::layout::{Helper, Layout};
use crate::module::{Module, count};

/// Import module name of the functions of the host.
pub(crate) const HOST: &str = "host";

/// Import module name of the memories.
pub(crate) const MEMORIES: &str = "memories";

/// Import name of a function of the host.
pub(crate) fn host_name(host: usize) -> String {
    format!("f{host}")
}

/// Export name of a function of the fused module.
pub(crate) fn function_name(function: u32) -> String {
    format!("f{function}")
}

/// Encodes the module, which exports the functions in `exported`.
pub(crate) fn encode(
    modules: &[Module<'_>],
    layout: &Layout,
    exported: &[u32],
) -> Result<Vec<u8>, FuseError> {
    let mut sections = Sections::default();
    sections.begin(layout);
    for (instance, module) in modules.iter().enumerate() {
        let mut indices = Indices {
            instance,
            layout,
            modules,
        };
        // The functions that replace shims have the types of these.
        for group in &module.types {
            indices.parse_recursive_type_group(sections.types.ty(), group.clone())?;
        }
    }
    sections.add_helpers(layout);
    for &instance in &layout.instances {
        let mut indices = Indices {
            instance,
            layout,
            modules,
        };
        sections.add_instance(&modules[instance], &mut indices)?;
    }
    Ok(sections.finish(layout, exported))
}

/// The unfinished sections of the module.
#[derive(Default)]
struct Sections {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    globals: GlobalSection,
    elements: ElementSection,
    code: CodeSection,
    data: DataSection,
    names: NameMap,
}

impl Sections {
    /// Adds the imports, and the globals `may_leave`, which precede all others.
    fn begin(&mut self, layout: &Layout) {
        for (host, &ty) in layout.host_types.iter().enumerate() {
            self.imports
                .import(HOST, &host_name(host), EntityType::Function(ty));
        }
        for (memory, &ty) in layout.memories.iter().enumerate() {
            self.imports
                .import(MEMORIES, &memories::memory_name(count(memory)), ty);
        }
        if !layout.reallocs.is_empty() {
            let table = memories::realloc_table(layout);
            self.imports.import(MEMORIES, memories::REALLOCS, table);
        }
        for _ in &layout.may_leave {
            let ty = GlobalType {
                val_type: ValType::I32,
                mutable: true,
                shared: false,
            };
            self.globals.global(ty, &ConstExpr::i32_const(1));
        }
    }

    fn add_helpers(&mut self, layout: &Layout) {
        for (ty, helper) in (layout.types..).zip(&layout.helpers) {
            let (parameters, body) = match *helper {
                Helper::CopyUtf8 { from, to } => (3, copy_utf8(from, to)),
                Helper::Trap => {
                    let mut body = Function::new([]);
                    body.instructions().unreachable().end();
                    (1, body)
                }
            };
            self.types.ty().function(vec![ValType::I32; parameters], []);
            self.functions.function(ty);
            self.code.function(&body);
        }
    }

    /// Adds the definitions of an instance.
    fn add_instance(
        &mut self,
        module: &Module<'_>,
        indices: &mut Indices<'_>,
    ) -> Result<(), Error<FuseError>> {
        for &ty in &module.functions {
            self.functions.function(indices.type_index(ty)?);
        }
        for table in &module.tables {
            indices.parse_table(&mut self.tables, table.clone())?;
        }
        for global in &module.globals {
            indices.parse_global(&mut self.globals, global.clone())?;
        }
        for element in &module.elements {
            indices.parse_element(&mut self.elements, element.clone())?;
        }
        for body in &module.bodies {
            indices.parse_function_body(&mut self.code, body.clone())?;
        }
        if module.uses_data {
            for data in &module.data {
                // Active segments are in the module of the memories, and empty here.
                let bytes: &[u8] = match data.kind {
                    DataKind::Active { .. } => &[],
                    DataKind::Passive => data.data,
                };
                self.data.passive(bytes.iter().copied());
            }
        }
        let imported = module.imported_functions();
        for &(index, name) in &module.names {
            if index >= imported && index - imported < count(module.functions.len()) {
                self.names.append(indices.function_index(index)?, name);
            }
        }
        Ok(())
    }

    fn finish(mut self, layout: &Layout, exported: &[u32]) -> Vec<u8> {
        if !layout.reallocs.is_empty() {
            // The last one: wasmtime precomputes element segments at compile time, up to the
            // first that fills an imported table.
            self.elements.active(
                Some(0),
                &ConstExpr::i32_const(0),
                Elements::Functions(layout.reallocs.as_slice().into()),
            );
        }
        let start = match *layout.starts.as_slice() {
            [] => None,
            [start] => Some(start),
            ref starts => {
                let ty = layout.types + count(layout.helpers.len());
                self.types.ty().function([], []);
                self.functions.function(ty);
                let mut body = Function::new([]);
                for &start in starts {
                    body.instructions().call(start);
                }
                body.instructions().end();
                self.code.function(&body);
                Some(count(layout.host_types.len()) + self.functions.len() - 1)
            }
        };
        let mut exports = ExportSection::new();
        for &function in exported {
            exports.export(&function_name(function), ExportKind::Func, function);
        }
        let mut names = NameSection::new();
        names.functions(&self.names);

        let mut module = Encoder::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&self.tables);
        module.section(&self.globals).section(&exports);
        if let Some(function_index) = start {
            module.section(&StartSection { function_index });
        }
        module.section(&self.elements);
        if !self.data.is_empty() {
            module.section(&DataCountSection {
                count: self.data.len(),
            });
        }
        module.section(&self.code);
        if !self.data.is_empty() {
            module.section(&self.data);
        }
        module.section(&names);
        module.finish()
    }
}

/// Maps the indices of one instance to those of the fused module.
pub(crate) struct Indices<'a> {
    pub(crate) instance: usize,
    pub(crate) layout: &'a Layout,
    pub(crate) modules: &'a [Module<'a>],
}

impl Indices<'_> {
    /// The mapping of another instance.
    pub(crate) fn of(&self, instance: usize) -> Self {
        Self { instance, ..*self }
    }

    fn item(&self, index: u32) -> Item {
        Item {
            instance: self.instance,
            index,
        }
    }
}

impl Reencode for Indices<'_> {
    type Error = FuseError;

    fn const_expr(
        &mut self,
        expression: wasmparser::ConstExpr<'_>,
    ) -> Result<ConstExpr, Error<FuseError>> {
        let mut bytes = Vec::new();
        const_expr::append(self, &expression, &mut bytes)?;
        Ok(ConstExpr::raw(bytes))
    }

    fn type_index(&mut self, ty: u32) -> Result<u32, Error<FuseError>> {
        Ok(self.layout.types_of(self.instance) + ty)
    }

    fn function_index(&mut self, function: u32) -> Result<u32, Error<FuseError>> {
        let def = Def::Func(self.item(function));
        self.layout.function(def).map_err(Error::UserError)
    }

    fn table_index(&mut self, table: u32) -> Result<u32, Error<FuseError>> {
        let def = Def::Table(self.item(table));
        self.layout.table(def).map_err(Error::UserError)
    }

    fn memory_index(&mut self, memory: u32) -> Result<u32, Error<FuseError>> {
        let def = Def::Memory(self.item(memory));
        self.layout.memory(def).map_err(Error::UserError)
    }

    fn global_index(&mut self, global: u32) -> Result<u32, Error<FuseError>> {
        let def = Def::Global(self.item(global));
        self.layout.global(def).map_err(Error::UserError)
    }

    fn element_index(&mut self, element: u32) -> Result<u32, Error<FuseError>> {
        Ok(self.layout.elements_of(self.instance) + element)
    }

    fn data_index(&mut self, data: u32) -> Result<u32, Error<FuseError>> {
        Ok(self.layout.data_of(self.instance) + data)
    }
}
