//! Interfaces that this server provides, and checks of a component's imports.

use wasmparser::{Parser, Payload};
use wasmtime::component::{Component, Linker};

use super::error::{LoadError, MissingImport};

/// A WIT package of which this server provides interfaces.
pub(super) struct Package {
    pub(super) name: &'static str,
    /// The version or, if it ends with a dot, the prefix of compatible versions. Pre-release
    /// versions are only compatible with themselves.
    pub(super) track: &'static str,
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
pub(super) const PROVIDED: [Package; 15] = [
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
    package(
        "wasi:cli",
        "0.3.",
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
            "types",
        ],
    ),
    package(
        "wasi:clocks",
        "0.3.",
        &["monotonic-clock", "system-clock", "types"],
    ),
    package("wasi:filesystem", "0.3.", &["preopens", "types"]),
    package("wasi:http", "0.3.", &["client", "types"]),
    package(
        "wasi:random",
        "0.3.",
        &["insecure", "insecure-seed", "random"],
    ),
    package("wasi:sockets", "0.3.", &["ip-name-lookup", "types"]),
];

impl Package {
    /// Whether this server provides this version of the package.
    pub(super) fn provides_version(&self, version: &str) -> bool {
        let is_compatible =
            self.track.ends_with('.') && version.starts_with(self.track) && !version.contains('-');
        version == self.track || is_compatible
    }
}

/// The report of an import that this server does not provide.
pub(super) fn missing(import: &str) -> MissingImport {
    let (interface, version) = parts(import);
    let tracks: Vec<_> = packages_of(interface)
        .map(|package| package.track.trim_end_matches('.'))
        .collect();
    let is_known = packages_of(interface).any(|package| package.provides_version(version));
    MissingImport {
        name: import.to_owned(),
        provided: (!is_known && !tracks.is_empty()).then(|| tracks.join(" and ")),
    }
}

/// Whether this server provides the interface.
pub(super) fn is_provided(import: &str) -> bool {
    let (interface, version) = parts(import);
    let name = interface.split_once('/').map_or("", |(_, name)| name);
    packages_of(interface)
        .any(|package| package.provides_version(version) && package.interfaces.contains(&name))
}

/// Whether this server provides interfaces of the package of the import, in any version.
pub(super) fn provides_package_of(import: &str) -> bool {
    packages_of(parts(import).0).next().is_some()
}

/// Splits an import into interface and version, which may be empty.
fn parts(import: &str) -> (&str, &str) {
    import.split_once('@').unwrap_or((import, ""))
}

/// The tracks of the package of an interface.
fn packages_of(interface: &str) -> impl Iterator<Item = &'static Package> {
    let name = interface.split('/').next().unwrap_or_default();
    PROVIDED.iter().filter(move |package| package.name == name)
}

/// Checks the imports of the component in `bytes` against `linker`, function by function, without
/// compiling code.
///
/// # Errors
///
/// Names the missing import, or the one of another type.
pub(super) fn check<T: 'static>(bytes: &[u8], linker: &Linker<T>) -> Result<(), LoadError> {
    let Some(imports) = up_to_imports(bytes) else {
        return Ok(());
    };
    match Component::from_binary(linker.engine(), imports) {
        Ok(component) => check_compiled(&component, linker),
        // The compiler reports the same error for the whole component.
        Err(_) => Ok(()),
    }
}

/// The same check of a compiled component.
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

/// The prefix of the component up to its last import, which is a valid component. None if there is
/// code before that: toolchains put imports first, as they depend on types only.
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
    fn compatible_versions_of_wasi_0_2_and_0_3_are_provided() {
        for import in [
            "wasi:cli/environment@0.3.0",
            "wasi:http/client@0.3.2",
            "wasi:cli/environment@0.2.0",
            "wasi:http/types@0.2.12",
            "wasi:config/store@0.2.0-rc.1",
            "runner:audit/audit-log@0.1.0",
        ] {
            assert!(is_provided(import), "{import}");
        }
    }

    #[test]
    fn other_versions_packages_and_interfaces_are_not_provided() {
        for import in [
            "wasi:cli/environment@0.3.0-rc-2026-01-01",
            "wasi:cli/environment@0.4.0",
            "wasi:http/client@0.2.0",
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
