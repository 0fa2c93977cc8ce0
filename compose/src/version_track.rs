//! Version tracks: which versions of an interface can stand in for each other.
//!
//! A track is what semantic versioning calls compatible: `1.2.0` and `1.4.1` are
//! on the track `1`, `0.2.6` and `0.2.12` on the track `0.2`. A version `0.0.x`
//! and a pre-release are alone on theirs. The same rule is used by `wac` and by
//! hosts such as wasmtime when they look a name up.

use semver::Version;
use wac_types::{NameMap, NameMapNoIntern, are_semver_compatible};

/// Whether `a` and `b` name the same interface on the same version track.
pub(crate) fn same_track(a: &str, b: &str) -> bool {
    are_semver_compatible(a, b)
}

/// Whether `a` and `b` name the same interface, but on different version tracks:
/// what people get wrong when they mix releases.
pub(crate) fn same_interface_on_other_track(a: &str, b: &str) -> bool {
    let (Some((name_a, _)), Some((name_b, _))) = (a.split_once('@'), b.split_once('@')) else {
        return false;
    };
    name_a == name_b && !same_track(a, b)
}

/// Whether `pattern` means the interface `name`: it is on the same version track,
/// or has no version.
pub(crate) fn means(pattern: &str, name: &str) -> bool {
    let unversioned = name.split_once('@').map_or(name, |(name, _)| name);
    pattern == name || pattern == unversioned || same_track(pattern, name)
}

/// The one of `names` that a lookup of `wanted` finds: `wanted` itself, or else
/// the highest version on its track.
pub(crate) fn find<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let mut map = NameMap::default();
    for name in names {
        // With shadowing allowed, an insertion cannot fail.
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
    fn a_name_without_a_version_means_every_version() {
        assert!(means("a:b/c", "a:b/c@0.2.1"));
        assert!(means("a:b/c@0.2.0", "a:b/c@0.2.1"));
        assert!(means("log", "log"));
        assert!(!means("a:b/c@0.1.0", "a:b/c@0.2.1"));
        assert!(!means("a:b/d", "a:b/c@0.2.1"));
    }

    #[test]
    fn another_track_of_the_same_interface_is_a_near_miss() {
        assert!(same_interface_on_other_track("a:b/c@0.1.0", "a:b/c@0.2.0"));
        assert!(same_interface_on_other_track("a:b/c@0.0.1", "a:b/c@0.0.2"));
        assert!(!same_interface_on_other_track("a:b/c@0.2.1", "a:b/c@0.2.0"));
        assert!(!same_interface_on_other_track("a:b/c@0.1.0", "a:b/d@0.2.0"));
        assert!(!same_interface_on_other_track("log", "log"));
    }
}
