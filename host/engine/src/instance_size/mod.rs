//! Size limits of an instance: core instances, and bytes of their contexts.
//!
//! Each instance of a core module has a context on the host's heap: 16 bytes for a global, 32 for a
//! function that can be referenced, and so on. None of that is in a memory of the guest, so
//! `--max-memory` does not limit it, and a module of a few hundred kilobytes that is instantiated a
//! thousand times needs gigabytes per request.
//!
//! The sizes are read from the bytes of the component before validation and compilation, in linear
//! time. Parts that are unknown there (a component or a module that a nested component imports) do
//! not count here, nor do the adapters that wasmtime generates for calls within a composition. The
//! pool counts all of them when the compiled component is loaded, and has twice the limits.

mod module;

use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Encoding, Instance, Parser, Payload,
};

use super::error::LoadError;
use module::ModuleCounts;

/// Limit of core instances per instance. A component of a composition has about three.
pub(super) const MAX_CORE_INSTANCES: u32 = 256;

/// Size limit of all contexts of an instance together, in bytes.
pub(super) const MAX_CONTEXT_BYTES: usize = 4 << 20;

/// Limit of the pool for core instances per instance, including adapters.
pub(super) const POOL_CORE_INSTANCES: u32 = 2 * MAX_CORE_INSTANCES;

/// Size limit of the pool for all contexts of an instance, in bytes.
pub(super) const POOL_CONTEXT_BYTES: usize = 2 * MAX_CONTEXT_BYTES;

/// Size of an instance of a component or a core module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct InstanceSize {
    /// Number of core instances.
    pub(super) core_instances: u64,
    /// Size of their contexts, in bytes.
    pub(super) context_bytes: u64,
    /// Number of component instances whose calls may block: those with core instances of their own,
    /// or with lifted functions.
    parts: u64,
}

impl InstanceSize {
    /// Reads the size from a component.
    ///
    /// # Errors
    ///
    /// Fails if the bytes do not have the sections of a component.
    pub(super) fn of(component: &[u8]) -> Result<Self, LoadError> {
        let invalid = |error: wasmparser::Error| LoadError::Invalid(wasmtime::Error::msg(error));
        let mut reader = Reader::default();
        for payload in Parser::new(0).parse_all(component) {
            reader.read(payload.map_err(invalid)?).map_err(invalid)?;
        }
        Ok(reader.outermost)
    }

    /// Number of component instances whose calls may block.
    pub(super) fn parts(self) -> u32 {
        u32::try_from(self.parts).unwrap_or(u32::MAX)
    }

    /// Checks the size against the limits.
    ///
    /// # Errors
    ///
    /// Fails with the limit that is exceeded.
    pub(super) fn check(self) -> Result<(), LoadError> {
        if self.core_instances > u64::from(MAX_CORE_INSTANCES) {
            return Err(LoadError::TooManyCoreInstances {
                needs: self.core_instances,
                limit: MAX_CORE_INSTANCES,
            });
        }
        if self.context_bytes > MAX_CONTEXT_BYTES as u64 {
            return Err(LoadError::ContextsTooLarge {
                needs: self.context_bytes,
                core_instances: self.core_instances,
                limit: MAX_CONTEXT_BYTES,
            });
        }
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.core_instances = self.core_instances.saturating_add(other.core_instances);
        self.context_bytes = self.context_bytes.saturating_add(other.context_bytes);
        self.parts = self.parts.saturating_add(other.parts);
    }
}

/// Reads nested sections.
#[derive(Default)]
struct Reader {
    /// The open components and modules, outermost first.
    open: Vec<Open>,
    outermost: InstanceSize,
}

enum Open {
    Module(ModuleCounts),
    Component(ComponentSizes),
}

/// The index spaces of modules and components.
#[derive(Default)]
struct ComponentSizes {
    modules: Vec<InstanceSize>,
    components: Vec<InstanceSize>,
    /// Size of an instance of this component.
    size: InstanceSize,
    /// Whether it instantiates core modules itself, or lifts functions.
    can_block: bool,
}

