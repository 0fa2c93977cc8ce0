//! The component around the fused modules: what it imports, how that becomes
//! core functions, and what it exports.

use std::collections::HashMap;
use std::ops::Range;

use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection,
    ComponentExportKind, ComponentExportSection, ComponentInstanceSection, ComponentSectionId,
    ComponentTypeSection, ExportKind, InstanceSection, ModuleArg, NestedComponentSection,
    RawSection,
};
use wasmparser::{ComponentAlias, ComponentExternalKind, ComponentTypeRef, Parser, Payload};
use wasmtime_environ::component::StringEncoding;

use super::FuseError;
use super::code::{self, HOST, MEMORIES};
use super::flat::{Def, Exported, Flat, HostFunction, ImportPath, Options};
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
    let mut outside = Outside::with_imports_of(original)?;
    outside.instantiate_memories(&modules.memories, layout);
    let host = outside.lower_all(flat, layout)?;
    outside.instantiate_code(&modules.code, &host);
    let mut types = Types::new(flat);
    let mut exports = ComponentExportSection::new();
    for (name, exported) in &flat.exports {
        let (kind, index) = outside.export(exported, &mut types, layout)?;
        exports.export(name.as_str(), kind, index, None);
    }
    outside.component.section(&exports);
    Ok(outside.component.finish())
}

/// A component in the making, and how much of everything it has.
struct Outside {
    component: Component,
    types: u32,
    instances: u32,
    functions: u32,
    components: u32,
    core_functions: u32,
    core_memories: u32,
    core_instances: u32,
    /// The instances and functions that are imported.
    imports: HashMap<String, (ComponentExportKind, u32)>,
    /// The resource types that were needed so far.
    resources: HashMap<ImportPath, u32>,
}

/// The core instance of the memories is the first to be made, the code the last.
const MEMORIES_INSTANCE: u32 = 0;

impl Outside {
    /// Begins a component with the imports of another, as they are.
    ///
    /// Toolchains put the imports, and the types that these need, before all
    /// else. A component that does not is refused.
    fn with_imports_of(original: &[u8]) -> Result<Self, FuseError> {
        let mut outside = Self {
            component: Component::new(),
            types: 0,
            instances: 0,
            functions: 0,
            components: 0,
            core_functions: 0,
            core_memories: 0,
            core_instances: 0,
            imports: HashMap::new(),
            resources: HashMap::new(),
        };
        // Nested modules and components, and how deep they lie.
        let (mut depth, mut in_head) = (0_u32, true);
        for payload in Parser::new(0).parse_all(original) {
            let payload = payload.map_err(FuseError::Unreadable)?;
            match payload {
                Payload::Version { .. } | Payload::CustomSection(_) => {}
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                    depth += 1;
                    in_head = false;
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                Payload::ComponentImportSection(_) if !in_head => return Err(absent()),
                payload if in_head => in_head = outside.copy_section(original, payload)?,
                _ => {}
            }
        }
        Ok(outside)
    }

