//! Size of the context of a core module.

use wasmparser::{ElementItems, ExternalKind, Imports, Payload, SectionLimited, TypeRef};
use wasmtime_environ::{HostPtr, VMOffsets, VMOffsetsFields};

use super::InstanceSize;

/// Fixed size of a context, in bytes.
const CONTEXT_BYTES: u64 = 512;

/// Upper bound of all counts, so that sizes stay in range.
const MAX_COUNT: u32 = 10_000_000;

/// Number of items of a core module that are in its context.
#[derive(Default)]
pub(super) struct ModuleCounts {
    imported_functions: u32,
    imported_tables: u32,
    imported_memories: u32,
    imported_globals: u32,
    imported_tags: u32,
    functions: u32,
    tables: u32,
    memories: u32,
    globals: u32,
    tags: u32,
    /// Number of function references outside of code.
    references: u32,
    data: u32,
}

impl ModuleCounts {
    pub(super) fn read(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::ImportSection(section) => {
                for group in section {
                    self.import(group?)?;
                }
            }
            Payload::FunctionSection(section) => self.functions = count(&section),
            Payload::TableSection(section) => {
                self.tables = count(&section);
                self.references = self.references.saturating_add(self.tables);
            }
            Payload::MemorySection(section) => self.memories = count(&section),
            Payload::TagSection(section) => self.tags = count(&section),
            Payload::GlobalSection(section) => {
                self.globals = count(&section);
                self.references = self.references.saturating_add(self.globals);
            }
            Payload::ExportSection(section) => {
                for export in section {
                    if matches!(export?.kind, ExternalKind::Func | ExternalKind::FuncExact) {
                        self.references = self.references.saturating_add(1);
                    }
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    let items = match element?.items {
                        ElementItems::Functions(items) => count(&items),
                        ElementItems::Expressions(_, items) => count(&items),
                    };
                    self.references = self.references.saturating_add(items);
                }
            }
            Payload::DataSection(section) => self.data = count(&section),
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, group: Imports<'_>) -> wasmparser::Result<()> {
        match group {
            Imports::Single(_, import) => self.add_import(import.ty, 1),
            Imports::Compact1 { items, .. } => {
                for item in items {
                    self.add_import(item?.ty, 1);
                }
            }
            Imports::Compact2 { ty, names, .. } => self.add_import(ty, count(&names)),
        }
        Ok(())
    }

    fn add_import(&mut self, ty: TypeRef, times: u32) {
        let counter = match ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => &mut self.imported_functions,
            TypeRef::Table(_) => &mut self.imported_tables,
            TypeRef::Memory(_) => &mut self.imported_memories,
            TypeRef::Global(_) => &mut self.imported_globals,
            TypeRef::Tag(_) => &mut self.imported_tags,
        };
        *counter = counter.saturating_add(times).min(MAX_COUNT);
    }

    /// Size of an instance of the module.
    pub(super) fn size(&self) -> InstanceSize {
        let functions = self.imported_functions.saturating_add(self.functions);
        let offsets = VMOffsets::from(VMOffsetsFields {
            ptr: HostPtr,
            num_imported_functions: self.imported_functions,
            num_imported_tables: self.imported_tables,
            num_imported_memories: self.imported_memories,
            num_imported_globals: self.imported_globals,
            num_imported_tags: self.imported_tags,
            num_defined_tables: self.tables,
            num_defined_memories: self.memories,
            num_owned_memories: self.memories,
            num_defined_globals: self.globals,
            num_defined_tags: self.tags,
            num_escaped_funcs: self.references.min(functions),
            num_runtime_data: self.data,
            has_startup_func: true,
        });
        InstanceSize {
            parts: 0,
            core_instances: 1,
            context_bytes: CONTEXT_BYTES + u64::from(offsets.size_of_vmctx()),
        }
    }
}

/// Number of items in a section, each of which takes at least a byte.
fn count<T>(section: &SectionLimited<'_, T>) -> u32 {
    let range = section.range();
    let bytes = u32::try_from(range.end - range.start).unwrap_or(u32::MAX);
    section.count().min(bytes).min(MAX_COUNT)
}
