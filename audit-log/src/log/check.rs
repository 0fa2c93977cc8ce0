//! Dry run of opening a log, without changing files.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::Access;

use super::{AuditLog, Settings, find_key, resume};
use crate::Location;
use crate::folder::folder_of;
use crate::key::{KeyError, PublicKey, SigningKey};
use crate::store::{OpenError, complete_length};

/// Whether the folder of a log may be missing in a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// The folder must exist.
    MustExist,
    /// The caller creates the folder before it opens the log.
    MayBeCreated,
}

impl AuditLog {
    /// Checks whether [`AuditLog::open`] would succeed with these settings, without creating or
    /// changing a file. A log that another process is writing passes, because this may be called
    /// before that process is restarted.
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
        let default_key = location.sibling("key");
        let (key, folder) = match &settings.key {
            Some(path) => (Some(path), Folder::MustExist),
            None => (default_key.as_ref(), folder),
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
            check_folder(path, Folder::MayBeCreated).map_err(|source| OpenError::Copies {
                path: path.clone(),
                source,
            })?;
        }
        Ok(())
    }
}

/// Checks the file of the log. Returns the key of its last signature.
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
    let not_a_log = |reason: &str| OpenError::NotALog {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let is_database = matches!(location, Location::Sqlite(_));
    let size = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(io_error(io::ErrorKind::IsADirectory.into()));
        }
        Ok(metadata) if metadata.is_file() => Some(metadata.len()),
        Ok(_) if is_database => return Err(not_a_log("not a regular file")),
        // Opening a pipe or a device may have side effects.
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
    // Opening and closing a database would release the locks of SQLite on it.
    access(path, Access::READ_OK | Access::WRITE_OK).map_err(io_error)?;
    if size == 0 {
        return resume::check_new(settings).map(|()| None);
    }
    if is_database {
        // SQLite creates its own files in the folder.
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
                    action: "create",
                    path: path.to_owned(),
                    source,
                })
            })
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

/// Checks that files can be created in `folder`, or that it can be created.
fn check_folder(folder: &Path, requirement: Folder) -> io::Result<()> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => access(folder, Access::WRITE_OK | Access::EXEC_OK),
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && requirement == Folder::MayBeCreated =>
        {
            check_folder(folder_of(folder), requirement)
        }
        Err(error) => Err(error),
    }
}

fn access(path: &Path, access: Access) -> io::Result<()> {
    Ok(rustix::fs::access(path, access)?)
}
