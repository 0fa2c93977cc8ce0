//! Worlds that are named with their package, such as `wasi:http/service@0.3.0`.

use wit_parser::{PackageId, PackageName, Resolve};

use super::world::WorldError;

/// The name of a world with its package; the version is optional.
#[derive(Clone, Copy)]
pub(super) struct QualifiedName<'n> {
    text: &'n str,
    /// Namespace and name of the package.
    package: &'n str,
    /// The name of the world in the package.
    pub(super) world: &'n str,
    version: Option<&'n str>,
}

impl<'n> QualifiedName<'n> {
    /// Splits `text`; `None` if it has no package.
    pub(super) fn parse(text: &'n str) -> Option<Self> {
        let (package, world) = text.split_once('/')?;
        let (world, version) = match world.split_once('@') {
            Some((world, version)) => (world, Some(version)),
            None => (world, None),
        };
        Some(Self {
            text,
            package,
            world,
            version,
        })
    }

    /// The name of the package. `None` without a namespace; a version that is invalid is left out.
    pub(super) fn package_name(self) -> Option<PackageName> {
        let (namespace, name) = self.package.split_once(':')?;
        Some(PackageName {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            version: self.version.and_then(|version| version.parse().ok()),
        })
    }

    /// The name without the version.
    pub(super) fn without_version(self) -> String {
        format!("{}/{}", self.package, self.world)
    }

    /// The only package of `resolve` that has the world.
    pub(super) fn find(self, resolve: &Resolve) -> Result<PackageId, WorldError> {
        let is_named = |package: &PackageName| {
            let version = package.version.as_ref().map(ToString::to_string);
            self.is_package(package)
                && self
                    .version
                    .is_none_or(|own| version.as_deref() == Some(own))
        };
        let found: Vec<PackageId> = resolve
            .packages
            .iter()
            .filter(|(_, package)| {
                is_named(&package.name) && package.worlds.contains_key(self.world)
            })
            .map(|(id, _)| id)
            .collect();
        match found.as_slice() {
            [package] => Ok(*package),
            [] => Err(WorldError::Unknown {
                name: self.text.to_owned(),
                worlds: self.similar(resolve),
            }),
            _ => Err(WorldError::Ambiguous {
                name: self.text.to_owned(),
                worlds: worlds(resolve, |package, world| {
                    self.is_package(package) && world == self.world
                }),
            }),
        }
    }

    fn is_package(self, name: &PackageName) -> bool {
        self.package
            .split_once(':')
            .is_some_and(|(namespace, package)| namespace == name.namespace && package == name.name)
    }

    /// The worlds of the package in any version, or else those of that name in any package.
    fn similar(self, resolve: &Resolve) -> Vec<String> {
        let of_package = worlds(resolve, |package, _| self.is_package(package));
        if of_package.is_empty() {
            worlds(resolve, |_, world| world == self.world)
        } else {
            of_package
        }
    }
}

/// The full names of some worlds, sorted.
fn worlds(resolve: &Resolve, which: impl Fn(&PackageName, &str) -> bool) -> Vec<String> {
    let mut names = Vec::new();
    for (_, package) in &resolve.packages {
        let worlds = package.worlds.keys();
        let worlds = worlds.filter(|world| which(&package.name, world));
        names.extend(worlds.map(|world| package.name.interface_id(world)));
    }
    names.sort();
    names
}
