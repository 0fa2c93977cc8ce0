//! Where records go.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::record::Record;

/// Takes records, in order, from the one thread that writes them.
pub trait Sink: Send + 'static {
    /// The sequence of the last record that is there already, 0 if none is.
    fn last_sequence(&self) -> u64;

    /// Takes `records`. When this returns `Ok`, they are as durable as this sink
    /// promises.
    ///
    /// # Errors
    ///
    /// Fails if the records could not be written. A sink that cannot take back
    /// what it wrote of them takes nothing more.
    fn write(&mut self, records: &[Record]) -> io::Result<()>;
}

/// One line of JSON for each record, on standard error or at the end of a file.
///
/// A record that was taken has been handed to the operating system: it outlives
/// a crash of this process, but not necessarily one of the machine.
pub struct JsonLines {
    target: Target,
    last_sequence: u64,
    buffer: Vec<u8>,
}

enum Target {
    /// A regular file, and its length without a line that was written in part.
    File(File, u64),
    /// Standard error, a pipe or a device, which cannot be repaired: after a
    /// failed write it may hold part of the records and part of a line, so
    /// nothing more is written.
    Stream {
        stream: Box<dyn Write + Send>,
        failed: bool,
    },
}

/// Why a file cannot be used as an audit log.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system does not allow it.
    #[error("cannot open the audit file `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Another process appends to it, and the two would break each other's
    /// sequences.
    #[error("another process writes to the audit file `{}`; name another file", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else, which must not be mixed with audit records.
    #[error(
        "`{}` does not end with an audit record; name a new file, or the audit file of an earlier run",
        path.display()
    )]
    NotAnAuditFile {
        /// The file.
        path: PathBuf,
    },
}

impl JsonLines {
    /// Writes to standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Self::stream(io::stderr())
    }

    /// Appends to the file at `path`, which is made if it is not there, for the
    /// user alone. The sequence goes on where the file ends; a last line that
    /// was written only in part is taken off.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be opened or holds something else.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let io_error = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(io_error)?;
        if !file.metadata().map_err(io_error)?.is_file() {
            return Ok(Self::stream(file));
        }
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(source) => io_error(source),
            TryLockError::WouldBlock => OpenError::InUse {
                path: path.to_owned(),
            },
        })?;

        let (length, last_line) = last_line(path).map_err(io_error)?;
        let last_sequence = match last_line {
            None => 0,
            Some(line) => sequence(&line).ok_or_else(|| OpenError::NotAnAuditFile {
                path: path.to_owned(),
            })?,
        };
        let end = file.seek(SeekFrom::End(0)).map_err(io_error)?;
        if length < end {
            let bytes = end - length;
            tracing::warn!("took off {bytes} bytes of an unfinished record from the audit file");
            file.set_len(length).map_err(io_error)?;
        }
        Ok(Self::new(Target::File(file, length), last_sequence))
    }

    fn stream(stream: impl Write + Send + 'static) -> Self {
        let target = Target::Stream {
            stream: Box::new(stream),
            failed: false,
        };
        Self::new(target, 0)
    }

    fn new(target: Target, last_sequence: u64) -> Self {
        Self {
            target,
            last_sequence,
            buffer: Vec::new(),
        }
    }
}

impl Sink for JsonLines {
    fn last_sequence(&self) -> u64 {
        self.last_sequence
    }

    fn write(&mut self, records: &[Record]) -> io::Result<()> {
        self.buffer.clear();
        for record in records {
            record.write_line(&mut self.buffer)?;
        }
        match &mut self.target {
            Target::File(file, length) => {
                if let Err(error) = file.write_all(&self.buffer) {
                    file.set_len(*length)?;
                    return Err(error);
                }
                *length += self.buffer.len() as u64;
                Ok(())
            }
            Target::Stream { failed: true, .. } => {
                Err(io::Error::other("an earlier write to this stream failed"))
            }
            Target::Stream { stream, failed } => {
                let result = stream.write_all(&self.buffer);
                *failed = result.is_err();
                result
            }
        }
    }
}

/// How every line of the log begins.
const LINE_START: &[u8] = br#"{"host":{"sequence":"#;

/// Finds the end of the last complete line of a file, and that line.
fn last_line(path: &Path) -> io::Result<(u64, Option<Vec<u8>>)> {
    /// More than two of the longest records take.
    const TAIL_BYTES: u64 = 128 * 1024;

    let mut file = File::open(path)?;
    let start = file.seek(SeekFrom::End(0))?.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;

    let Some(end) = tail.iter().rposition(|&byte| byte == b'\n') else {
        // There is nothing yet, or the first record is unfinished, or this is
        // something else.
        let is_record = start == 0 && (tail.is_empty() || tail.starts_with(LINE_START));
        return Ok((0, (!is_record).then_some(tail)));
    };
    let line = tail[..end].rsplit(|&byte| byte == b'\n').next();
    Ok((start + end as u64 + 1, line.map(<[u8]>::to_vec)))
}

/// Reads the sequence out of a line of the log.
fn sequence(line: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Line {
        host: Host,
    }
    #[derive(Deserialize)]
    struct Host {
        sequence: u64,
    }
    let line: Line = serde_json::from_slice(line).ok()?;
    Some(line.host.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RequestId;
    use crate::audit::record::{Entry, Host, Outcome};

    fn record(sequence: u64) -> Record {
        Record {
            host: Host {
                sequence,
                time: jiff::Timestamp::UNIX_EPOCH,
                component: "sha256:00".into(),
                request_id: RequestId::next(),
            },
            guest: Entry {
                action: "act".to_owned(),
                outcome: Outcome::Success,
                resource: None,
                attributes: vec![],
            },
        }
    }

    #[test]
    fn a_file_is_continued_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut sink = JsonLines::open(&path).unwrap();
        assert_eq!(sink.last_sequence(), 0);
        sink.write(&[record(1), record(2)]).unwrap();
        drop(sink);

        assert_eq!(JsonLines::open(&path).unwrap().last_sequence(), 2);
    }

    #[test]
    fn an_unfinished_record_is_taken_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut sink = JsonLines::open(&path).unwrap();
        sink.write(&[record(1)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        sink.write(&[record(2)]).unwrap();
        drop(sink);
        let torn = std::fs::read(&path).unwrap();
        std::fs::write(&path, &torn[..torn.len() - 5]).unwrap();

        assert_eq!(JsonLines::open(&path).unwrap().last_sequence(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn an_unfinished_first_record_is_taken_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, br#"{"host":{"sequence":1,"ti"#).unwrap();
        assert_eq!(JsonLines::open(&path).unwrap().last_sequence(), 0);
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn two_writers_cannot_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let first = JsonLines::open(&path).unwrap();
        let error = JsonLines::open(&path).err().unwrap().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(first);
        assert!(JsonLines::open(&path).is_ok());
    }

    #[test]
    fn another_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        for text in ["dear diary", "dear diary\n", "{}\n", "\n"] {
            std::fs::write(&path, text).unwrap();
            let error = JsonLines::open(&path).err().unwrap().to_string();
            assert!(error.contains("notes.txt` does not end with an audit record"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_takes_no_record() {
        let mut sink = JsonLines::open(Path::new("/dev/full")).unwrap();
        assert!(sink.write(&[record(1)]).is_err());
        assert!(sink.write(&[record(1)]).is_err());
    }
}
