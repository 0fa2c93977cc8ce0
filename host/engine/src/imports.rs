//! What a component can import here.

use std::fmt;

use sanitize::line;
use wasmparser::{Parser, Payload};
use wasmtime::component::{Component, Linker};

use super::error::LoadError;

/// A package of which this server provides interfaces.
pub(super) struct Package {
    pub(super) name: &'static str,
    /// The version that it has or, where that ends with a dot, those that are compatible with
    /// it. Nothing is compatible with a version before a release.
    track: &'static str,
    pub(super) interfaces: &'static [&'static str],
}

const fn package(
    name: &'static str,
    track: &'static str,
    interfaces: &'static [&'static str],
) -> Package {
    Package {
        name,
        track,
        interfaces,
    }
}

/// All packages of which this server provides interfaces.
pub(super) const PROVIDED: [Package; 9] = [
    package("runner:audit", "0.1.", &["audit-log"]),
    package(
        "wasi:cli",
        "0.2.",
        &[
            "environment",
            "exit",
            "stderr",
            "stdin",
            "stdout",
            "terminal-input",
            "terminal-output",
            "terminal-stderr",
            "terminal-stdin",
            "terminal-stdout",
        ],
    ),
    package("wasi:clocks", "0.2.", &["monotonic-clock", "wall-clock"]),
    package("wasi:config", "0.2.0-rc.1", &["store"]),
    package("wasi:filesystem", "0.2.", &["preopens", "types"]),
    package("wasi:http", "0.2.", &["outgoing-handler", "types"]),
    package("wasi:io", "0.2.", &["error", "poll", "streams"]),
    package(
        "wasi:random",
        "0.2.",
        &["insecure", "insecure-seed", "random"],
    ),
    package(
        "wasi:sockets",
        "0.2.",
        &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
];

impl Package {
    fn provides_version(&self, version: &str) -> bool {
        version == self.track || (self.track.ends_with('.') && version.starts_with(self.track))
    }
}

/// What a component imports and nobody provides.
#[derive(Debug)]
pub struct MissingImport {
    /// Its name, with the version.
    pub name: String,
    /// The version of its package that this server provides, if that is another one.
    pub provided: Option<&'static str>,
}

impl MissingImport {
    pub(super) fn of(import: &str) -> Self {
        let (interface, version) = parts(import);
        let other = package_of(interface).filter(|package| !package.provides_version(version));
        Self {
            name: import.to_owned(),
            provided: other.map(|package| package.track.trim_end_matches('.')),
        }
    }
}

impl fmt::Display for MissingImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", line(&self.name))?;
        if let Some(version) = self.provided {
            write!(f, " (this server has the version {version})")?;
        }
        Ok(())
    }
}

/// Whether this is an interface that this server provides.
pub(super) fn is_provided(import: &str) -> bool {
    let (interface, version) = parts(import);
    let name = interface.split_once('/').map_or("", |(_, name)| name);
    package_of(interface).is_some_and(|package| {
        package.provides_version(version) && package.interfaces.contains(&name)
    })
}

/// The interface of an import and its version, which may be empty.
fn parts(import: &str) -> (&str, &str) {
    import.split_once('@').unwrap_or((import, ""))
}

fn package_of(interface: &str) -> Option<&'static Package> {
    let name = interface.split('/').next().unwrap_or_default();
    PROVIDED.iter().find(|package| package.name == name)
}

/// Checks that `linker` has what the component in `bytes` imports, function by function, and
/// compiles none of its code.
///
/// # Errors
///
/// Says what is missing, or what has another type than it should have.
pub(super) fn check<T: 'static>(bytes: &[u8], linker: &Linker<T>) -> Result<(), LoadError> {
    let Some(imports) = up_to_imports(bytes) else {
        return Ok(());
    };
    match Component::from_binary(linker.engine(), imports) {
        Ok(component) => check_compiled(&component, linker),
        // The rest of the component is as wrong, which the compiler reports.
        Err(_) => Ok(()),
    }
}

/// The same for a component that was compiled.
///
/// # Errors
///
/// Fails like [`check`].
pub(super) fn check_compiled<T: 'static>(
    component: &Component,
    linker: &Linker<T>,
) -> Result<(), LoadError> {
    let substituted = linker.substituted_component_type(component);
    substituted.map(drop).map_err(LoadError::Link)
}

/// The component in `bytes` up to its last import, which is a component. None if there is code
/// before that: toolchains put imports first, as they need nothing but types.
fn up_to_imports(bytes: &[u8]) -> Option<&[u8]> {
    let (mut end, mut depth, mut has_code) = (0, 0_usize, false);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::Version { .. } => {
                depth += 1;
                has_code |= depth > 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(_) if depth == 1 && has_code => return None,
            Payload::ComponentImportSection(section) if depth == 1 => end = section.range().end,
            _ => {}
        }
    }
    bytes.get(..usize::try_from(end).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_version_on_the_same_track_is_provided() {
        for import in [
            "wasi:cli/environment@0.2.0",
            "wasi:http/types@0.2.12",
            "wasi:config/store@0.2.0-rc.1",
            "runner:audit/audit-log@0.1.0",
        ] {
            assert!(is_provided(import), "{import}");
        }
    }

    #[test]
    fn other_tracks_packages_and_interfaces_are_not_provided() {
        for import in [
            "wasi:cli/environment@0.3.0",
            "wasi:cli/environment@0.20.0",
            "wasi:cli/environment",
            "wasi:cli/run@0.2.0",
            "wasi:clip/environment@0.2.0",
            "wasi:config/store@0.2.0",
            "wasi:config/store@0.2.0-rc.10",
            "wasi:http/incoming-handler@0.2.12",
            "runner:audit/audit-log@0.2.0",
            "read",
        ] {
            assert!(!is_provided(import), "{import}");
        }
    }
}
