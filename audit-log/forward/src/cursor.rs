//! The position of forwarding in a log, in a file in the same folder.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use audit_log::regular_file;

/// The minimum interval between two writes of the file.
const SAVE_INTERVAL: Duration = Duration::from_millis(100);

/// The maximum bytes of a cursor file.
const MAX_BYTES: u64 = 4096;

/// The last record of the settled ones, which have arrived or will not be sent.
///
/// The file is one line of constant length, overwritten in place and not synced: without it,
/// some records are sent again.
#[derive(Debug)]
pub(crate) struct Cursor {
    file: File,
    node: String,
    sequence: u64,
    /// The sequence in the file.
    saved: u64,
    last_save: Option<Instant>,
    is_failing: bool,
}

impl Cursor {
    /// Reads or creates the file at `path`. A cursor of another log, or one beyond `written`, is
    /// ignored.
    pub(crate) fn open(path: &Path, node: &str, written: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = regular_file::open(path, &mut options)?;
        let mut text = Vec::new();
        (&mut file).take(MAX_BYTES).read_to_end(&mut text)?;
        let sequence = match parse(&text, node) {
            _ if text.is_empty() => 0,
            Some(sequence) if sequence <= written => sequence,
            found => {
                let reason = match found {
                    Some(found) => {
                        format!("it names record {found}, and the log ends with record {written}")
                    }
                    None => format!("it does not name the node `{node}`"),
                };
                tracing::warn!(
                    "the audit log is forwarded from its beginning, because the cursor `{}` is \
                     invalid: {reason}",
                    path.display()
                );
                0
            }
        };
        let mut cursor = Self {
            file,
            node: node.to_owned(),
            sequence,
            saved: sequence,
            last_save: None,
            is_failing: false,
        };
        if text != cursor.line().as_bytes() {
            cursor.file.set_len(0)?;
            cursor.write()?;
        }
        Ok(cursor)
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Moves to `sequence`, and writes the file if it was not written for a while.
    pub(crate) fn set(&mut self, sequence: u64) {
        self.sequence = sequence;
        if self
            .last_save
            .is_none_or(|at| at.elapsed() >= SAVE_INTERVAL)
        {
            self.save();
        }
    }

    /// Writes the file if its sequence is not the current one.
    pub(crate) fn save(&mut self) {
        if self.saved == self.sequence {
            return;
        }
        self.last_save = Some(Instant::now());
        match self.write() {
            Ok(()) => {
                self.saved = self.sequence;
                self.is_failing = false;
            }
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::warn!("cannot write the cursor of audit log forwarding: {error}");
            }
            Err(_) => {}
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let line = self.line();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(line.as_bytes())
    }

    fn line(&self) -> String {
        format!("{:020} {}\n", self.sequence, self.node)
    }
}

/// The sequence in `text`, if it names `node`.
fn parse(text: &[u8], node: &str) -> Option<u64> {
    let line = str::from_utf8(text).ok()?.strip_suffix('\n')?;
    let (sequence, found) = line.split_once(' ')?;
    (found == node).then(|| sequence.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_is_restored_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        let mut cursor = Cursor::open(&path, "n", 9).unwrap();
        assert_eq!(cursor.sequence(), 0);
        cursor.set(7);
        cursor.set(8);
        cursor.save();
        assert_eq!(Cursor::open(&path, "n", 9).unwrap().sequence(), 8);
    }

    #[test]
    fn cursor_of_another_log_or_beyond_its_end_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cursor");
        for (text, written) in [
            ("00000000000000000008 other\n", 9),
            ("00000000000000000008 n\n", 7),
            ("00000000000000000008 n", 9),
            ("00000000000000000008", 9),
            ("x n\n", 9),
            ("\0\0\0", 9),
        ] {
            std::fs::write(&path, text).unwrap();
            let cursor = Cursor::open(&path, "n", written).unwrap();
            assert_eq!(cursor.sequence(), 0, "{text}");
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text, "00000000000000000000 n\n");
        }
    }
}
