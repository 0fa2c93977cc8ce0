//! Adapters: components that make other components serve HTTP. The compile child composes them.
//!
//! A component that exports `wasi:http/incoming-handler` is served unchanged. Any other is composed
//! with an adapter, which imports its interface and exports the handler. The server does not know
//! these interfaces.

use std::fmt;

use compose::{Component, ComponentError, LinkOptions, Report, link};

use crate::error::list;
use crate::imports::provides_package_of;

/// The export of a component that serves HTTP.
const HANDLER: &str = "wasi:http/incoming-handler@0.2.";

/// Name of the component within a composition. It does not depend on the name of the function, so
/// that equal components give equal compositions.
pub(crate) const FUNCTION: &str = "function";

/// The adapters that the operator has registered, in order of preference.
#[derive(Debug, Default)]
pub(crate) struct Adapters(Vec<Adapter>);

/// A registered adapter.
#[derive(Debug)]
struct Adapter {
    name: String,
    component: Component,
}

/// Why a component is not an adapter.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// Not a component.
    #[error(transparent)]
    Invalid(#[from] ComponentError),
    /// It does not export the HTTP handler, or imports nothing to adapt.
    #[error(
        "`{0}` is not an adapter: it has to export `wasi:http/incoming-handler@0.2` and to import \
         the interface that it adapts"
    )]
    NoHandler(String),
    /// Another adapter has the name.
    #[error("duplicate adapter name `{0}`; rename one of the two files")]
    DuplicateName(String),
}

/// Why a component cannot be adapted to HTTP.
#[derive(Debug, thiserror::Error)]
pub enum AdaptError {
    /// Not a component.
    #[error(transparent)]
    Invalid(#[from] ComponentError),
    /// No adapter imports an interface of the component.
    #[error("{0}")]
    NoAdapter(NoAdapter),
    /// An adapter imports an interface of the component, but with another type.
    #[error("the adapter `{adapter}` does not fit the component: {report}")]
    Incompatible {
        /// The adapter.
        adapter: String,
        /// The type mismatch.
        report: Report,
    },
}

/// The exports of a component, and the interfaces that could be adapted.
#[derive(Debug)]
pub struct NoAdapter {
    exports: Vec<String>,
    /// Name and adaptable imports of each adapter.
    adapters: Vec<(String, Vec<String>)>,
}

impl NoAdapter {
    /// The error for a component with these exports, where no adapter is registered.
    pub(crate) fn without_adapters(exports: Vec<String>) -> Self {
        Self {
            exports,
            adapters: Vec::new(),
        }
    }
}

impl fmt::Display for NoAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exports = list(&self.exports);
        write!(
            f,
            "the component exports {exports}; a function has to export \
             `wasi:http/incoming-handler@0.2`"
        )?;
        if self.adapters.is_empty() {
            return write!(
                f,
                ", and no adapter is registered for anything else: name one with `[[adapter]]` in \
                 the file of `--functions`"
            );
        }
        for (adapter, imports) in &self.adapters {
            let imports = list(imports);
            write!(f, ", or what the adapter `{adapter}` imports: {imports}")?;
        }
        Ok(())
    }
}

impl Adapters {
    /// Registers an adapter. Earlier ones are preferred.
    ///
    /// # Errors
    ///
    /// Fails if the component is not an adapter, or its name is taken.
    pub(crate) fn add(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), AdapterError> {
        let component = Component::new(name, bytes)?;
        if !serves_http(&component) || wanted(&component).next().is_none() {
            return Err(AdapterError::NoHandler(name.to_owned()));
        }
        if name == FUNCTION || self.0.iter().any(|adapter| adapter.name == name) {
            return Err(AdapterError::DuplicateName(name.to_owned()));
        }
        self.0.push(Adapter {
            name: name.to_owned(),
            component,
        });
        Ok(())
    }

