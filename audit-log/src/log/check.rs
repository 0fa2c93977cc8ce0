//! Whether a log could be opened, found out without changing anything.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::Access;

use super::{AuditLog, Settings, find_key, resume};
use crate::Location;
use crate::key::{KeyError, PublicKey, SigningKey};
use crate::store::{OpenError, complete_length};

/// What may have to be made before a file can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// Its folder is there, or nothing is written.
    MustExist,
    /// Whoever opens the log makes the folder.
    IsMade,
}

impl AuditLog {
    /// Finds what would keep [`AuditLog::open`] from opening a log with these settings, as
    /// far as that can be seen without making or changing a file. It does not matter
    /// whether another process writes the log at the moment: this may be asked before
    /// that process is started anew.
    ///
    /// # Errors
    ///
    /// Fails like [`AuditLog::open`].
    pub fn check(settings: &Settings, folder: Folder) -> Result<(), OpenError> {
        let location = &settings.location;
        if *location == Location::None {
            return Ok(());
        }
        let signer = match location.path() {
            Some(path) => check_log(settings, path, folder)?,
            None => None,
        };
        let beside = location.beside("key");
        let (key, folder) = match &settings.key {
            Some(path) => (Some(path), Folder::MustExist),
            None => (beside.as_ref(), folder),
        };
        match (key, signer) {
            (Some(path), Some(signer)) if find_key(path)?.is_none() => {
                return Err(OpenError::KeyMissing {
                    location: location.clone(),
                    path: path.to_owned(),
                    signer: signer.into(),
                });
            }
            (Some(path), _) => check_key(path, folder)?,
            (None, _) => {}
        }
        if let Some(path) = &settings.checkpoints {
            check_folder(path, Folder::IsMade).map_err(|source| OpenError::Copies {
                path: path.clone(),
                source,
            })?;
        }
        Ok(())
    }
}

/// Returns the key that signed the log last.
fn check_log(
    settings: &Settings,
    path: &Path,
    folder: Folder,
) -> Result<Option<PublicKey>, OpenError> {
    let location = &settings.location;
    let io_error = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    let not_a_log = |why: &str| OpenError::NotALog {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let is_database = matches!(location, Location::Sqlite(_));
    let size = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(io_error(io::ErrorKind::IsADirectory.into()));
        }
        Ok(metadata) if metadata.is_file() => Some(metadata.len()),
        Ok(_) if is_database => return Err(not_a_log("it is not a regular file")),
        // A pipe or a device, which may not be opened for nothing.
        Ok(_) => {
            access(path, Access::WRITE_OK).map_err(io_error)?;
            return Ok(None);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(io_error(error)),
    };
    let Some(size) = size else {
        check_folder(folder_of(path), folder).map_err(io_error)?;
        return resume::check_new(settings).map(|()| None);
    };
    // To open and close a database would take away the locks that SQLite has on it.
    access(path, Access::READ_OK | Access::WRITE_OK).map_err(io_error)?;
    if size == 0 {
        return resume::check_new(settings).map(|()| None);
    }
    if is_database {
        // SQLite has files of its own beside it.
        check_folder(folder_of(path), Folder::MustExist).map_err(io_error)?;
    } else {
        let mut file = File::open(path).map_err(io_error)?;
        if !is_log(&mut file, size).map_err(io_error)? {
            return Err(not_a_log("it does not end with an audit record"));
        }
    }
    resume::check(settings)
}

fn is_log(file: &mut File, size: u64) -> io::Result<bool> {
    Ok(complete_length(file, size)?.is_some())
}

fn check_key(path: &Path, folder: Folder) -> Result<(), OpenError> {
    match SigningKey::open(path) {
        Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            check_folder(folder_of(path), folder).map_err(|source| {
                OpenError::Key(KeyError::Io {
                    action: "make",
                    path: path.to_owned(),
                    source,
                })
            })
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Checks that files can be made in `folder`, or where it has to be made.
fn check_folder(folder: &Path, is_made: Folder) -> io::Result<()> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => access(folder, Access::WRITE_OK | Access::EXEC_OK),
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_made == Folder::IsMade => {
            check_folder(folder_of(folder), is_made)
        }
        Err(error) => Err(error),
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

fn access(path: &Path, access: Access) -> io::Result<()> {
    Ok(rustix::fs::access(path, access)?)
}
