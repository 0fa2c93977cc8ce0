//! Reading the records of a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Line, ReadError, Start};
use crate::store::TOMBSTONE_START;

#[derive(Debug)]
pub(super) struct JsonLines {
    path: PathBuf,
    file: BufReader<File>,
    /// Up to where lines were given.
    position: u64,
    tombstones: Vec<Vec<u8>>,
    /// The line that was read last; unfinished if it has no line feed.
    line: Vec<u8>,
    /// Whether `line` is the next one to be given.
    is_pending: bool,
}

impl JsonLines {
    pub(super) fn open(path: &Path, start: Start) -> Result<Self, ReadError> {
        let fail = |source| ReadError::Io {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(fail)?;
        if !file.metadata().map_err(fail)?.is_file() {
            return Err(ReadError::NotALog {
                path: path.to_owned(),
                why: "it is no regular file".to_owned(),
            });
        }
        let mut reader = Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(256 * 1024, file),
            position: 0,
            tombstones: Vec::new(),
            line: Vec::new(),
            is_pending: false,
        };
        reader.skip_tombstones().map_err(fail)?;
        match start {
            Start::First => {}
            Start::After(sequence) => reader.skip_to_after(sequence).map_err(fail)?,
            Start::Last(count) => reader.skip_to_last(count).map_err(fail)?,
        }
        Ok(reader)
    }

    /// Reads one line into `line`. Returns whether it is complete; if not, a later
    /// call goes on with it.
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
        // The line feed before the first of them is this one from the end.
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
        let complete = self.read_line().map_err(|source| ReadError::Io {
            path: self.path.clone(),
            source,
        })?;
        Ok(complete.then(|| Line {
            key: None,
            bytes: &self.line[..self.line.len() - 1],
            position: self.position,
        }))
    }

    pub(super) fn tombstones(&self) -> &[Vec<u8>] {
        &self.tombstones
    }

    pub(super) fn size(&self) -> Result<u64, ReadError> {
        let metadata = self.file.get_ref().metadata();
        let metadata = metadata.map_err(|source| ReadError::Io {
            path: self.path.clone(),
            source,
        })?;
        Ok(metadata.len())
    }
}

/// The sequence that a record names.
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
