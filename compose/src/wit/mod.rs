//! WIT text: the standard packages of WASI, the packages of a caller, and worlds.
//!
//! - `earlier`: the standard packages in an earlier version
//! - `header`: the `package` line of a text
//! - `limits`: limits on types, against exhaustion of stack and time
//! - [`world`], [`world_name`]: the worlds of hosts, and how command lines name them
//! - `qualified_name`: the name of a world with its package

mod earlier;
mod header;
mod limits;
mod qualified_name;
pub(crate) mod world;
pub(crate) mod world_name;

use std::collections::BTreeSet;

use semver::Version;
use wit_parser::{
    PackageId, PackageName, ParseError, Resolve, SourceMap, TypeDef, UnresolvedPackage,
    UnresolvedPackageGroup as Group,
};

use crate::catch_panic::catch_panic;
use qualified_name::QualifiedName;

/// The standard packages of WASI 0.2 under `wit/deps`.
const WASI: [(&str, &str); 7] = [
    ("io.wit", include_str!("../../../wit/deps/io.wit")),
    ("clocks.wit", include_str!("../../../wit/deps/clocks.wit")),
    ("random.wit", include_str!("../../../wit/deps/random.wit")),
    (
        "filesystem.wit",
        include_str!("../../../wit/deps/filesystem.wit"),
    ),
    ("sockets.wit", include_str!("../../../wit/deps/sockets.wit")),
    ("cli.wit", include_str!("../../../wit/deps/cli.wit")),
    ("http.wit", include_str!("../../../wit/deps/http.wit")),
];

/// The version of [`WASI`].
const WASI_VERSION: Version = Version::new(0, 2, 12);

/// The version of [`WASI_0_3`].
const WASI_0_3_VERSION: Version = Version::new(0, 3, 0);

/// The standard packages of WASI 0.3.0 under `wit/deps`.
const WASI_0_3: [(&str, &str); 6] = [
    (
        "clocks-0.3.wit",
        include_str!("../../../wit/deps/clocks-0.3.wit"),
    ),
    (
        "random-0.3.wit",
        include_str!("../../../wit/deps/random-0.3.wit"),
    ),
    (
        "filesystem-0.3.wit",
        include_str!("../../../wit/deps/filesystem-0.3.wit"),
    ),
    (
        "sockets-0.3.wit",
        include_str!("../../../wit/deps/sockets-0.3.wit"),
    ),
    ("cli-0.3.wit", include_str!("../../../wit/deps/cli-0.3.wit")),
    (
        "http-0.3.wit",
        include_str!("../../../wit/deps/http-0.3.wit"),
    ),
];

/// An error in WIT text.
#[derive(Debug, thiserror::Error)]
#[error("invalid WIT: {excerpt}")]
pub struct WitError {
    /// Message, file, line, column and the line itself.
    excerpt: String,
}

/// Parsed packages.
pub(crate) struct Packages {
    pub(crate) resolve: Resolve,
    /// The main package; `None` without any text.
    pub(crate) main: Option<PackageId>,
}

/// Parses `texts`, pairs of file name and contents, and the packages of WASI, which the
/// texts may use.
///
/// Texts with equal `package` lines form one package. The main package is that of the first
/// text with such a line; a text without one belongs to it. Otherwise the order does not
/// matter. A package of WASI among the texts replaces the built-in one.
///
/// WASI 0.3.0 and earlier versions of WASI 0.2 are built in as well, and added where the texts
/// use them. The earlier versions are derived from the latest one by its `@since` gates.
pub(crate) fn parse(texts: &[(String, String)]) -> Result<Packages, WitError> {
    parse_with(texts, &[])
}

/// Like [`parse`], with the `wanted` packages as well, if they belong to WASI.
pub(crate) fn parse_with(
    texts: &[(String, String)],
    wanted: &[PackageName],
) -> Result<Packages, WitError> {
    catch_panic(|| parse_unguarded(texts, wanted))
        .unwrap_or_else(|panic| Err(WitError::of(panic.reason)))
}

/// The package of an interface, such as `wasi:http@0.3.0` of `wasi:http/handler@0.3.0`. `None` without
/// a package.
pub(crate) fn package_of(interface: &str) -> Option<PackageName> {
    QualifiedName::parse(interface)?.package_name()
}

/// Parses `text` with the packages of WASI, and returns the package of `text`.
pub(crate) fn parse_with_wasi(file: &str, text: &str) -> Result<(Resolve, PackageId), WitError> {
    let packages = parse(&[(file.to_owned(), text.to_owned())])?;
    let main = packages.main;
    let main = main.ok_or_else(|| WitError::of(format!("`{file}` has no package")))?;
    Ok((packages.resolve, main))
}

/// Adds `text`, which may use the packages of `resolve`.
pub(crate) fn push(resolve: &mut Resolve, file: &str, text: &str) -> Result<PackageId, WitError> {
    let group = parse_group(sources([(file, text)]))?;
    let pushed =
        catch_panic(|| resolve.push_group(group)).map_err(|panic| WitError::of(panic.reason))?;
    pushed.map_err(|error| WitError::of(error.render(&resolve.source_map)))
}

impl WitError {
    fn of(excerpt: String) -> Self {
        Self { excerpt }
    }

    fn parse((sources, error): &(SourceMap, ParseError)) -> Self {
        Self::of(error.render(sources))
    }
}

