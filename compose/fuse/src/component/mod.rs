//! The component around the two core modules: imports, core functions made from them, and
//! exports.
//!
//! - [`imports`]: the imports of the original component
//! - [`interface`]: an exported interface with named types
//! - [`types`]: the types of exports

mod imports;
mod interface;
mod types;

use std::collections::HashMap;

use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection,
    ComponentExportKind, ComponentExportSection, ComponentInstanceSection, ComponentSectionId,
    ComponentTypeSection, ExportKind, InstanceSection, ModuleArg, NestedComponentSection,
    RawSection,
};
use wasmtime_environ::component::StringEncoding;

use crate::FuseError;
use crate::core_modules::code::{self, HOST, MEMORIES};
use crate::core_modules::memories::{self, realloc_name};
use crate::flatten::flat::{Def, Exported, Flat, HostFunction, ImportPath, Options};
use crate::layout::Layout;
use crate::module::count;
use imports::{Imports, scattered_imports};
use interface::Interface;
use types::{Scope, Types};

/// The two core modules.
pub(crate) struct CoreModules {
    pub(crate) memories: Vec<u8>,
    pub(crate) code: Vec<u8>,
}

/// The functions of the fused module that the component refers to.
pub(crate) fn used_functions(flat: &Flat, layout: &Layout) -> Result<Vec<u32>, FuseError> {
    fn collect(exported: &Exported, functions: &mut Vec<Def>) {
        match exported {
            Exported::Function { core, options, .. } => {
                functions.push(*core);
                functions.extend(options.realloc);
                functions.extend(options.post_return);
            }
            Exported::Instance(exports) => {
                for (_, export) in exports {
                    collect(export, functions);
                }
            }
            Exported::Type(_) | Exported::Resource(_) => {}
        }
    }
    let mut used = Vec::new();
    for (_, exported) in &flat.exports {
        collect(exported, &mut used);
    }
    let mut functions = used
        .into_iter()
        .map(|def| layout.function(def))
        .collect::<Result<Vec<_>, _>>()?;
    functions.sort_unstable();
    functions.dedup();
    Ok(functions)
}

/// Encodes the component. Its imports are those of `original`.
pub(crate) fn encode(
    original: &[u8],
    flat: &Flat,
    layout: &Layout,
    modules: &CoreModules,
) -> Result<Vec<u8>, FuseError> {
    let mut builder = Builder::new(Imports::of(original)?);
    builder.instantiate_memories(&modules.memories, layout);
    let host = builder.lower_all(flat, layout)?;
    builder.instantiate_code(&modules.code, &host);
    let mut types = Types::new(flat);
    let mut exports = ComponentExportSection::new();
    for (name, exported) in &flat.exports {
        let (kind, index) = builder.export(exported, &mut types, layout)?;
        exports.export(name.as_str(), kind, index, None);
    }
    builder.imports.component.section(&exports);
    Ok(builder.imports.component.finish())
}

/// An unfinished component, and the sizes of its index spaces.
struct Builder {
    imports: Imports,
    components: u32,
    core_functions: u32,
    core_instances: u32,
    /// The indices of the resource types in use.
    resources: HashMap<ImportPath, u32>,
}

/// The core instance of the memories; that of the code is the last one.
const MEMORIES_INSTANCE: u32 = 0;

impl Builder {
    fn new(imports: Imports) -> Self {
        Self {
            imports,
            components: 0,
            core_functions: 0,
            core_instances: 0,
            resources: HashMap::new(),
        }
    }

    fn instantiate_memories(&mut self, module: &[u8], layout: &Layout) {
        self.instantiate(module, &[]);
        let mut aliases = ComponentAliasSection::new();
        for memory in 0..count(layout.memories.len()) {
            alias_core(
                &mut aliases,
                MEMORIES_INSTANCE,
                ExportKind::Memory,
                &memories::memory_name(memory),
            );
        }
        for slot in 0..layout.reallocs.len() {
            alias_core(
                &mut aliases,
                MEMORIES_INSTANCE,
                ExportKind::Func,
                &realloc_name(slot),
            );
            self.core_functions += 1;
        }
        self.imports.component.section(&aliases);
    }

