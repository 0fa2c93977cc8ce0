//! World of a component: its imports and exports, read before compilation.
//!
//! Only types are validated, which takes milliseconds where compilation takes seconds. The compiler
//! reports all other errors.

use std::collections::HashSet;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmparser::component_types::{
    ComponentDefinedType, ComponentEntityType, ComponentValType, ResourceId,
};
use wasmparser::types::TypesRef;
use wasmparser::{
    ComponentExportSectionReader, ComponentImportSectionReader, Parser, Payload, ValidPayload,
    Validator, WasmFeatures,
};

pub(super) use nesting::check_nesting;
use types::{handles_async, is_definition, resource};

use super::error::LoadError;
use super::imports;
use crate::adapter::{AdaptError, NoAdapter};
use crate::wasi_version::WasiVersion;

/// The interface of an HTTP handler of WASI 0.2, and its function.
const HANDLER: (&str, &str) = ("wasi:http/incoming-handler", "handle");

/// The interface of an HTTP handler of WASI 0.3, whose function has the same name.
const HANDLER_03: &str = "wasi:http/handler";

/// The interface of the resources that the handler takes, and their names.
const TYPES: (&str, [&str; 2]) = ("wasi:http/types", ["incoming-request", "response-outparam"]);

/// The interface of a command.
const COMMAND: &str = "wasi:cli/run";

/// The imports and exports of a component.
#[derive(Debug, Default)]
pub(super) struct World {
    imports: Vec<Import>,
    exports: Vec<Export>,
    /// The resources that imports have defined so far.
    resources: HashSet<ResourceId>,
    /// The resources that a handler takes, for each version of their interface.
    handler_resources: [HashSet<ResourceId>; 2],
    /// Whether the whole component could be read.
    is_complete: bool,
    /// Whether types are nested too deeply.
    is_too_deep: bool,
}

#[derive(Debug)]
struct Import {
    name: String,
    kind: ImportKind,
}

/// What the host has to provide for an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ImportKind {
    /// Nothing: the import refers to existing types.
    TypesOnly,
    /// An interface or a function.
    Implementation,
    /// A core module or a component.
    Code,
}

#[derive(Debug)]
struct Export {
    name: String,
    is_definition: bool,
    /// Whether it is an interface with a valid `handle` function of WASI 0.2.
    handles: bool,
    /// Whether it is an interface with an asynchronous `handle` function, as WASI 0.3 has it.
    handles_async: bool,
}

