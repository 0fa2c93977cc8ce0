//! Resolution of a path: the directory entries that determine its target.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::{self, Component, Path, PathBuf};

/// Maximum number of links that the system follows (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// The target of a path, and the directory entries that determine it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedPath {
    /// Each link on the path and the target, or else the first missing entry. No folder of these
    /// paths is a link.
    pub(super) entries: Vec<PathBuf>,
    /// The target, if it exists.
    pub(super) end: Option<PathBuf>,
}

impl ResolvedPath {
    /// Resolves `path` as it is now.
    pub(super) fn of(path: &Path) -> Self {
        let mut resolved = Self {
            entries: Vec::new(),
            end: None,
        };
        let Ok(path) = path::absolute(path) else {
            return resolved;
        };
        let mut here = PathBuf::new();
        let mut rest = VecDeque::from(names(&path));
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            let entry = here.join(&name);
            if name == ".." {
                here.pop();
                continue;
            }
            let Ok(found) = fs::symlink_metadata(&entry) else {
                resolved.entries.push(entry);
                return resolved;
            };
            if found.is_symlink() {
                links += 1;
                let target = fs::read_link(&entry);
                resolved.entries.push(entry);
                let Ok(target) = target else { return resolved };
                if links > MAX_LINKS {
                    return resolved;
                }
                // An absolute target begins with the root, which replaces `here`.
                rest = names(&target).into_iter().chain(rest).collect();
            } else {
                here = entry;
            }
        }
        resolved.entries.push(here.clone());
        resolved.end = Some(here);
        resolved
    }
}

/// The components of a path, of which the first may be the root.
fn names(path: &Path) -> Vec<OsString> {
    let parts = path.components();
    let parts = parts.filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn resolved_path_has_all_links_the_target_and_the_missing_entry() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        fs::create_dir_all(at("f/..v1")).unwrap();
        fs::write(at("f/..v1/app.wasm"), "").unwrap();
        symlink("..v1", at("f/..data")).unwrap();
        symlink("..data/app.wasm", at("f/app.wasm")).unwrap();
        symlink(at("f"), at("absolute")).unwrap();
        symlink("../f/./app.wasm", at("f/around.wasm")).unwrap();
        symlink("loop", at("loop")).unwrap();

        let end = "f/..v1/app.wasm";
        for (path, links) in [
            ("f/..v1/app.wasm", &[][..]),
            ("f/app.wasm", &["f/app.wasm", "f/..data"]),
            ("absolute/app.wasm", &["absolute", "f/app.wasm", "f/..data"]),
            (
                "f/around.wasm",
                &["f/around.wasm", "f/app.wasm", "f/..data"],
            ),
        ] {
            let resolved = ResolvedPath::of(&at(path));
            let entries = links.iter().chain([&end]).map(|name| at(name));
            assert_eq!(resolved.entries, entries.collect::<Vec<_>>(), "{path}");
            assert_eq!(resolved.end, Some(at(end)), "{path}");
        }
        let missing = ResolvedPath::of(&at("f/gone/below/x.wasm"));
        assert_eq!(missing.entries, [at("f/gone")]);
        assert_eq!(missing.end, None);
        assert_eq!(ResolvedPath::of(&at("loop")).end, None);
    }
}