    /// Returns the component in `bytes`, if it serves HTTP, or its composition with the first
    /// adapter that fits, and the name of that adapter. Equal inputs give equal bytes.
    ///
    /// # Errors
    ///
    /// Fails if it is not a component, or no adapter fits.
    pub(crate) fn adapt(&self, bytes: Vec<u8>) -> Result<(Vec<u8>, Option<&str>), AdaptError> {
        let component = Component::new(FUNCTION, bytes)?;
        if serves_http(&component) {
            return Ok((component.bytes().to_vec(), None));
        }
        let mut refused = None;
        let parts = [component];
        for Adapter { name, component } in &self.0 {
            // Linking fails if the adapter imports nothing of the component.
            let Ok(plan) = link(component, &parts, &LinkOptions::default()) else {
                continue;
            };
            match plan.encode([component].into_iter().chain(&parts)) {
                Ok(composed) => return Ok((composed.bytes, Some(name))),
                Err(report) => {
                    refused.get_or_insert(AdaptError::Incompatible {
                        adapter: name.clone(),
                        report,
                    });
                }
            }
        }
        Err(refused.unwrap_or_else(|| AdaptError::NoAdapter(self.no_adapter(&parts[0]))))
    }

    fn no_adapter(&self, component: &Component) -> NoAdapter {
        let owned = |names: &mut dyn Iterator<Item = &str>| names.map(ToOwned::to_owned).collect();
        let adapters = self.0.iter().map(|adapter| {
            let imports = owned(&mut wanted(&adapter.component));
            (adapter.name.clone(), imports)
        });
        NoAdapter {
            exports: owned(&mut component.exports()),
            adapters: adapters.collect(),
        }
    }
}

fn serves_http(component: &Component) -> bool {
    component.exports().any(|name| name.starts_with(HANDLER))
}

/// The imports of a component that the server does not provide.
fn wanted(component: &Component) -> impl Iterator<Item = &str> {
    let is_provided = |name: &&str| name.starts_with("wasi:") || provides_package_of(name);
    component.imports().filter(move |name| !is_provided(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component that imports and exports interfaces with one function each.
    fn component(import: Option<&str>, export: &str) -> Vec<u8> {
        let import = import.map_or_else(String::new, |name| {
            format!(r#"(import "{name}" (instance (export "f" (func))))"#)
        });
        let source = format!(
            r#"(component
                {import}
                (core module $m (func (export "f")))
                (core instance $i (instantiate $m))
                (func $f (canon lift (core func $i "f")))
                (instance $e (export "f" (func $f)))
                (export "{export}" (instance $e)))"#
        );
        wat::parse_str(source).unwrap()
    }

    const HTTP: &str = "wasi:http/incoming-handler@0.2.6";

    fn adapters() -> Adapters {
        let mut adapters = Adapters::default();
        let adapter = component(Some("a:b/greeter@1.0.0"), HTTP);
        adapters.add("greeting", adapter).unwrap();
        adapters
    }

    #[test]
    fn a_component_that_serves_http_stays_unchanged() {
        let bytes = component(None, HTTP);
        let adapters = adapters();
        let (served, through) = adapters.adapt(bytes.clone()).unwrap();
        assert_eq!((served, through), (bytes, None));
    }

    #[test]
    fn a_component_is_composed_with_the_adapter_that_imports_it() {
        let adapters = adapters();
        let bytes = component(None, "a:b/greeter@1.0.0");
        let (served, through) = adapters.adapt(bytes.clone()).unwrap();
        assert_eq!(through, Some("greeting"));
        let composed = Component::new("composed", served.clone()).unwrap();
        assert!(serves_http(&composed));
        assert_eq!(composed.imports().count(), 0);
        assert_eq!(adapters.adapt(bytes).unwrap().0, served);
    }

    #[test]
    fn no_adapter_names_exports_and_the_imports_of_all_adapters() {
        let bytes = component(None, "a:b/other@1.0.0");
        let error = adapters().adapt(bytes).unwrap_err().to_string();
        for part in [
            "exports `a:b/other@1.0.0`",
            "`wasi:http/incoming-handler@0.2`",
            "`greeting` imports: `a:b/greeter@1.0.0`",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn a_component_without_handler_or_adaptable_import_is_not_an_adapter() {
        for bytes in [
            component(None, HTTP),
            component(Some("a:b/greeter@1.0.0"), "a:b/other@1.0.0"),
        ] {
            let error = Adapters::default().add("x", bytes).unwrap_err();
            assert!(matches!(error, AdapterError::NoHandler(_)), "{error}");
        }
    }
}
