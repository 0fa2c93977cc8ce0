//! Compositions for the benchmark: chains of parts.

use std::path::Path;

use anyhow::{Context, Result};
use compose::{Component, LinkOptions, chain, environment, link};
use wasm_encoder::{ComponentSection, CustomSection};

use crate::programs::{bytes, guest, part};

/// The parts of chains.
pub(crate) struct Chains {
    /// Imports the export of `end`.
    root: Component,
    /// Imports its own export.
    relay: Vec<u8>,
    end: Vec<u8>,
    /// The imports of the others that not every host has.
    closing: Vec<Component>,
}

impl Chains {
    /// Finds the parts of the service, and the relay. `adapter` names the one for a version of WASI.
    pub(crate) fn find(adapter: &str) -> Result<Self> {
        Ok(Self {
            root: Component::new(adapter, bytes(&part(adapter)?)?)?,
            relay: bytes(&guest("relay")?)?,
            end: bytes(&part("cipher")?)?,
            closing: closing()?,
        })
    }

    /// Composes the root, this number of relays, the end, and the closing parts.
    pub(crate) fn compose(&self, relays: usize) -> Result<Vec<u8>> {
        let relays = (1..=relays)
            // Equal parts would be embedded once.
            .map(|number| Component::new(format!("relay-{number}"), numbered(&self.relay, number)))
            .collect::<Result<Vec<Component>, _>>()?;
        let end = Component::new("end", self.end.as_slice())?;
        let export = end.exports().next().context("the end has no export")?;
        let options = LinkOptions::default();
        let chain = chain(export, &relays, &end, &[], &options)?;
        let chain = chain.encode(relays.iter().chain([&end]))?;

        let mut parts = vec![Component::new("chain", chain.bytes)?];
        for part in &self.closing {
            parts.push(Component::new(part.name(), part.bytes())?);
        }
        let plan = link(&self.root, &parts, &options)?;
        Ok(plan.encode(parts.iter().chain([&self.root]))?.bytes)
    }
}

/// Composes the component of a file with the audit log and the environment, which not every host
/// has.
pub(crate) fn close(path: &Path) -> Result<Vec<u8>> {
    let root = Component::new("app", bytes(path)?)?;
    let parts = closing()?;
    let plan = link(&root, &parts, &LinkOptions::default())?;
    Ok(plan.encode(parts.iter().chain([&root]))?.bytes)
}

/// Composes a middleware in front of a component, which exports what the middleware exports.
pub(crate) fn wrap(middleware: &[u8], component: &[u8]) -> Result<Vec<u8>> {
    let middleware = Component::new("middleware", middleware)?;
    let end = Component::new("end", component)?;
    let export = middleware.exports().next();
    let export = export.context("the middleware has no export")?.to_owned();
    let middleware = [middleware];
    let chain = chain(&export, &middleware, &end, &[], &LinkOptions::default())?;
    Ok(chain.encode(middleware.iter().chain([&end]))?.bytes)
}

fn closing() -> Result<Vec<Component>> {
    Ok(vec![
        Component::new("audit-stderr", bytes(&part("audit-stderr")?)?)?,
        Component::new("environment", environment([("SHIFT_AMOUNT", "3")])?)?,
    ])
}

/// The same component with a number in it, which makes it different from the others.
pub(crate) fn numbered(component: &[u8], number: usize) -> Vec<u8> {
    let section = CustomSection {
        name: "number".into(),
        data: number.to_le_bytes().to_vec().into(),
    };
    let mut component = component.to_vec();
    section.append_to_component(&mut component);
    component
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmparser::{Parser, Payload};

    /// Exports `a:b/c` with a core module that has a memory.
    const END: &str = r#"(component
        (core module $module (memory 1) (func (export "f")))
        (core instance $core (instantiate $module))
        (func $f (canon lift (core func $core "f")))
        (instance $c (export "f" (func $f)))
        (export "a:b/c" (instance $c)))"#;

    fn chains() -> Chains {
        let bytes = |text: &str| wat::parse_str(text).unwrap();
        let passes_on = |export| {
            format!(
                r#"(component
                    (import "a:b/c" (instance $next (export "f" (func))))
                    (export "{export}" (instance $next)))"#
            )
        };
        Chains {
            root: Component::new("root", bytes(&passes_on("x:y/z"))).unwrap(),
            relay: bytes(
                r#"(component
                    (import "a:b/c" (instance $next (export "f" (func))))
                    (core func $next (canon lower (func $next "f")))
                    (core module $module (import "n" "f" (func $f)) (memory 1)
                        (func (export "f") call $f))
                    (core instance $core (instantiate $module
                        (with "n" (instance (export "f" (func $next))))))
                    (func $f (canon lift (core func $core "f")))
                    (instance $c (export "f" (func $f)))
                    (export "a:b/c" (instance $c)))"#,
            ),
            end: bytes(END),
            closing: Vec::new(),
        }
    }

    #[test]
    fn each_relay_adds_a_memory() {
        for relays in [0, 1, 5] {
            let composed = chains().compose(relays).unwrap();
            let payloads = Parser::new(0).parse_all(&composed).map(Result::unwrap);
            let memories = payloads.filter(|one| matches!(one, Payload::MemorySection(_)));
            assert_eq!(memories.count(), relays + 1);
        }
    }

    #[test]
    fn a_middleware_takes_the_place_of_its_component() {
        let composed = wrap(&chains().relay, &chains().end).unwrap();
        let composed = Component::new("composed", composed).unwrap();
        assert_eq!(composed.imports().count(), 0);
        assert_eq!(composed.exports().collect::<Vec<_>>(), ["a:b/c"]);
    }

    #[test]
    fn a_chain_is_closed_and_exports_what_its_root_exports() {
        let composed = Component::new("chain", chains().compose(3).unwrap()).unwrap();
        assert_eq!(composed.imports().count(), 0);
        assert_eq!(composed.exports().collect::<Vec<_>>(), ["x:y/z"]);
    }
}