    /// Makes core functions of all functions that the code imports from the host.
    fn lower_all(&mut self, flat: &Flat, layout: &Layout) -> Result<Vec<u32>, FuseError> {
        flat.host_functions
            .iter()
            .map(|function| {
                let mut section = CanonicalFunctionSection::new();
                match function {
                    HostFunction::Lower { import, options } => {
                        let function = self.imported(import, ComponentExportKind::Func)?;
                        let realloc = |def| {
                            let function = layout.function(def)?;
                            let slot = layout.reallocs.iter().position(|&at| at == function);
                            slot.map(count).ok_or_else(scattered_imports)
                        };
                        section.lower(function, canonical(options, realloc, layout)?);
                    }
                    HostFunction::DropResource { resource } => {
                        section.resource_drop(Scope::resource(self, resource)?);
                    }
                }
                self.imports.component.section(&section);
                self.core_functions += 1;
                Ok(self.core_functions - 1)
            })
            .collect()
    }

    fn instantiate_code(&mut self, module: &[u8], host: &[u32]) {
        let names: Vec<String> = (0..host.len()).map(code::host_name).collect();
        let functions = names
            .iter()
            .zip(host)
            .map(|(name, &function)| (name.as_str(), ExportKind::Func, function));
        let mut section = InstanceSection::new();
        section.export_items(functions.collect::<Vec<_>>());
        self.imports.component.section(&section);
        let functions = self.core_instances;
        self.core_instances += 1;
        self.instantiate(module, &[(MEMORIES, MEMORIES_INSTANCE), (HOST, functions)]);
    }

    fn instantiate(&mut self, module: &[u8], arguments: &[(&str, u32)]) {
        let id = ComponentSectionId::CoreModule.into();
        self.imports
            .component
            .section(&RawSection { id, data: module });
        // Module 0 has the memories, module 1 the code.
        let module = u32::from(self.core_instances > 0);
        let arguments = arguments
            .iter()
            .map(|&(name, instance)| (name, ModuleArg::Instance(instance)));
        let mut section = InstanceSection::new();
        section.instantiate(module, arguments.collect::<Vec<_>>());
        self.imports.component.section(&section);
        self.core_instances += 1;
    }

    /// Makes an item that the component can export.
    fn export(
        &mut self,
        exported: &Exported,
        types: &mut Types<'_>,
        layout: &Layout,
    ) -> Result<(ComponentExportKind, u32), FuseError> {
        match exported {
            Exported::Function { ty, core, options } => {
                let ty = types.function(*ty, self)?;
                let function = self.code_function(layout.function(*core)?);
                let post_return = options
                    .post_return
                    .map(|def| layout.function(def))
                    .transpose()?
                    .map(|function| self.code_function(function));
                let realloc = options
                    .realloc
                    .map(|def| layout.function(def))
                    .transpose()?
                    .map(|function| self.code_function(function));
                let mut canonical =
                    canonical(options, |_| realloc.ok_or_else(scattered_imports), layout)?;
                canonical.extend(post_return.map(CanonicalOption::PostReturn));
                let mut section = CanonicalFunctionSection::new();
                section.lift(function, ty, canonical);
                self.imports.component.section(&section);
                self.imports.functions += 1;
                Ok((ComponentExportKind::Func, self.imports.functions - 1))
            }
            Exported::Instance(exports) => {
                let mut interface = Interface::new(types.flat());
                let mut arguments = Vec::new();
                for (name, exported) in exports {
                    let (kind, index) = self.export(exported, types, layout)?;
                    arguments.push((interface::import_name(name), kind, index));
                }
                interface.reexport(exports)?;
                for (position, path) in interface.resources().enumerate() {
                    let ty = Scope::resource(self, path)?;
                    let name = interface::resource_name(position);
                    arguments.push((name, ComponentExportKind::Type, ty));
                }
                Ok(self.instantiate_interface(&interface.finish(), arguments))
            }
            Exported::Type(ty) => Ok((ComponentExportKind::Type, types.defined(*ty, self)?)),
            Exported::Resource(path) => {
                Ok((ComponentExportKind::Type, Scope::resource(self, path)?))
            }
        }
    }

