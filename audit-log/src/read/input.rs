//! The source of a log's bytes: a file, or memory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

#[derive(Debug)]
pub(super) enum Input {
    File(File),
    Memory(Cursor<Vec<u8>>),
}

impl Input {
    /// Opens the file at `path`, without waiting for the writer of a pipe.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;

            options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        }
        options.read(true).open(path).map(Self::File)
    }

    /// The read buffer size in bytes.
    pub(super) fn buffer_bytes(&self) -> usize {
        match self {
            Self::File(_) => 256 * 1024,
            Self::Memory(_) => 4 * 1024,
        }
    }

    pub(super) fn is_regular(&self) -> io::Result<bool> {
        Ok(match self {
            Self::File(file) => file.metadata()?.is_file(),
            Self::Memory(_) => true,
        })
    }

    /// The current size in bytes.
    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(match self {
            Self::File(file) => file.metadata()?.len(),
            Self::Memory(bytes) => bytes.get_ref().len() as u64,
        })
    }

    /// Whether a process holds the writer lock.
    pub(super) fn has_writer(&self) -> io::Result<bool> {
        let Self::File(file) = self else {
            return Ok(false);
        };
        match file.try_lock_shared() {
            Ok(()) => file.unlock().map(|()| false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether `path` now leads to another file.
    pub(super) fn is_replaced(&self, path: &Path) -> bool {
        let Self::File(file) = self else {
            return false;
        };
        is_other_file(file, path).unwrap_or(false)
    }
}

/// Whether `path` leads to another file than `file`.
pub(crate) fn is_other_file(file: &File, path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;

        let (open, named) = (file.metadata()?, std::fs::metadata(path)?);
        Ok((open.dev(), open.ino()) != (named.dev(), named.ino()))
    }
    #[cfg(not(unix))]
    {
        // An open file cannot be replaced on these systems.
        let _ = (file, path);
        Ok(false)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Memory(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for Input {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(position),
            Self::Memory(bytes) => bytes.seek(position),
        }
    }
}
