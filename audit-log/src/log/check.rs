//! Whether a log could be opened, found out without changing anything.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::fs::Access;

use super::{AuditLog, Settings, resume};
use crate::Location;
use crate::key::{KeyError, SigningKey};
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
        if let Some(path) = location.path() {
            check_log(location, path, folder, settings.node.as_deref())?;
        }
        let beside = location.beside("key");
        match (&settings.key, &beside) {
            (Some(path), _) => check_key(path, Folder::MustExist)?,
            (None, Some(path)) => check_key(path, folder)?,
            (None, None) => {}
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

fn check_log(
    location: &Location,
    path: &Path,
    folder: Folder,
    node: Option<&str>,
) -> Result<(), OpenError> {
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
        Ok(_) if is_database => return Err(not_a_log("it is no regular file")),
        // A pipe or a device, which may not be opened for nothing.
        Ok(_) => return access(path, Access::WRITE_OK).map_err(io_error),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(io_error(error)),
    };
    let Some(size) = size else {
        return check_folder(folder_of(path), folder).map_err(io_error);
    };
    if is_database {
        // SQLite has files of its own beside it.
        check_folder(folder_of(path), Folder::MustExist).map_err(io_error)?;
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .append(true)
        .open(path)
        .map_err(io_error)?;
    if size == 0 {
        return Ok(());
    }
    if !is_database && !is_log(&mut file, size).map_err(io_error)? {
        return Err(not_a_log("it does not end with an audit record"));
    }
    resume::check(location, node)
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
