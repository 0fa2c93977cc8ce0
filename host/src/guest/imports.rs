//! Checks, before the server listens, that a component can run here.

use wasm_encoder::{ComponentImportSection, ComponentTypeRef, ComponentTypeSection, InstanceType};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

/// The interface that makes a component a server of HTTP.
const HANDLER: &str = "wasi:http/incoming-handler";

/// Lists the imports of `component` that `linker` does not provide.
pub(super) fn missing_imports<T: 'static>(
    component: &Component,
    linker: &Linker<T>,
) -> Vec<String> {
    let engine = linker.engine();
    let component_type = component.component_type();
    component_type
        .imports(engine)
        .filter(|(name, item)| {
            !matches!(item.ty, ComponentItem::ComponentInstance(_)) || !provides(linker, name)
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Whether `linker` has an interface of this name, or one with a version that is
/// compatible. The linker does not tell, so this asks it to link a component
/// that imports the interface and uses nothing of it.
fn provides<T: 'static>(linker: &Linker<T>, interface: &str) -> bool {
    let mut types = ComponentTypeSection::new();
    types.instance(&InstanceType::new());
    let mut imports = ComponentImportSection::new();
    imports.import(interface, ComponentTypeRef::Instance(0));
    let mut probe = wasm_encoder::Component::new();
    probe.section(&types).section(&imports);

    Component::from_binary(linker.engine(), &probe.finish())
        .and_then(|probe| linker.instantiate_pre(&probe))
        .is_ok()
}

/// Whether the component exports the handler of WASI 0.2.
pub(super) fn exports_handler(engine: &Engine, component: &Component) -> bool {
    export_names(engine, component).iter().any(|name| {
        name.split_once('@')
            .is_some_and(|(interface, version)| interface == HANDLER && version.starts_with("0.2."))
    })
}

/// The names of all exports.
pub(super) fn export_names(engine: &Engine, component: &Component) -> Vec<String> {
    let component_type = component.component_type();
    component_type
        .exports(engine)
        .map(|(name, _)| name.to_owned())
        .collect()
}
