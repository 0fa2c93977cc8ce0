//! Flattening: a component as a flat list of core instances, by wasmtime's translation.
//!
//! Nested components disappear, and each call between parts becomes a small core module, an
//! adapter, which copies arguments and results between two memories. The adapters are
//! those of wasmtime, so that a fused component copies exactly as wasmtime would.

pub(crate) mod flat;

use std::collections::HashMap;

use wasmtime_environ::component::{
    CanonicalOptions, CanonicalOptionsDataModel, Component, ComponentTranslation, ComponentTypes,
    ComponentTypesBuilder, CoreDef, Export, ExportItem, FixedEncoding, GlobalInitializer,
    InstantiateModule, OptionsIndex, RuntimeImportIndex, Trampoline, TrampolineIndex, Transcode,
    Translator, TypeDef,
};
use wasmtime_environ::wasmparser::{Validator, WasmFeatures};
use wasmtime_environ::{
    EntityIndex, EntityRef, ModuleTranslation, PrimaryMap, ScopeVec, StaticModuleIndex, Tunables,
};

use crate::FuseError;
use flat::{Def, Exported, Flat, HostFunction, ImportPath, Instance, Item, Options, resource};

/// Flattens a component.
pub(crate) fn flatten(bytes: &[u8]) -> Result<Flat, FuseError> {
    // With exceptions, each call between parts needs a handler, and with asynchronous
    // functions a task. Components that use either are rejected.
    let unused = WasmFeatures::EXCEPTIONS.union(WasmFeatures::CM_ASYNC);
    let features = WasmFeatures::default() & !unused;
    let mut validator = Validator::new_with_features(features);
    let mut types = ComponentTypesBuilder::new(&validator);
    let mut tunables = Tunables::default_u64();
    // Without it, adapters only copy values.
    tunables.concurrency_support = false;
    let adapters = ScopeVec::new();
    let (translation, modules) = Translator::new(&tunables, &mut validator, &mut types, &adapters)
        .translate(bytes)
        .map_err(|error| FuseError::Untranslatable(format!("{error:#}")))?;
    let (types, _) = types.finish(&translation.component);
    Reader::new(&translation, &modules, types).read()
}

/// Converts the translation of wasmtime.
struct Reader<'a> {
    translation: &'a ComponentTranslation,
    modules: &'a PrimaryMap<StaticModuleIndex, ModuleTranslation<'a>>,
    types: ComponentTypes,
    memories: Vec<Option<Item>>,
    reallocs: Vec<Option<CoreDef>>,
    post_returns: Vec<Option<CoreDef>>,
    /// The import of each lowered function.
    lowered: Vec<Option<RuntimeImportIndex>>,
    host_functions: Vec<HostFunction>,
    hosts: HashMap<TrampolineIndex, usize>,
    resources: Vec<ImportPath>,
}

impl<'a> Reader<'a> {
    fn new(
        translation: &'a ComponentTranslation,
        modules: &'a PrimaryMap<StaticModuleIndex, ModuleTranslation<'a>>,
        types: ComponentTypes,
    ) -> Self {
        let component = &translation.component;
        let resources = component.imported_resources.values();
        Self {
            resources: resources
                .map(|&index| import_path(component, index))
                .collect(),
            translation,
            modules,
            types,
            memories: Vec::new(),
            reallocs: Vec::new(),
            post_returns: Vec::new(),
            lowered: Vec::new(),
            host_functions: Vec::new(),
            hosts: HashMap::new(),
        }
    }