impl World {
    /// Reads the world of the component in `bytes`, as far as possible.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut world = Self::default();
        // The validator panics at types that are nested too deeply. Its state is dropped, and only
        // names of the world are used then.
        let read = catch_unwind(AssertUnwindSafe(|| world.read(bytes)));
        world.is_complete = matches!(read, Ok(Ok(())));
        world.is_too_deep = read.is_err();
        world
    }

    fn read(&mut self, bytes: &[u8]) -> wasmparser::Result<()> {
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            match &payload {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
            // Names are collected even if the types are invalid.
            let (imports, exports) = (self.imports.len(), self.exports.len());
            match &payload {
                Payload::ComponentImportSection(section) if depth == 1 => {
                    self.add_imports(section.clone())?;
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    self.add_exports(section.clone())?;
                }
                _ => {}
            }
            // The compiler validates function bodies.
            if let ValidPayload::Func(..) = validator.payload(&payload)? {
                continue;
            }
            if let Some(types) = validator.types(0).filter(|_| depth == 1) {
                self.resolve_types(types, imports, exports);
            }
        }
        Ok(())
    }

    fn add_imports(&mut self, section: ComponentImportSectionReader<'_>) -> wasmparser::Result<()> {
        for import in section {
            self.imports.push(Import {
                name: import?.name.name.to_owned(),
                kind: ImportKind::Implementation,
            });
        }
        Ok(())
    }

    fn add_exports(&mut self, section: ComponentExportSectionReader<'_>) -> wasmparser::Result<()> {
        for export in section {
            self.exports.push(Export {
                name: export?.name.name.to_owned(),
                is_definition: false,
                handles: false,
                handles_async: false,
            });
        }
        Ok(())
    }

    /// Sets the types of the imports and exports from these indices on.
    fn resolve_types(&mut self, types: TypesRef<'_>, imports: usize, exports: usize) {
        for index in imports..self.imports.len() {
            let name = &self.imports[index].name;
            let Some(item) = types.component_item_for_import(name) else {
                continue;
            };
            if let (true, ComponentEntityType::Instance(id)) =
                (is_interface(name, TYPES.0), item.ty)
            {
                let exports = &types[id].exports;
                for (name, known) in TYPES.1.iter().zip(&mut self.handler_resources) {
                    let ty = exports.get(*name).map(|item| item.ty);
                    known.extend(ty.and_then(resource));
                }
            }
            self.imports[index].kind = self.import_kind(types, item.ty);
        }
        for index in exports..self.exports.len() {
            let name = &self.exports[index].name;
            let Some(item) = types.component_item_for_export(name) else {
                continue;
            };
            let handles = self.handles(types, item.ty);
            let export = &mut self.exports[index];
            export.handles = handles;
            export.handles_async = handles_async(types, item.ty);
            export.is_definition = is_definition(item.ty);
        }
    }

    /// What the host has to provide for an import of this type. Resources of earlier imports exist
    /// already.
    fn import_kind(&mut self, types: TypesRef<'_>, ty: ComponentEntityType) -> ImportKind {
        match ty {
            ComponentEntityType::Module(_) | ComponentEntityType::Component(_) => ImportKind::Code,
            ComponentEntityType::Func(_) | ComponentEntityType::Value(_) => {
                ImportKind::Implementation
            }
            ComponentEntityType::Type { .. } => match resource(ty) {
                Some(resource) if self.resources.insert(resource) => ImportKind::Implementation,
                _ => ImportKind::TypesOnly,
            },
            ComponentEntityType::Instance(id) => {
                let items = types[id].exports.values();
                let kinds: Vec<_> = items.map(|item| self.import_kind(types, item.ty)).collect();
                let is_needed = |kind: &&ImportKind| **kind != ImportKind::TypesOnly;
                kinds
                    .iter()
                    .find(is_needed)
                    .copied()
                    .unwrap_or(ImportKind::TypesOnly)
            }
        }
    }

    /// Whether this is an interface with a function that takes a request and a response-outparam.
    fn handles(&self, types: TypesRef<'_>, ty: ComponentEntityType) -> bool {
        let ComponentEntityType::Instance(id) = ty else {
            return false;
        };
        let handle = types[id].exports.get(HANDLER.1).map(|item| item.ty);
        let Some(ComponentEntityType::Func(id)) = handle else {
            return false;
        };
        let function = &types[id];
        let owned = function.params.iter().map(|(_, ty)| match ty {
            ComponentValType::Type(id) => match &types[*id] {
                ComponentDefinedType::Own(resource) => Some(resource.resource()),
                _ => None,
            },
            ComponentValType::Primitive(_) => None,
        });
        let owned: Vec<_> = owned.collect();
        let fits = |(owned, known): (&Option<ResourceId>, &HashSet<ResourceId>)| {
            owned.is_some_and(|resource| known.contains(&resource))
        };
        !function.async_
            && function.result.is_none()
            && owned.len() == self.handler_resources.len()
            && owned.iter().zip(&self.handler_resources).all(fits)
    }

    /// Whether the component exports a handler.
    pub(super) fn serves_http(&self) -> bool {
        self.handler().is_some() || self.handler_03().is_some()
    }

    /// The version of WASI of its handler. One of 0.2 is preferred: it costs less.
    pub(super) fn wasi_version(&self) -> WasiVersion {
        match self.handler() {
            None if self.handler_03().is_some() => WasiVersion::V03,
            _ => WasiVersion::V02,
        }
    }

    fn handler_03(&self) -> Option<&Export> {
        let mut exports = self.exports.iter();
        exports.find(|export| is_interface_03(&export.name, HANDLER_03))
    }

    fn handler(&self) -> Option<&Export> {
        let mut exports = self.exports.iter();
        exports.find(|export| is_interface(&export.name, HANDLER.0))
    }

    /// Checks that it is a component with code.
    ///
    /// # Errors
    ///
    /// Fails for WIT packages, and for unreadable components of a draft of WASI 0.3.
    pub(super) fn check_kind(&self) -> Result<(), LoadError> {
        if self.is_too_deep {
            return Err(LoadError::TooDeepTypes);
        }
        let names = self.imports.iter().map(|import| &import.name);
        let mut names = names.chain(self.exports.iter().map(|export| &export.name));
        let draft = names.find(|name| name.contains("@0.3.0-"));
        if let Some(draft) = draft.filter(|_| !self.is_complete) {
            return Err(LoadError::Draft(draft.clone()));
        }
        let mut exports = self.exports.iter();
        let is_package = !self.exports.is_empty()
            && self.imports.is_empty()
            && exports.all(|export| export.is_definition);
        if self.is_complete && is_package {
            return Err(LoadError::WitPackage);
        }
        Ok(())
    }

    /// Checks that it is not a command.
    ///
    /// # Errors
    ///
    /// Fails if it exports the interface of a command, and no handler.
    pub(super) fn check_command(&self) -> Result<(), LoadError> {
        let mut exports = self.exports.iter();
        let command = exports.find(|export| {
            is_interface(&export.name, COMMAND) || is_interface_03(&export.name, COMMAND)
        });
        match command {
            Some(export) if !self.serves_http() => Err(LoadError::Command(export.name.clone())),
            _ => Ok(()),
        }
    }

    /// Checks that it serves HTTP, where no adapter is registered.
    ///
    /// # Errors
    ///
    /// Names its exports.
    pub(super) fn check_without_adapters(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.serves_http() || !self.is_complete {
            return Ok(());
        }
        self.check_command()?;
        let exports = self.exports.iter().map(|export| export.name.clone());
        Err(AdaptError::NoAdapter(NoAdapter::without_adapters(exports.collect())).into())
    }

    /// Checks that it serves HTTP, and that this server provides all of its imports, apart from the
    /// next handler of a middleware that `has_next`.
    ///
    /// # Errors
    ///
    /// Names the missing import, or the mismatch of types.
    pub(super) fn check(&self, has_next: bool) -> Result<(), LoadError> {
        self.check_kind()?;
        if !self.is_complete {
            return Ok(());
        }
        self.check_command()?;
        let Some(handler) = self.handler().or_else(|| self.handler_03()) else {
            let exports = self.exports.iter().map(|export| export.name.clone());
            return Err(LoadError::NoHandler(exports.collect()));
        };
        let is_next = |import: &Import| {
            is_interface(&import.name, HANDLER.0) || is_interface_03(&import.name, HANDLER_03)
        };
        match self.imports.iter().find(|import| is_next(import)) {
            Some(next) if !has_next => return Err(LoadError::Middleware(next.name.clone())),
            None if has_next => return Err(LoadError::NoNext),
            _ => {}
        }
        let mut imports = self.imports.iter();
        if imports.any(|import| import.kind == ImportKind::Code) {
            return Err(LoadError::ImportsModule);
        }
        let imports = self.imports.iter();
        let needed = imports.filter(|import| import.kind == ImportKind::Implementation);
        let missing: Vec<_> = needed
            .filter(|import| !imports::is_provided(&import.name) && !is_next(import))
            .map(|import| imports::missing(&import.name))
            .collect();
        if !missing.is_empty() {
            return Err(LoadError::MissingImports(missing));
        }
        let is_valid = match self.wasi_version() {
            WasiVersion::V02 => handler.handles,
            WasiVersion::V03 => handler.handles_async,
        };
        is_valid.then_some(()).ok_or(LoadError::OtherHandler)
    }
}

/// Whether `name` is this interface of a released version of WASI 0.2.
fn is_interface(name: &str, interface: &str) -> bool {
    is_on_track(name, interface, "0.2.")
}

/// Whether `name` is this interface of a released version of WASI 0.3.
fn is_interface_03(name: &str, interface: &str) -> bool {
    is_on_track(name, interface, "0.3.")
}

fn is_on_track(name: &str, interface: &str, track: &str) -> bool {
    let (without_version, version) = name.split_once('@').unwrap_or((name, ""));
    without_version == interface && version.starts_with(track) && !version.contains('-')
}

mod nesting;
#[cfg(test)]
mod tests;
mod types;
