//! Folder of the code cache, whose content is executed without validation.

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::process::geteuid;

/// Sticky bit of a folder: users may rename and remove only their own files (inode(7)).
const STICKY: u32 = 0o1000;

/// Creates a folder that only the user of this process can write to, or checks an existing one. No
/// other user may be able to replace it: each parent has to belong to this user or root, and must
/// not be writable for others. Returns its path without symbolic links.
///
/// # Errors
///
/// Fails if the folder cannot be created, or other users could write to it or replace it.
pub(super) fn create_private_folder(path: &Path) -> io::Result<PathBuf> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    let path = path.canonicalize()?;
    let user = geteuid().as_raw();
    for folder in path.ancestors() {
        let found = fs::metadata(folder)?;
        let is_above = folder != path;
        let is_owned = found.uid() == user || (is_above && found.uid() == 0);
        // With the sticky bit, others can create files, but not replace those of this user.
        let is_open = found.mode() & 0o022 != 0 && !(is_above && found.mode() & STICKY != 0);
        let why = if !is_owned {
            "belongs to another user"
        } else if is_open {
            "is writable for other users; run `chmod go-w`"
        } else {
            continue;
        };
        let why = format!("`{}` {why}", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_code_folder_that_others_may_write_to_or_replace_is_rejected() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let path = root.join("a/code");
        assert_eq!(create_private_folder(&path).unwrap(), path);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        create_private_folder(&path).unwrap();
        for (folder, mode, is_private) in [
            (&path, 0o720, false),
            (&path, 0o1702, false),
            (&path, 0o750, true),
            (&root.join("a"), 0o770, false),
            (&root.join("a"), 0o707, false),
            (&root.join("a"), 0o1777, true),
            (&root.join("a"), 0o755, true),
            (&root, 0o702, false),
            (&root, 0o700, true),
        ] {
            set_mode(folder, mode);
            let checked = create_private_folder(&path);
            assert_eq!(checked.is_ok(), is_private, "{mode:o} {checked:?}");
            if let Err(error) = checked {
                assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
                let named = format!("`{}`", folder.display());
                assert!(error.to_string().contains(&named), "{error}");
            }
            set_mode(folder, 0o700);
        }
    }

    #[test]
    fn a_code_folder_behind_a_symbolic_link_is_checked_at_its_target() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("open/code")).unwrap();
        symlink(root.join("open"), root.join("link")).unwrap();
        let path = root.join("link/code");
        set_mode(&root.join("open/code"), 0o700);
        set_mode(&root.join("open"), 0o777);
        create_private_folder(&path).unwrap_err();
        set_mode(&root.join("open"), 0o755);
        assert_eq!(
            create_private_folder(&path).unwrap(),
            root.join("open/code")
        );
    }
}