fn parse_unguarded(
    texts: &[(String, String)],
    wanted: &[PackageName],
) -> Result<Packages, WitError> {
    let texts: Vec<(String, String)> = texts
        .iter()
        .map(|(file, text)| (file.clone(), text.trim_start_matches('\u{feff}').to_owned()))
        .collect();
    let texts = texts.as_slice();
    let mut groups = Vec::new();
    for sources in by_package(texts) {
        groups.push(parse_group(sources)?);
    }
    add_wasi(&mut groups)?;
    add_other_wasi(&mut groups, wanted)?;

    // Per package first, because resolving recurses into types as well.
    for package in groups.iter().flat_map(packages) {
        reject_large_types(package.types.iter().map(|(_, ty)| ty))?;
    }
    let mut resolve = Resolve::default();
    let main = groups.remove(0);
    let main = match resolve.push_groups(main, groups) {
        Ok(main) => (!texts.is_empty()).then_some(main),
        Err(error) => return Err(WitError::of(error.render(&resolve.source_map))),
    };
    reject_large_types(resolve.types.iter().map(|(_, ty)| ty))?;
    Ok(Packages { resolve, main })
}

fn reject_large_types<'t>(types: impl IntoIterator<Item = &'t TypeDef>) -> Result<(), WitError> {
    limits::exceeded(types).map_or(Ok(()), |reason| Err(WitError::of(reason)))
}

/// The names of all packages in `groups`.
fn names(groups: &[Group]) -> BTreeSet<PackageName> {
    let packages = groups.iter().flat_map(packages);
    packages.map(|package| package.name.clone()).collect()
}

/// Adds the packages of WASI that are not among `groups` already.
fn add_wasi(groups: &mut Vec<Group>) -> Result<(), WitError> {
    let given = names(groups);
    let mut missing = Vec::new();
    for text in WASI {
        let group = parse_group(sources([text]))?;
        if !given.contains(&group.main.name) {
            missing.push(group);
        }
    }
    if missing.len() < WASI.len() {
        // A replacement may lack items that other standard packages use, so only the
        // packages in use are added.
        missing = used(groups, missing);
    }
    groups.extend(missing);
    Ok(())
}

/// Adds the packages of WASI 0.3 and of earlier versions of WASI 0.2 that `groups` use, directly
/// or indirectly, or that are in `wanted`.
fn add_other_wasi(groups: &mut Vec<Group>, wanted: &[PackageName]) -> Result<(), WitError> {
    let used_packages = groups
        .iter()
        .flat_map(packages)
        .flat_map(|package| package.foreign_deps.keys());
    let versions: BTreeSet<Version> = used_packages
        .chain(wanted)
        .filter(|name| name.namespace == "wasi")
        .filter_map(|name| name.version.clone())
        .filter(is_earlier)
        .collect();
    let mut candidates = Vec::new();
    for text in WASI_0_3 {
        candidates.push(parse_group(sources([text]))?);
    }
    for version in versions {
        for (file, text) in WASI {
            let text = earlier::earlier(text, &WASI_VERSION, &version);
            candidates.push(parse_group(sources([(file, text.as_str())]))?);
        }
    }
    let given = names(groups);
    candidates.retain(|group| !given.contains(&group.main.name));
    let used = used_or_wanted(groups, candidates, wanted);
    groups.extend(used);
    Ok(())
}

/// Whether this is a WASI 0.2 release before that of the standard packages.
fn is_earlier(version: &Version) -> bool {
    let is_release = version.pre.is_empty() && version.build.is_empty();
    is_release && *version < WASI_VERSION && *version >= Version::new(0, 2, 0)
}

/// Those of `candidates` that `groups` use, directly or indirectly.
fn used(groups: &[Group], candidates: Vec<Group>) -> Vec<Group> {
    used_or_wanted(groups, candidates, &[])
}

fn used_or_wanted(
    groups: &[Group],
    mut candidates: Vec<Group>,
    also: &[PackageName],
) -> Vec<Group> {
    let mut used: Vec<Group> = Vec::new();
    loop {
        let users = groups.iter().chain(&used);
        let wanted: BTreeSet<PackageName> = users
            .flat_map(packages)
            .flat_map(|package| package.foreign_deps.keys().cloned())
            .chain(also.iter().cloned())
            .collect();
        let (found, others): (Vec<Group>, Vec<Group>) = candidates
            .into_iter()
            .partition(|group| wanted.contains(&group.main.name));
        if found.is_empty() {
            return used;
        }
        used.extend(found);
        candidates = others;
    }
}

/// The texts of each package, those of the main package first.
fn by_package(texts: &[(String, String)]) -> Vec<SourceMap> {
    let packages: Vec<Option<String>> = texts.iter().map(|(_, text)| header::of(text)).collect();
    let main = packages.iter().flatten().next();
    let mut groups: Vec<(Option<&String>, SourceMap)> = Vec::new();
    if !texts.is_empty() {
        groups.push((main, SourceMap::default()));
    }
    for ((file, text), package) in texts.iter().zip(&packages) {
        let package = package.as_ref().or(main);
        match groups.iter_mut().find(|(other, _)| *other == package) {
            Some((_, sources)) => sources.push_str(file, text.as_str()),
            None => groups.push((package, sources([(file, text)]))),
        }
    }
    groups.into_iter().map(|(_, sources)| sources).collect()
}

fn sources<'t, const N: usize>(texts: [(&'t str, &'t str); N]) -> SourceMap {
    let mut sources = SourceMap::default();
    for (file, text) in texts {
        sources.push_str(file, text);
    }
    sources
}

fn parse_group(sources: SourceMap) -> Result<Group, WitError> {
    catch_panic(|| sources.parse().map_err(|error| WitError::parse(&error)))
        .unwrap_or_else(|panic| Err(WitError::of(panic.reason)))
}

fn packages(group: &Group) -> impl Iterator<Item = &UnresolvedPackage> {
    group.nested.iter().chain([&group.main])
}