    /// Aliases a function of the fused module as a core function of the component.
    fn code_function(&mut self, function: u32) -> u32 {
        let mut aliases = ComponentAliasSection::new();
        let name = code::function_name(function);
        alias_core(
            &mut aliases,
            self.core_instances - 1,
            ExportKind::Func,
            &name,
        );
        self.imports.component.section(&aliases);
        self.core_functions += 1;
        self.core_functions - 1
    }

    /// The index of an imported item.
    fn imported(
        &mut self,
        (name, path): &ImportPath,
        kind: ComponentExportKind,
    ) -> Result<u32, FuseError> {
        let &(mut found, mut index) = self
            .imports
            .by_name
            .get(name)
            .ok_or_else(scattered_imports)?;
        for (place, name) in (1..).zip(path) {
            let instance = index;
            (found, index) = if place < path.len() {
                self.imports.instances += 1;
                (ComponentExportKind::Instance, self.imports.instances - 1)
            } else {
                let next = match kind {
                    ComponentExportKind::Type => &mut self.imports.types,
                    _ => &mut self.imports.functions,
                };
                *next += 1;
                (kind, *next - 1)
            };
            let mut aliases = ComponentAliasSection::new();
            aliases.alias(Alias::InstanceExport {
                instance,
                kind: found,
                name,
            });
            self.imports.component.section(&aliases);
        }
        if found == kind {
            Ok(index)
        } else {
            Err(scattered_imports())
        }
    }

    fn instantiate_interface(
        &mut self,
        component: &Component,
        arguments: Vec<(String, ComponentExportKind, u32)>,
    ) -> (ComponentExportKind, u32) {
        self.imports
            .component
            .section(&NestedComponentSection(component));
        let mut section = ComponentInstanceSection::new();
        section.instantiate(self.components, arguments);
        self.imports.component.section(&section);
        self.components += 1;
        self.imports.instances += 1;
        (ComponentExportKind::Instance, self.imports.instances - 1)
    }
}

impl Scope for Builder {
    fn add_type(&mut self, section: &ComponentTypeSection) -> u32 {
        self.imports.component.section(section);
        self.imports.types += 1;
        self.imports.types - 1
    }

    fn resource(&mut self, path: &ImportPath) -> Result<u32, FuseError> {
        if let Some(&ty) = self.resources.get(path) {
            return Ok(ty);
        }
        let ty = self.imported(path, ComponentExportKind::Type)?;
        self.resources.insert(path.clone(), ty);
        Ok(ty)
    }
}

fn alias_core(aliases: &mut ComponentAliasSection, instance: u32, kind: ExportKind, name: &str) {
    aliases.alias(Alias::CoreInstanceExport {
        instance,
        kind,
        name,
    });
}

fn canonical(
    options: &Options,
    realloc: impl FnOnce(Def) -> Result<u32, FuseError>,
    layout: &Layout,
) -> Result<Vec<CanonicalOption>, FuseError> {
    let mut canonical = vec![match options.encoding {
        StringEncoding::Utf8 => CanonicalOption::UTF8,
        StringEncoding::Utf16 => CanonicalOption::UTF16,
        StringEncoding::CompactUtf16 => CanonicalOption::CompactUTF16,
    }];
    if let Some(memory) = options.memory {
        let memory = layout.memory(Def::Memory(memory))?;
        canonical.push(CanonicalOption::Memory(memory));
    }
    if let Some(def) = options.realloc {
        canonical.push(CanonicalOption::Realloc(realloc(def)?));
    }
    Ok(canonical)
}