    fn read(mut self) -> Result<Flat, FuseError> {
        let component = &self.translation.component;
        let mut instances = Vec::new();
        // First the items that others refer to by index: a module may use a function of the
        // host before the items in its options are extracted.
        for initializer in &component.initializers {
            self.extract(initializer)?;
        }
        for initializer in &component.initializers {
            let GlobalInitializer::InstantiateModule(module, _) = initializer else {
                continue;
            };
            let InstantiateModule::Static(module, arguments) = module else {
                return Err(unsupported("it imports a core module"));
            };
            let arguments = arguments.iter().map(|def| self.def(def));
            instances.push(Instance {
                arguments: arguments.collect::<Result<_, _>>()?,
                wasm: self.modules[*module].wasm.to_vec(),
            });
        }
        let exports = component
            .exports
            .raw_iter()
            .map(|(name, (index, _))| {
                let exported = self.exported(&component.export_items[*index])?;
                Ok((name.to_string(), exported))
            })
            .collect::<Result<_, FuseError>>()?;
        Ok(Flat {
            instances,
            host_functions: self.host_functions,
            exports,
            types: self.types,
            resources: self.resources,
        })
    }

    /// Records an item that later initializers refer to by index.
    fn extract(&mut self, initializer: &GlobalInitializer) -> Result<(), FuseError> {
        match initializer {
            GlobalInitializer::InstantiateModule(..) => {}
            GlobalInitializer::LowerImport { index, import } => {
                put(&mut self.lowered, index.index(), *import);
            }
            GlobalInitializer::ExtractMemory(memory) => {
                let ExportItem::Index(index) = &memory.export.item else {
                    return Err(unsupported("it imports a core module"));
                };
                let item = Item {
                    instance: memory.export.instance.index(),
                    index: index.as_u32(),
                };
                put(&mut self.memories, memory.index.index(), item);
            }
            GlobalInitializer::ExtractRealloc(realloc) => {
                put(
                    &mut self.reallocs,
                    realloc.index.index(),
                    realloc.def.clone(),
                );
            }
            GlobalInitializer::ExtractPostReturn(post) => {
                put(&mut self.post_returns, post.index.index(), post.def.clone());
            }
            GlobalInitializer::ExtractCallback(_) | GlobalInitializer::ExtractTable(_) => {
                return Err(unsupported("it has asynchronous functions"));
            }
            GlobalInitializer::Resource(_) => {
                return Err(unsupported("a part defines a resource of its own"));
            }
        }
        Ok(())
    }

    fn def(&mut self, def: &CoreDef) -> Result<Def, FuseError> {
        match def {
            CoreDef::Export(export) => {
                let ExportItem::Index(entity) = &export.item else {
                    return Err(unsupported("it imports a core module"));
                };
                let instance = export.instance.index();
                let at = |index| Item { instance, index };
                Ok(match entity {
                    EntityIndex::Function(index) => Def::Func(at(index.as_u32())),
                    EntityIndex::Table(index) => Def::Table(at(index.as_u32())),
                    EntityIndex::Memory(index) => Def::Memory(at(index.as_u32())),
                    EntityIndex::Global(index) => Def::Global(at(index.as_u32())),
                    EntityIndex::Tag(_) => return Err(unsupported("it has exceptions")),
                })
            }
            CoreDef::InstanceFlags(instance) => Ok(Def::MayLeave(instance.as_u32())),
            CoreDef::Trampoline(index) => self.trampoline(*index),
            CoreDef::UnsafeIntrinsic(_) | CoreDef::TaskMayBlock => {
                Err(unsupported("it has asynchronous functions"))
            }
        }
    }

