//! The file backend, one record a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::identity::FileIdentity;
use super::lock::lock_failed;
use super::{Batch, OpenError, Store, StoreError};
use crate::file_lock::LockedFile;
use crate::folder::sync_folder_of;
use crate::head::Head;
use crate::read::is_other_file;
use crate::record::{RECORD_START, TOMBSTONE_START};

pub(super) enum JsonLines {
    /// A regular file, and its length up to the last durable record.
    File {
        file: LockedFile,
        length: u64,
        identity: FileIdentity,
    },
    /// Standard output, a pipe or a device, which cannot be repaired: after a failed write it
    /// may contain a partial line.
    Stream(Box<dyn Write + Send>),
}

impl JsonLines {
    pub(super) fn stdout() -> Self {
        Self::Stream(Box::new(io::stdout()))
    }

    /// Opens the file at `path`, or creates it with mode 0600. Returns the number of bytes of
    /// an unfinished last line that were removed.
    pub(super) fn open(path: &Path) -> Result<(Self, u64), OpenError> {
        let io_error = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        #[cfg(unix)]
        if let Some(pipe) = open_pipe(path).map_err(io_error)? {
            return Ok((Self::Stream(Box::new(pipe)), 0));
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(io_error)?;
        if !file.metadata().map_err(io_error)?.is_file() {
            return Ok((Self::Stream(Box::new(file)), 0));
        }
        sync_folder_of(path).map_err(io_error)?;
        let mut file = LockedFile::try_new(file).map_err(lock_failed(path))?;
        // Pruning replaces the file before it releases the lock.
        if is_other_file(&file, path).map_err(io_error)? {
            return Err(OpenError::InUse {
                path: path.to_owned(),
            });
        }

        let size = file.metadata().map_err(io_error)?.len();
        let length = complete_length(&mut file, size).map_err(io_error)?;
        let length = length.ok_or_else(|| OpenError::NotALog {
            path: path.to_owned(),
            reason: "it does not end with an audit record".to_owned(),
        })?;
        if length < size {
            file.set_len(length).map_err(io_error)?;
            file.sync_all().map_err(io_error)?;
        }
        let metadata = file.metadata().map_err(io_error)?;
        let log = Self::File {
            identity: FileIdentity::new(path, &metadata),
            file,
            length,
        };
        Ok((log, size - length))
    }
}

/// Opens the file at `path`, if it is a pipe, for writing only: if this process also had it open
/// for reading, a pipe without another reader would accept records, and they would be lost.
///
/// # Errors
///
/// Fails if no process reads the pipe; does not wait for one.
#[cfg(unix)]
fn open_pipe(path: &Path) -> io::Result<Option<File>> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    let metadata = std::fs::metadata(path);
    if !metadata.is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return Ok(None);
    }
    let mut options = OpenOptions::new();
    options.write(true);
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let pipe = options.open(path).map_err(|error| {
        if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) {
            io::Error::other("no process reads this pipe; start its reader first")
        } else {
            error
        }
    })?;
    let flags = fcntl_getfl(&pipe)?;
    fcntl_setfl(&pipe, flags.difference(OFlags::NONBLOCK))?;
    Ok(Some(pipe))
}

impl Store for JsonLines {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        match self {
            Self::File { file, length, .. } => {
                file.write_all(batch.lines())?;
                file.sync_data()?;
                *length += batch.lines().len() as u64;
            }
            Self::Stream(stream) => {
                stream.write_all(batch.lines())?;
                stream.flush()?;
            }
        }
        // The records are durable only if their file still has its name. Otherwise they are in
        // the file and `reopen` must remove them.
        self.check().inspect_err(|_| {
            if let Self::File { length, .. } = self {
                *length -= batch.lines().len() as u64;
            }
        })
    }

    fn check(&mut self) -> Result<(), StoreError> {
        let Self::File {
            length, identity, ..
        } = self
        else {
            return Ok(());
        };
        let (size, length) = (identity.check()?, *length);
        if size == length {
            return Ok(());
        }
        let reason =
            format!("another program changed the file: expected {length} bytes, found {size}");
        Err(StoreError::Other(reason))
    }

    fn reopen(&mut self, _: Head) -> Result<(), StoreError> {
        match self {
            Self::File {
                file,
                length,
                identity,
            } => {
                // Truncates a longer file. A shorter one is an error: it must not be extended
                // with zeros.
                identity.resize(*length);
                identity.check()?;
                file.set_len(*length)?;
                file.sync_all()?;
                identity.resize(*length);
                Ok(())
            }
            Self::Stream(_) => {
                let reason = "a stream cannot be repaired after a failed write";
                Err(StoreError::Other(reason.to_owned()))
            }
        }
    }
}

/// Finds the end of the last complete line in a file of `size` bytes. Returns None if the file
/// does not begin like a log.
pub(crate) fn complete_length(file: &mut File, size: u64) -> io::Result<Option<u64>> {
    const CHUNK_BYTES: u64 = 64 * 1024;

    let mut start = vec![
        0;
        RECORD_START
            .len()
            .min(usize::try_from(size).unwrap_or(usize::MAX))
    ];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut start)?;
    let begins = |with: &[u8]| start.starts_with(&with[..with.len().min(start.len())]);
    if !begins(RECORD_START) && !begins(TOMBSTONE_START) {
        return Ok(None);
    }
    let mut end = size;
    while end > 0 {
        let begin = end.saturating_sub(CHUNK_BYTES);
        let mut chunk = Vec::new();
        file.seek(SeekFrom::Start(begin))?;
        (&mut *file).take(end - begin).read_to_end(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|&byte| byte == b'\n') {
            return Ok(Some(begin + at as u64 + 1));
        }
        end = begin;
    }
    Ok(Some(0))
}
