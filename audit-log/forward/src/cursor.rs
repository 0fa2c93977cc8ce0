//! How far a log was forwarded, in a file beside it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use audit_log::regular_file;

/// How often the file is written at most.
const SAVE_INTERVAL: Duration = Duration::from_millis(100);

/// How long the file may be. A longer one is no cursor.
const MAX_BYTES: u64 = 4096;

/// The record up to which everything has arrived.
///
/// It is one line of always the same length, written in place and not synced: who
/// loses it sends some records again.
#[derive(Debug)]
pub(crate) struct Cursor {
    file: File,
    node: String,
    sequence: u64,
    /// What the file says.
    saved: u64,
    last_save: Option<Instant>,
    is_failing: bool,
}

impl Cursor {
    /// Reads the file at `path`, or makes it. What another log has left there, or
    /// this one before it was begun anew, does not count.
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
                let why = match found {
                    Some(found) => {
                        format!("it names the record {found}, and the log ends at {written}")
                    }
                    None => format!("it is not about the node `{node}`"),
                };
                tracing::warn!(
                    "the audit log is forwarded from its beginning, because `{}` is of no use: \
                     {why}",
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

    /// Moves to `sequence`, and now and then tells the file.
    pub(crate) fn set(&mut self, sequence: u64) {
        self.sequence = sequence;
        if self
            .last_save
            .is_none_or(|at| at.elapsed() >= SAVE_INTERVAL)
        {
            self.save();
        }
    }

    /// Tells the file, if it does not know yet.
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
                tracing::warn!("cannot write down how far the audit log was forwarded: {error}");
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

/// The sequence that `text` names, if it is about `node`.
fn parse(text: &[u8], node: &str) -> Option<u64> {
    let line = str::from_utf8(text).ok()?.strip_suffix('\n')?;
    let (sequence, found) = line.split_once(' ')?;
    (found == node).then(|| sequence.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_found_again() {
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
    fn a_cursor_that_is_not_about_this_log_does_not_count() {
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