impl Reader {
    fn read(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::Version { encoding, .. } => self.open.push(match encoding {
                Encoding::Module => Open::Module(ModuleCounts::default()),
                Encoding::Component => Open::Component(ComponentSizes::default()),
            }),
            Payload::End(_) => self.close(),
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.alias(&alias?);
                }
            }
            payload => match self.open.last_mut() {
                Some(Open::Module(module)) => module.read(payload)?,
                Some(Open::Component(component)) => component.read(payload)?,
                None => {}
            },
        }
        Ok(())
    }

    fn close(&mut self) {
        let closed = self.open.pop();
        let parent = match self.open.last_mut() {
            Some(Open::Component(parent)) => Some(parent),
            _ => None,
        };
        match (closed, parent) {
            (Some(Open::Module(module)), Some(parent)) => parent.modules.push(module.size()),
            (Some(Open::Component(nested)), Some(parent)) => parent.components.push(nested.close()),
            (Some(Open::Component(outermost)), None) => self.outermost = outermost.close(),
            _ => {}
        }
    }

    /// An alias of a module or a component extends the index space.
    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        let (is_module, known) = match *alias {
            ComponentAlias::Outer { kind, count, index } => {
                let is_module = match kind {
                    ComponentOuterAliasKind::CoreModule => true,
                    ComponentOuterAliasKind::Component => false,
                    _ => return,
                };
                let outer = self.open.iter().rev().nth(count as usize);
                let known = match outer {
                    Some(Open::Component(outer)) if is_module => outer.module(index),
                    Some(Open::Component(outer)) => outer.component(index),
                    _ => InstanceSize::default(),
                };
                (is_module, known)
            }
            ComponentAlias::InstanceExport { kind, .. } => match kind {
                ComponentExternalKind::Module => (true, InstanceSize::default()),
                ComponentExternalKind::Component => (false, InstanceSize::default()),
                _ => return,
            },
            ComponentAlias::CoreInstanceExport { .. } => return,
        };
        if let Some(Open::Component(component)) = self.open.last_mut() {
            component.define(is_module, known);
        }
    }
}

impl ComponentSizes {
    /// Size of an instance of the whole component.
    fn close(self) -> InstanceSize {
        let parts = self.size.parts.saturating_add(self.can_block.into());
        InstanceSize { parts, ..self.size }
    }

