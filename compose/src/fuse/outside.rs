//! The component around the fused modules: what it imports, how that becomes
//! core functions, and what it exports.

use std::collections::HashMap;

use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection,
    ComponentExportKind, ComponentExportSection, ComponentInstanceSection, ComponentSectionId,
    ComponentTypeSection, ExportKind, InstanceSection, ModuleArg, NestedComponentSection,
    RawSection,
};
use wasmtime_environ::component::StringEncoding;

use super::FuseError;
use super::code::{self, HOST, MEMORIES};
use super::flat::{Def, Exported, Flat, HostFunction, ImportPath, Options};
use super::head::{Head, scattered};
use super::interface::{self, Interface};
use super::layout::Layout;
use super::memories::{self, realloc_name};
use super::module::count;
use super::types::{Scope, Types};

/// The two core modules.
pub(super) struct Modules {
    pub(super) memories: Vec<u8>,
    pub(super) code: Vec<u8>,
}

/// Every function of the fused module that the component refers to.
pub(super) fn used_functions(flat: &Flat, layout: &Layout) -> Result<Vec<u32>, FuseError> {
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
pub(super) fn encode(
    original: &[u8],
    flat: &Flat,
    layout: &Layout,
    modules: &Modules,
) -> Result<Vec<u8>, FuseError> {
    let mut outside = Outside::new(Head::of(original)?);
    outside.instantiate_memories(&modules.memories, layout);
    let host = outside.lower_all(flat, layout)?;
    outside.instantiate_code(&modules.code, &host);
    let mut types = Types::new(flat);
    let mut exports = ComponentExportSection::new();
    for (name, exported) in &flat.exports {
        let (kind, index) = outside.export(exported, &mut types, layout)?;
        exports.export(name.as_str(), kind, index, None);
    }
    outside.head.component.section(&exports);
    Ok(outside.head.component.finish())
}

/// A component in the making, and how much of everything it has.
struct Outside {
    head: Head,
    components: u32,
    core_functions: u32,
    core_instances: u32,
    /// The resource types that were needed so far.
    resources: HashMap<ImportPath, u32>,
}

/// The core instance of the memories is the first to be made, the code the last.
const MEMORIES_INSTANCE: u32 = 0;

impl Outside {
    fn new(head: Head) -> Self {
        Self {
            head,
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
        self.head.component.section(&aliases);
    }

    /// Makes core functions of everything that the code needs from the host.
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
                            slot.map(count).ok_or_else(scattered)
                        };
                        section.lower(function, canonical(options, realloc, layout)?);
                    }
                    HostFunction::DropResource { resource } => {
                        section.resource_drop(Scope::resource(self, resource)?);
                    }
                }
                self.head.component.section(&section);
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
        self.head.component.section(&section);
        let functions = self.core_instances;
        self.core_instances += 1;
        self.instantiate(module, &[(MEMORIES, MEMORIES_INSTANCE), (HOST, functions)]);
    }

    fn instantiate(&mut self, module: &[u8], arguments: &[(&str, u32)]) {
        let id = ComponentSectionId::CoreModule.into();
        self.head
            .component
            .section(&RawSection { id, data: module });
        // The memories are the first module, the code is the second.
        let module = u32::from(self.core_instances > 0);
        let arguments = arguments
            .iter()
            .map(|&(name, instance)| (name, ModuleArg::Instance(instance)));
        let mut section = InstanceSection::new();
        section.instantiate(module, arguments.collect::<Vec<_>>());
        self.head.component.section(&section);
        self.core_instances += 1;
    }

    /// Makes something that the component can export.
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
                let mut canonical = canonical(options, |_| realloc.ok_or_else(scattered), layout)?;
                canonical.extend(post_return.map(CanonicalOption::PostReturn));
                let mut section = CanonicalFunctionSection::new();
                section.lift(function, ty, canonical);
                self.head.component.section(&section);
                self.head.functions += 1;
                Ok((ComponentExportKind::Func, self.head.functions - 1))
            }
            Exported::Instance(exports) => {
                let mut interface = Interface::new(types.flat());
                let mut arguments = Vec::new();
                for (name, exported) in exports {
                    let (kind, index) = self.export(exported, types, layout)?;
                    arguments.push((interface::import_name(name), kind, index));
                }
                interface.pass(exports)?;
                for (place, path) in interface.resources().enumerate() {
                    let ty = Scope::resource(self, path)?;
                    let name = interface::resource_name(place);
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

    /// A function of the fused module as a core function of the component.
    fn code_function(&mut self, function: u32) -> u32 {
        let mut aliases = ComponentAliasSection::new();
        let name = code::function_name(function);
        alias_core(
            &mut aliases,
            self.core_instances - 1,
            ExportKind::Func,
            &name,
        );
        self.head.component.section(&aliases);
        self.core_functions += 1;
        self.core_functions - 1
    }

    /// The index of something that is imported.
    fn imported(
        &mut self,
        (name, path): &ImportPath,
        kind: ComponentExportKind,
    ) -> Result<u32, FuseError> {
        let &(mut found, mut index) = self.head.imports.get(name).ok_or_else(scattered)?;
        for (place, name) in (1..).zip(path) {
            let instance = index;
            (found, index) = if place < path.len() {
                self.head.instances += 1;
                (ComponentExportKind::Instance, self.head.instances - 1)
            } else {
                let next = match kind {
                    ComponentExportKind::Type => &mut self.head.types,
                    _ => &mut self.head.functions,
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
            self.head.component.section(&aliases);
        }
        if found == kind {
            Ok(index)
        } else {
            Err(scattered())
        }
    }

    fn instantiate_interface(
        &mut self,
        component: &Component,
        arguments: Vec<(String, ComponentExportKind, u32)>,
    ) -> (ComponentExportKind, u32) {
        self.head
            .component
            .section(&NestedComponentSection(component));
        let mut section = ComponentInstanceSection::new();
        section.instantiate(self.components, arguments);
        self.head.component.section(&section);
        self.components += 1;
        self.head.instances += 1;
        (ComponentExportKind::Instance, self.head.instances - 1)
    }
}

impl Scope for Outside {
    fn add_type(&mut self, section: &ComponentTypeSection) -> u32 {
        self.head.component.section(section);
        self.head.types += 1;
        self.head.types - 1
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
