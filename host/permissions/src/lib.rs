//! Owners and modes of files that only the user of this process may change or read.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::geteuid;

/// The owner of everything.
const ROOT: u32 = 0;

/// Users other than the owner may write.
const OTHERS_WRITE: u32 = 0o022;

/// Everybody may read, and users other than the owner may write. A group may read: it can be
/// that of a service which renews the file.
const OTHERS_READ_OR_WRITE: u32 = OTHERS_WRITE | 0o004;

/// In such a folder, a user may rename and remove their own files alone.
const STICKY: u32 = 0o1000;

/// Checks that no other user can change what is at `path`, which is a file or a folder.
///
/// # Errors
///
/// Says who can, and what to do about it.
pub fn check_private(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path)?;
    check_owner(&found)?;
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(denied(format!(
            "other users may write there (mode {:03o}): `chmod go-w {}`",
            found.mode() & 0o777,
            path.display()
        )));
    }
    Ok(())
}

/// Checks that no other user can put something else at the place of `path`: that none of the
/// folders in which it stands is writable for everybody, unless they may rename nothing there.
///
/// # Errors
///
/// Names the folder, and what to do about it.
pub fn check_parents(path: &Path) -> io::Result<()> {
    let path = path.canonicalize()?;
    for parent in path.ancestors().skip(1) {
        let mode = fs::metadata(parent)?.mode();
        if mode & 0o002 != 0 && mode & STICKY == 0 {
            return Err(denied(format!(
                "everybody may write to `{0}` (mode {1:03o}): `chmod o-w {0}`",
                parent.display(),
                mode & 0o777
            )));
        }
    }
    Ok(())
}

/// Reads a small file with a secret, which no other user may write or everybody read.
///
/// # Errors
///
/// Fails if it cannot be read, is larger than `max_bytes`, or is open to others; then it says
/// what to do about it.
pub fn read_secret(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    // A pipe that has no writer would block.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    check_owner(&found)?;
    if found.is_file() && found.mode() & OTHERS_READ_OR_WRITE != 0 {
        return Err(denied(format!(
            "other users may read or write it (mode {:03o}): `chmod 600 {}`",
            found.mode() & 0o777,
            path.display()
        )));
    }
    let mut bytes = Vec::new();
    let read = file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if read as u64 > max_bytes {
        let why = format!("it is larger than {max_bytes} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// Checks that no other user may write the file at `path`, which all may read: platforms that
/// mount secrets into containers let them be read.
///
/// # Errors
///
/// Fails if another user may; then it says what to do about it.
pub fn check_not_writable_by_others(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path)?;
    check_owner(&found)?;
    if found.is_file() && found.mode() & OTHERS_WRITE != 0 {
        return Err(denied(format!(
            "other users may write it (mode {:03o}): `chmod go-w {}`",
            found.mode() & 0o777,
            path.display()
        )));
    }
    Ok(())
}

/// Opens the file of a lock, which is made if it does not exist. Nothing in it changes, and a
/// symbolic link is not followed.
///
/// # Errors
///
/// Fails if it cannot be opened, or is not a file.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.mode(0o600).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    Ok(file)
}

fn check_owner(found: &Metadata) -> io::Result<()> {
    let user = geteuid().as_raw();
    if found.uid() == user || found.uid() == ROOT {
        return Ok(());
    }
    Err(denied(format!(
        "it belongs to user {}, and this process is user {user}: `chown {user}`",
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
    fn a_secret_of_mode_0644_0666_or_0660_is_refused_with_chmod_600() {
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
    fn a_secret_that_all_may_read_and_no_other_may_write_is_unwritable() {
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
    fn a_folder_that_others_may_write_to_is_not_private_and_a_sticky_parent_is_safe() {
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
    fn a_lock_is_neither_truncated_nor_opened_through_a_symbolic_link() {
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