    fn trampoline(&mut self, index: TrampolineIndex) -> Result<Def, FuseError> {
        if let Some(&host) = self.hosts.get(&index) {
            return Ok(Def::Host(host));
        }
        let function = match &self.translation.trampolines[index] {
            Trampoline::LowerImport { index, options, .. } => {
                let import = self.lowered[index.index()].ok_or_else(FuseError::incomplete)?;
                HostFunction::Lower {
                    import: import_path(&self.translation.component, import),
                    options: self.options(*options)?,
                }
            }
            Trampoline::ResourceDrop { ty, .. } => HostFunction::DropResource {
                resource: resource(&self.types, &self.resources, *ty)
                    .cloned()
                    .ok_or_else(FuseError::incomplete)?,
            },
            Trampoline::Transcoder {
                op,
                from,
                to,
                from64: false,
                to64: false,
            } => {
                if !matches!(op, Transcode::Copy(FixedEncoding::Utf8)) {
                    return Err(unsupported(
                        "two of its parts exchange strings that are not UTF-8",
                    ));
                }
                let memory = |index: usize| self.memories[index].ok_or_else(FuseError::incomplete);
                return Ok(Def::CopyUtf8 {
                    from: memory(from.index())?,
                    to: memory(to.index())?,
                });
            }
            Trampoline::Trap => return Ok(Def::Trap),
            Trampoline::ResourceTransferOwn
            | Trampoline::ResourceTransferBorrow
            | Trampoline::EnterSyncCall
            | Trampoline::ExitSyncCall => {
                return Err(unsupported("one of its parts passes a resource to another"));
            }
            Trampoline::ResourceNew { .. } | Trampoline::ResourceRep { .. } => {
                return Err(unsupported("a part defines a resource of its own"));
            }
            Trampoline::Transcoder { .. } => {
                return Err(unsupported("it has a memory of 64 bits"));
            }
            _ => return Err(unsupported("it has asynchronous functions")),
        };
        let host = self.host_functions.len();
        self.host_functions.push(function);
        self.hosts.insert(index, host);
        Ok(Def::Host(host))
    }

    fn options(&mut self, index: OptionsIndex) -> Result<Options, FuseError> {
        let options: &CanonicalOptions = &self.translation.component.options[index];
        if options.async_ || options.callback.is_some() {
            return Err(unsupported("it has asynchronous functions"));
        }
        let (memory, realloc) = match options.data_model {
            CanonicalOptionsDataModel::Gc {} => {
                return Err(unsupported("it passes values as garbage-collected objects"));
            }
            CanonicalOptionsDataModel::LinearMemory(linear) => (linear.memory, linear.realloc),
        };
        let core = |list: &[Option<CoreDef>], index: usize| {
            list[index].clone().ok_or_else(FuseError::incomplete)
        };
        let realloc = realloc.map(|index| core(&self.reallocs, index.index()));
        let post_return = options
            .post_return
            .map(|index| core(&self.post_returns, index.index()));
        Ok(Options {
            memory: memory
                .map(|index| self.memories[index.index()].ok_or_else(FuseError::incomplete))
                .transpose()?,
            realloc: realloc.map(|def| self.def(&def?)).transpose()?,
            post_return: post_return.map(|def| self.def(&def?)).transpose()?,
            encoding: options.string_encoding,
        })
    }

    fn exported(&mut self, export: &Export) -> Result<Exported, FuseError> {
        Ok(match export {
            Export::LiftedFunction { ty, func, options } => Exported::Function {
                ty: *ty,
                core: self.def(func)?,
                options: self.options(*options)?,
            },
            Export::Instance { exports, .. } => {
                let items = &self.translation.component.export_items;
                let exports = exports
                    .raw_iter()
                    .map(|(name, (index, _))| {
                        Ok((name.to_string(), self.exported(&items[*index])?))
                    })
                    .collect::<Result<_, FuseError>>()?;
                Exported::Instance(exports)
            }
            Export::Type(TypeDef::Interface(ty)) => Exported::Type(*ty),
            Export::Type(TypeDef::Resource(ty)) => {
                let path = resource(&self.types, &self.resources, *ty).cloned();
                Exported::Resource(path.ok_or(unsupported("it exports a resource of its own"))?)
            }
            Export::Type(_) => return Err(unsupported("it exports a type of an unknown kind")),
            Export::ModuleStatic { .. } | Export::ModuleImport { .. } => {
                return Err(unsupported("it exports a core module"));
            }
        })
    }
}

fn import_path(component: &Component, index: RuntimeImportIndex) -> ImportPath {
    let (import, path) = &component.imports[index];
    (component.import_types[*import].0.clone(), path.clone())
}

/// Sets an element of a list, which grows if necessary.
fn put<T>(list: &mut Vec<Option<T>>, index: usize, value: T) {
    if list.len() <= index {
        list.resize_with(index + 1, || None);
    }
    list[index] = Some(value);
}

fn unsupported(feature: &'static str) -> FuseError {
    FuseError::Unsupported(feature)
}
