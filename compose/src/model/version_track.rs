//! Version tracks: sets of interface versions that are compatible with each other.
//!
//! Compatibility is that of semantic versioning: `1.2.0` and `1.4.1` are on the track
//! `1`, `0.2.6` and `0.2.12` on the track `0.2`. Each version `0.0.x` and each
//! pre-release has a track of its own. `wac` and hosts such as wasmtime look names up by
//! the same rule.

use semver::Version;
use wac_types::{NameMap, NameMapNoIntern, are_semver_compatible};

/// Whether `a` and `b` name the same interface on the same version track.
pub(crate) fn same_track(a: &str, b: &str) -> bool {
    are_semver_compatible(a, b)
}

/// Whether `a` and `b` name the same interface on different version tracks, which is the
/// usual mistake when releases are mixed.
pub(crate) fn same_interface_on_other_track(a: &str, b: &str) -> bool {
    let (Some((name_a, _)), Some((name_b, _))) = (a.split_once('@'), b.split_once('@')) else {
        return false;
    };
    name_a == name_b && !same_track(a, b)
}

/// Whether `pattern` refers to the interface `name`: it is on the same version track, or
/// has no version.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let unversioned = name.split_once('@').map_or(name, |(name, _)| name);
    pattern == name || pattern == unversioned || same_track(pattern, name)
}

/// The element of `names` that a lookup of `wanted` resolves to: `wanted` itself, or else
/// the highest version on its track.
pub(crate) fn find<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let mut map = NameMap::default();
    for name in names {
        // With shadowing allowed, an insertion does not fail.
        let _ = map.insert(name, &mut NameMapNoIntern, true, name);
    }
    map.get(wanted, &NameMapNoIntern).copied()
}

/// The highest version of `name` among `names`; at least `name` itself.
pub(crate) fn highest<'n>(name: &'n str, names: impl IntoIterator<Item = &'n str>) -> &'n str {
    let version = |name: &str| {
        let (_, version) = name.split_once('@')?;
        Version::parse(version).ok()
    };
    names
        .into_iter()
        .filter(|other| same_track(name, other))
        .chain([name])
        .max_by_key(|name| version(name))
        .unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_version_is_preferred_to_a_higher_one_on_its_track() {
        let names = ["a:b/c@0.2.1", "a:b/c@0.2.9", "a:b/c@0.2.6"];
        assert_eq!(find("a:b/c@0.2.6", names), Some("a:b/c@0.2.6"));
        assert_eq!(find("a:b/c@0.2.7", names), Some("a:b/c@0.2.9"));
        assert_eq!(find("a:b/c@0.3.0", names), None);
    }

    #[test]
    fn the_highest_version_is_not_the_highest_text() {
        let names = ["a:b/c@0.2.9", "a:b/c@0.2.12", "a:b/c@0.3.0", "a:b/d@0.2.40"];
        assert_eq!(highest("a:b/c@0.2.1", names), "a:b/c@0.2.12");
        assert_eq!(highest("log", names), "log");
    }

    #[test]
    fn a_name_without_a_version_matches_every_version() {
        assert!(matches("a:b/c", "a:b/c@0.2.1"));
        assert!(matches("a:b/c@0.2.0", "a:b/c@0.2.1"));
        assert!(matches("log", "log"));
        assert!(!matches("a:b/c@0.1.0", "a:b/c@0.2.1"));
        assert!(!matches("a:b/d", "a:b/c@0.2.1"));
    }

    #[test]
    fn same_interface_on_other_track_requires_equal_names() {
        assert!(same_interface_on_other_track("a:b/c@0.1.0", "a:b/c@0.2.0"));
        assert!(same_interface_on_other_track("a:b/c@0.0.1", "a:b/c@0.0.2"));
        assert!(!same_interface_on_other_track("a:b/c@0.2.1", "a:b/c@0.2.0"));
        assert!(!same_interface_on_other_track("a:b/c@0.1.0", "a:b/d@0.2.0"));
        assert!(!same_interface_on_other_track("log", "log"));
    }
}
