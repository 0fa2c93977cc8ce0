//! Checks of owner and mode: files and folders that other users must not change or read.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// User id of the superuser.
const ROOT: u32 = 0;

/// Write access for group or others.
const OTHERS_WRITE: u32 = 0o022;

/// Read access for others, or write access for group or others. The group may have read access: a
/// service that renews the file may be in it.
const OTHERS_READ_OR_WRITE: u32 = OTHERS_WRITE | 0o004;

/// Sticky bit of a folder: users may rename and remove only their own files.
const STICKY: u32 = 0o1000;

/// Checks that no other user can change the file or folder at `path`.
///
/// # Errors
///
/// Fails if another user can, with the command that takes the access away.
pub fn check_private(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path)?;
    check_owner(&found)?;
    check_mode(&found, path)
}

/// Checks that no other user can replace the file or folder at `path`: no parent folder is
/// world-writable, unless its sticky bit is set.
///
/// # Errors
///
/// Names the folder, and the command that takes the access away.
pub fn check_parents(path: &Path) -> io::Result<()> {
    let path = path.canonicalize()?;
    for parent in path.ancestors().skip(1) {
        let mode = fs::metadata(parent)?.mode();
        if mode & 0o002 != 0 && mode & STICKY == 0 {
            return Err(denied(format!(
                "`{0}` is world-writable (mode {1:03o}); run `chmod o-w {0}`",
                parent.display(),
                mode & 0o777
            )));
        }
    }
    Ok(())
}

/// Reads a secret of up to `max_bytes` from a file that other users cannot write and the world
/// cannot read.
///
/// # Errors
///
/// Fails if the file cannot be read, is larger than `max_bytes`, or gives other users access; the
/// error has the command that takes it away.
pub fn read_secret(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    // Opening a named pipe without a writer would block.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    check_owner(&found)?;
    if found.is_file() && found.mode() & OTHERS_READ_OR_WRITE != 0 {
        return Err(denied(format!(
            "other users have read or write access (mode {:03o}); run `chmod 600 {}`",
            found.mode() & 0o777,
            path.display()
        )));
    }
    let mut bytes = Vec::new();
    let read = file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if read as u64 > max_bytes {
        let why = format!("file too large; at most {max_bytes} bytes are allowed");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// Checks that no other user can write the file at `path`. All may read it: platforms mount secrets
/// into containers with such modes.
///
/// # Errors
///
/// Fails if another user can, with the command that takes the access away.
pub fn check_not_writable_by_others(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path)?;
    check_owner(&found)?;
    if found.is_file() {
        check_mode(&found, path)?;
    }
    Ok(())
}

/// Checks that its mode gives no other user write access.
fn check_mode(found: &Metadata, path: &Path) -> io::Result<()> {
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(denied(format!(
            "other users have write access (mode {:03o}); run `chmod go-w {}`",
            found.mode() & 0o777,
            path.display()
        )));
    }
    Ok(())
}

/// Opens a lock file, or creates it. Its content stays unchanged, and symbolic links are not
/// followed.
///
/// # Errors
///
/// Fails if it cannot be opened, or is not a regular file.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.mode(0o600).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(file)
}

fn check_owner(found: &Metadata) -> io::Result<()> {
    let user = geteuid().as_raw();
    if found.uid() == user || found.uid() == ROOT {
        return Ok(());
    }
    Err(denied(format!(
        "the owner is user {}, and this process runs as user {user}; run `chown {user}`",
        found.uid()
    )))
}

fn denied(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn secret(folder: &Path, mode: u32) -> PathBuf {
        let path = folder.join("secret");
        fs::write(&path, "abc").unwrap();
        chmod(&path, mode);
        path
    }

    #[test]
    fn read_secret_rejects_modes_0644_0666_and_0660_with_chmod_600() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o644, 0o666, 0o660, 0o602, 0o604] {
            let error = read_secret(&secret(folder.path(), mode), 3).unwrap_err();
            assert!(
                error.to_string().contains("`chmod 600 "),
                "{mode:o}: {error}"
            );
        }
        for mode in [0o600, 0o400, 0o640] {
            let read = read_secret(&secret(folder.path(), mode), 3);
            assert_eq!(read.unwrap(), b"abc", "{mode:o}");
        }
        let error = read_secret(&secret(folder.path(), 0o600), 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn check_not_writable_by_others_accepts_0644_and_rejects_0620() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o444, 0o644] {
            assert!(check_not_writable_by_others(&secret(folder.path(), mode)).is_ok());
        }
        for mode in [0o620, 0o602, 0o666] {
            let error = check_not_writable_by_others(&secret(folder.path(), mode)).unwrap_err();
            assert!(error.to_string().contains("`chmod go-w "), "{error}");
        }
    }

    #[test]
    fn check_private_rejects_writable_folders_and_check_parents_accepts_a_sticky_one() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        fs::create_dir(&below).unwrap();
        assert!(check_private(&below).is_ok());
        assert!(check_parents(&below).is_ok());
        for mode in [0o777, 0o770, 0o702] {
            chmod(&below, mode);
            let error = check_private(&below).unwrap_err().to_string();
            assert!(error.contains("`chmod go-w "), "{mode:o}: {error}");
        }
        chmod(folder.path(), 0o777);
        let error = check_parents(&below).unwrap_err().to_string();
        assert!(error.contains("`chmod o-w "), "{error}");
        chmod(folder.path(), 0o1777);
        assert!(check_parents(&below).is_ok());
    }

    #[test]
    fn open_lock_does_not_truncate_or_follow_a_symbolic_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "precious").unwrap();
        drop(open_lock(&file).unwrap());
        symlink(&file, &link).unwrap();
        assert!(open_lock(&link).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"precious");
        let made = folder.path().join("made");
        let made = open_lock(&made).unwrap().metadata().unwrap();
        assert_eq!(made.mode() & 0o777, 0o600);
    }
}