    /// Copies a section of imports, or of what these need. Anything else ends
    /// the head, and is left.
    fn copy_section(&mut self, original: &[u8], section: Payload<'_>) -> Result<bool, FuseError> {
        match section {
            Payload::ComponentTypeSection(section) => {
                self.types += section.count();
                self.copy(original, ComponentSectionId::Type, section.range());
            }
            Payload::ComponentImportSection(section) => {
                let range = section.range();
                for import in section {
                    let import = import.map_err(FuseError::Unreadable)?;
                    self.note_import(import.name.name, import.ty)?;
                }
                self.copy(original, ComponentSectionId::Import, range);
            }
            Payload::ComponentAliasSection(section) => {
                let range = section.range();
                let aliases = section.into_iter().collect::<Result<Vec<_>, _>>();
                let aliases = aliases.map_err(FuseError::Unreadable)?;
                let kinds = aliases.iter().map(|alias| match alias {
                    ComponentAlias::InstanceExport { kind, .. } => Some(*kind),
                    _ => None,
                });
                let Some(kinds) = kinds.collect::<Option<Vec<_>>>() else {
                    return Ok(false);
                };
                for kind in kinds {
                    match kind {
                        ComponentExternalKind::Type => self.types += 1,
                        ComponentExternalKind::Instance => self.instances += 1,
                        ComponentExternalKind::Func => self.functions += 1,
                        _ => return Err(absent()),
                    }
                }
                self.copy(original, ComponentSectionId::Alias, range);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn copy(&mut self, original: &[u8], id: ComponentSectionId, range: Range<u64>) {
        let at = |offset: u64| usize::try_from(offset).unwrap_or(original.len());
        let data = &original[at(range.start)..at(range.end)];
        let id = id.into();
        self.component.section(&RawSection { id, data });
    }

    fn note_import(&mut self, name: &str, ty: ComponentTypeRef) -> Result<(), FuseError> {
        let (kind, next) = match ty {
            ComponentTypeRef::Instance(_) => (ComponentExportKind::Instance, &mut self.instances),
            ComponentTypeRef::Func(_) => (ComponentExportKind::Func, &mut self.functions),
            ComponentTypeRef::Type(_) => (ComponentExportKind::Type, &mut self.types),
            ComponentTypeRef::Module(_)
            | ComponentTypeRef::Component(_)
            | ComponentTypeRef::Value(_) => {
                return Err(FuseError::Unsupported(
                    "it imports something other than functions and types",
                ));
            }
        };
        self.imports.insert(name.to_owned(), (kind, *next));
        *next += 1;
        Ok(())
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
            self.core_memories += 1;
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
        self.component.section(&aliases);
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
                            slot.map(count).ok_or_else(absent)
                        };
                        section.lower(function, canonical(options, realloc, layout)?);
                    }
                    HostFunction::DropResource { resource } => {
                        section.resource_drop(Scope::resource(self, resource)?);
                    }
                }
                self.component.section(&section);
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
        self.component.section(&section);
        let functions = self.core_instances;
        self.core_instances += 1;
        self.instantiate(module, &[(MEMORIES, MEMORIES_INSTANCE), (HOST, functions)]);
    }

    fn instantiate(&mut self, module: &[u8], arguments: &[(&str, u32)]) {
        let id = ComponentSectionId::CoreModule.into();
        self.component.section(&RawSection { id, data: module });
        // The memories are the first module, the code is the second.
        let module = u32::from(self.core_instances > 0);
        let arguments = arguments
            .iter()
            .map(|&(name, instance)| (name, ModuleArg::Instance(instance)));
        let mut section = InstanceSection::new();
        section.instantiate(module, arguments.collect::<Vec<_>>());
        self.component.section(&section);
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
                let mut canonical = canonical(options, |_| realloc.ok_or_else(absent), layout)?;
                canonical.extend(post_return.map(CanonicalOption::PostReturn));
                let mut section = CanonicalFunctionSection::new();
                section.lift(function, ty, canonical);
                self.component.section(&section);
                self.functions += 1;
                Ok((ComponentExportKind::Func, self.functions - 1))
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
        self.component.section(&aliases);
        self.core_functions += 1;
        self.core_functions - 1
    }

    /// The index of something that is imported.
    fn imported(
        &mut self,
        (name, path): &ImportPath,
        kind: ComponentExportKind,
    ) -> Result<u32, FuseError> {
        let &(mut found, mut index) = self.imports.get(name).ok_or_else(absent)?;
        for (place, name) in (1..).zip(path) {
            let instance = index;
            (found, index) = if place < path.len() {
                self.instances += 1;
                (ComponentExportKind::Instance, self.instances - 1)
            } else {
                let next = match kind {
                    ComponentExportKind::Type => &mut self.types,
                    _ => &mut self.functions,
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
            self.component.section(&aliases);
        }
        if found == kind {
            Ok(index)
        } else {
            Err(absent())
        }
    }

    fn instantiate_interface(
        &mut self,
        component: &Component,
        arguments: Vec<(String, ComponentExportKind, u32)>,
    ) -> (ComponentExportKind, u32) {
        self.component.section(&NestedComponentSection(component));
        let mut section = ComponentInstanceSection::new();
        section.instantiate(self.components, arguments);
        self.component.section(&section);
        self.components += 1;
        self.instances += 1;
        (ComponentExportKind::Instance, self.instances - 1)
    }
}

impl Scope for Outside {
    fn add_type(&mut self, section: &ComponentTypeSection) -> u32 {
        self.component.section(section);
        self.types += 1;
        self.types - 1
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

/// The component refers to something that is not among its imports.
fn absent() -> FuseError {
    FuseError::Unsupported("its imports do not come before its parts")
}
