//! Reading the records of a file.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::input::Input;
use super::{Line, ReadError, Start};
use crate::record::TOMBSTONE_START;

#[derive(Debug)]
pub(super) struct JsonLines {
    path: PathBuf,
    file: BufReader<Input>,
    /// The end of the last line that was read, in bytes.
    position: u64,
    tombstones: Vec<Vec<u8>>,
    /// The last line read; unfinished if it has no line feed.
    line: Vec<u8>,
    /// Whether `line` is yet to be returned.
    is_pending: bool,
    /// The start of the last returned record, in bytes.
    last: Option<u64>,
    /// Whether to keep reading this file after it was replaced.
    is_snapshot: bool,
}

impl JsonLines {
    pub(super) fn open(path: &Path, start: Start) -> Result<Self, ReadError> {
        let fail = |source| error(path, source);
        let file = Input::open(path).map_err(fail)?;
        if !file.is_regular().map_err(fail)? {
            return Err(ReadError::NotALog {
                path: path.to_owned(),
                reason: "not a regular file".to_owned(),
            });
        }
        let mut reader = Self::new(path, file);
        reader.skip_tombstones().map_err(fail)?;
        match start {
            Start::First => {}
            Start::After(sequence) => reader.skip_to_after(sequence).map_err(fail)?,
            Start::Last(count) => reader.skip_to_last(count).map_err(fail)?,
        }
        Ok(reader)
    }

    /// Reads a log in memory.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        let input = Input::Memory(io::Cursor::new(bytes));
        let mut reader = Self::new(Path::new("memory"), input);
        reader.skip_tombstones().expect("memory can be read");
        reader
    }

    fn new(path: &Path, input: Input) -> Self {
        Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(input.buffer_bytes(), input),
            position: 0,
            tombstones: Vec::new(),
            line: Vec::new(),
            is_pending: false,
            last: None,
            is_snapshot: false,
        }
    }

    pub(super) fn snapshot(&mut self) {
        self.is_snapshot = true;
    }

    /// Reads one line into `line`. Returns whether it is complete; if not, a later call
    /// continues it.
    fn read_line(&mut self) -> io::Result<bool> {
        if self.is_pending {
            self.is_pending = false;
            return Ok(true);
        }
        if self.line.ends_with(b"\n") {
            self.line.clear();
        }
        self.file.read_until(b'\n', &mut self.line)?;
        let complete = self.line.ends_with(b"\n");
        if complete {
            self.position += self.line.len() as u64;
        }
        Ok(complete)
    }

    fn skip_tombstones(&mut self) -> io::Result<()> {
        while self.read_line()? {
            if !self.line.starts_with(TOMBSTONE_START) {
                self.is_pending = true;
                break;
            }
            let line = &self.line[..self.line.len() - 1];
            self.tombstones.push(line.to_vec());
        }
        Ok(())
    }

    fn skip_to_after(&mut self, sequence: u64) -> io::Result<()> {
        while self.read_line()? {
            if sequence_of(&self.line).is_none_or(|found| found > sequence) {
                self.is_pending = true;
                break;
            }
        }
        Ok(())
    }

    fn skip_to_last(&mut self, count: u64) -> io::Result<()> {
        const CHUNK_BYTES: u64 = 64 * 1024;

        if !self.is_pending {
            return Ok(());
        }
        let first = self.position - self.line.len() as u64;
        let mut end = self.file.seek(SeekFrom::End(0))?;
        // Counts line feeds from the end: the last one is before the first wanted record.
        let mut wanted = count.saturating_add(1);
        let mut begin = first;
        while end > first {
            let from = end.saturating_sub(CHUNK_BYTES).max(first);
            let mut chunk = Vec::new();
            self.file.seek(SeekFrom::Start(from))?;
            (&mut self.file).take(end - from).read_to_end(&mut chunk)?;
            let feeds = chunk.iter().enumerate().rev();
            let mut feeds = feeds.filter(|&(_, &byte)| byte == b'\n');
            if let Some((at, _)) = feeds.find(|_| {
                wanted -= 1;
                wanted == 0
            }) {
                begin = from + at as u64 + 1;
                break;
            }
            end = from;
        }
        self.file.seek(SeekFrom::Start(begin))?;
        self.position = begin;
        self.line.clear();
        self.is_pending = false;
        Ok(())
    }

    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        let mut complete = self.read_line().map_err(|e| error(&self.path, e))?;
        // Pruning replaces the file.
        if !complete && !self.is_snapshot && self.file.get_ref().is_replaced(&self.path) {
            self.reopen()?;
            complete = self.read_line().map_err(|e| error(&self.path, e))?;
        }
        if !complete {
            return Ok(None);
        }
        self.last = Some(self.position - self.line.len() as u64);
        Ok(Some(Line {
            key: None,
            bytes: &self.line[..self.line.len() - 1],
            position: self.position,
        }))
    }

    /// Continues in the file that replaced this one, after the last returned record.
    fn reopen(&mut self) -> Result<(), ReadError> {
        let mut start = Start::First;
        if let Some(last) = self.last {
            let mut line = Vec::new();
            let read = self.file.seek(SeekFrom::Start(last));
            read.and_then(|_| self.file.read_until(b'\n', &mut line))
                .map_err(|e| error(&self.path, e))?;
            start = sequence_of(&line).map_or(Start::First, Start::After);
        }
        *self = Self::open(&self.path, start)?;
        Ok(())
    }

    /// The number of bytes of an unfinished last line, or 0 while a server writes the file.
    pub(super) fn unfinished_bytes(&self) -> Result<u64, ReadError> {
        if self.line.is_empty() || self.line.ends_with(b"\n") {
            return Ok(0);
        }
        Ok(if self.has_writer()? {
            0
        } else {
            self.line.len() as u64
        })
    }

    pub(super) fn has_writer(&self) -> Result<bool, ReadError> {
        let is_written = self.file.get_ref().has_writer();
        is_written.map_err(|e| error(&self.path, e))
    }

    pub(super) fn tombstones(&self) -> &[Vec<u8>] {
        &self.tombstones
    }

    pub(super) fn size(&self) -> Result<u64, ReadError> {
        let size = self.file.get_ref().size();
        size.map_err(|e| error(&self.path, e))
    }
}

fn error(path: &Path, source: io::Error) -> ReadError {
    let path = path.to_owned();
    ReadError::Io { path, source }
}

/// The sequence in a record.
fn sequence_of(line: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Record {
        host: Host,
    }
    #[derive(Deserialize)]
    struct Host {
        sequence: u64,
    }
    let record: Record = serde_json::from_slice(line).ok()?;
    Some(record.host.sequence)
}