    fn read(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::InstanceSection(section) => {
                for instance in section {
                    // The other kind only names existing items.
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        self.size.add(self.module(module_index));
                        self.can_block = true;
                    }
                }
            }
            // A call of a lifted function may block, also where its code is in another component.
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    self.can_block |= matches!(function?, CanonicalFunction::Lift { .. });
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    if let ComponentInstance::Instantiate {
                        component_index, ..
                    } = instance?
                    {
                        self.size.add(self.component(component_index));
                    }
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    match import?.ty {
                        ComponentTypeRef::Module(_) => self.define(true, InstanceSize::default()),
                        ComponentTypeRef::Component(_) => {
                            self.define(false, InstanceSize::default());
                        }
                        _ => {}
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    match export.kind {
                        ComponentExternalKind::Module => {
                            self.define(true, self.module(export.index));
                        }
                        ComponentExternalKind::Component => {
                            self.define(false, self.component(export.index));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn module(&self, index: u32) -> InstanceSize {
        let known = self.modules.get(index as usize);
        known.copied().unwrap_or_default()
    }

    fn component(&self, index: u32) -> InstanceSize {
        let known = self.components.get(index as usize);
        known.copied().unwrap_or_default()
    }

    fn define(&mut self, is_module: bool, size: InstanceSize) {
        if is_module {
            self.modules.push(size);
        } else {
            self.components.push(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> InstanceSize {
        let bytes = wat::parse_str(text).expect("valid WAT");
        InstanceSize::of(&bytes).expect("a component")
    }

    /// A component with `count` instances of this module.
    fn instances(module: &str, count: usize) -> String {
        let instances = "(core instance (instantiate $m))".repeat(count);
        format!("(component (core module $m {module}) {instances})")
    }

    #[test]
    fn each_instantiated_core_module_is_a_core_instance() {
        assert_eq!(size("(component)"), InstanceSize::default());
        assert_eq!(size(&instances("", 3)).core_instances, 3);
        let size = size(
            "(component $outer
                (core module $m)
                (component $nested
                    (alias outer $outer $m (core module $same))
                    (core instance (instantiate $same))
                    (core instance (instantiate $same))
                    (core instance))
                (core instance (instantiate $m))
                (instance (instantiate $nested))
                (instance (instantiate $nested)))",
        );
        assert_eq!(size.core_instances, 5);
    }

    #[test]
    fn components_that_double_at_each_level_are_counted_in_linear_time() {
        let mut text = instances("", 1).replace("(component", "(component $c");
        for _ in 0..40 {
            text = format!(
                "(component $c {text} (instance (instantiate $c)) (instance (instantiate $c)))"
            );
        }
        let size = size(&text);
        assert_eq!(size.core_instances, 1 << 40);
        let refused = size.check();
        assert!(matches!(
            refused,
            Err(LoadError::TooManyCoreInstances { .. })
        ));
    }

    #[test]
    fn context_bytes_grow_with_globals_imports_and_referenced_functions() {
        let bytes = |module: &str| size(&instances(module, 1)).context_bytes;
        let empty = bytes("");
        let globals = "(global i32 (i32.const 0))".repeat(100);
        assert_eq!(bytes(&globals) - empty, 1600);
        // Only functions that can be referenced are in the context.
        let functions = "(func)".repeat(100);
        assert_eq!(bytes(&functions), empty);
        let referenced = format!("{functions} (elem func {})", "0 ".repeat(90));
        assert!(bytes(&referenced) >= empty + 90 * 32);
        let twice = format!("{referenced} (elem func {})", "0 ".repeat(90));
        assert!(bytes(&twice) >= empty + 100 * 32);
        assert!(bytes(&twice) < empty + 110 * 32);
    }

    #[test]
    fn too_many_core_instances_and_too_large_contexts_are_errors_with_the_limit() {
        let globals = "(global i32 (i32.const 0))".repeat(1000);
        let small = size(&instances(&globals, 200));
        assert!(small.check().is_ok());
        let text = size(&instances(&globals, 257)).check().unwrap_err();
        let text = text.to_string();
        assert!(text.contains("257") && text.contains("256"), "{text}");
        let globals = globals.repeat(2);
        let text = size(&instances(&globals, 200)).check().unwrap_err();
        let text = text.to_string();
        assert!(text.contains("4194304"), "{text}");
        assert!(text.contains("200 core"), "{text}");
    }

    #[test]
    fn parts_are_components_with_code_or_lifted_functions() {
        let parts = |text: &str| size(text).parts();
        let code = "(core module $m (func (export \"f\"))) (core instance $i (instantiate $m))";
        let part = format!("(component {code})");
        assert_eq!(parts("(component)"), 0);
        assert_eq!(parts(&part), 1);
        let two = "(instance (instantiate $p)) (instance (instantiate $p))";
        let nested = format!("(component (component $p {code}) {two})");
        assert_eq!(parts(&nested), 2);
        let relay = r#"(component $p (import "f" (func $f))
            (core func $l (canon lower (func $f)))
            (func (export "g") (canon lift (core func $l))))"#;
        let relays = format!(
            r#"(component (import "f" (func $f)) {relay}
            (instance (instantiate $p (with "f" (func $f))))
            (instance (instantiate $p (with "f" (func $f)))))"#
        );
        assert_eq!(parts(&relays), 2);
    }
}
