//! The folder of a file.

use std::fs::File;
use std::io;
use std::path::Path;

/// The folder of `path`, which is `.` for a name without a folder.
pub(crate) fn folder_of(path: &Path) -> &Path {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Syncs the folder of `path`, so that a new name in it is durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}
