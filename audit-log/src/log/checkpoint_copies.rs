//! Copies of the checkpoints in another folder, such as one on another disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::end::{CHECKED_RECORDS, Open};
use crate::checkpoint::{Checkpoint, Tombstone};
use crate::head::Head;
use crate::read::{ReadError, Start};
use crate::store::OpenError;
use crate::{Hash, Location, regular_file};
use sanitize::json;

/// The bytes at the end of the file that are searched for the last checkpoint.
const END_BYTES: u64 = 64 * 1024;

/// Writes copies on a separate thread, so that receipts do not wait for them.
pub(super) struct CheckpointCopies {
    queue: Option<mpsc::Sender<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl CheckpointCopies {
    /// Appends checkpoints of the log `node` to `node.jsonl` in `folder`, which is created if
    /// missing.
    pub(super) fn start(folder: &Path, node: &str) -> Result<Self, OpenError> {
        let fail = |source| OpenError::Copies {
            path: folder.to_owned(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(fail)?;
        let path = copies_path(folder, node);
        let open = move || {
            let mut options = OpenOptions::new();
            regular_file::open(&path, options.append(true).create(true))
        };
        let mut file = open().map_err(fail)?;
        let (queue, lines) = mpsc::channel::<Vec<u8>>();
        let work = move || {
            let mut failed = false;
            for line in lines {
                let result = append(&mut file, &line).or_else(|_| {
                    // Another disk may have been mounted since.
                    file = open()?;
                    append(&mut file, &line)
                });
                match result {
                    Ok(()) => failed = false,
                    Err(error) if !failed => {
                        tracing::error!("cannot copy checkpoints of the audit log: {error}");
                        failed = true;
                    }
                    Err(_) => {}
                }
            }
        };
        let thread = thread::Builder::new()
            .name("audit-copies".to_owned())
            .spawn(work)
            .map_err(fail)?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    pub(super) fn copy(&self, checkpoint: &Checkpoint<'_>) {
        let mut line = Vec::new();
        json::write(&mut line, checkpoint);
        line.push(b'\n');
        if let Some(queue) = &self.queue {
            // The thread ends only with this sender.
            let _ = queue.send(line);
        }
    }
}

impl Drop for CheckpointCopies {
    /// Waits until all copies were written.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The file with the copies of the log `node`.
fn copies_path(folder: &Path, node: &str) -> PathBuf {
    folder.join(node).with_added_extension("jsonl")
}

/// Compares the log `node` at `location` with the last checkpoint copied to `folder`: an older
/// copy of the log, or another log of the same name, lacks its record.
pub(super) fn compare(
    location: &Location,
    folder: &Path,
    node: &str,
    open: Open,
) -> Result<(), OpenError> {
    let Some(copy) = CopiedCheckpoint::last(folder, node)? else {
        return Ok(());
    };
    let found = match find(location, copy.checkpoint.sequence, open)? {
        // A pruned record cannot be compared.
        Found::Pruned => return Ok(()),
        Found::Record(hash) if hash == copy.checkpoint.hash => return Ok(()),
        Found::Record(hash) => format!("that record has another hash, {hash}"),
        Found::Nothing => "the log ends before that".to_owned(),
    };
    Err(copy.mismatch(location, found))
}

/// Checks for a new log at `location` that no checkpoint of a log `node` was copied to `folder`.
pub(super) fn expect_none(location: &Location, folder: &Path, node: &str) -> Result<(), OpenError> {
    match CopiedCheckpoint::last(folder, node)? {
        Some(copy) => Err(copy.mismatch(location, "the log is missing".to_owned())),
        None => Ok(()),
    }
}

/// A copied checkpoint, and the file of the copy.
struct CopiedCheckpoint {
    path: PathBuf,
    checkpoint: Checkpoint<'static>,
}

impl CopiedCheckpoint {
    fn last(folder: &Path, node: &str) -> Result<Option<Self>, OpenError> {
        let path = copies_path(folder, node);
        match last(&path, node) {
            Ok(checkpoint) => Ok(checkpoint.map(|checkpoint| Self { path, checkpoint })),
            Err(source) => Err(OpenError::Copies { path, source }),
        }
    }

    fn mismatch(self, location: &Location, found: String) -> OpenError {
        OpenError::RolledBack {
            location: location.clone(),
            copies: self.path,
            sequence: self.checkpoint.sequence,
            time: self.checkpoint.time.into_owned(),
            found,
        }
    }
}

/// The checkpoint of the last record of `node` at the end of the file at `path`.
fn last(path: &Path, node: &str) -> io::Result<Option<Checkpoint<'static>>> {
    let mut file = match regular_file::open(path, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(END_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(END_BYTES).read_to_end(&mut bytes)?;
    let lines = bytes.split(|&byte| byte == b'\n');
    // A crash can truncate a line.
    let checkpoints = lines.filter_map(|line| {
        let checkpoint: Checkpoint<'_> = serde_json::from_slice(line).ok()?;
        (checkpoint.node == node && checkpoint.is_signed()).then(|| checkpoint.into_owned())
    });
    Ok(checkpoints.max_by_key(|checkpoint| checkpoint.sequence))
}

/// The search result for one record of a log.
enum Found {
    Record(Hash),
    Pruned,
    Nothing,
}

fn find(location: &Location, sequence: u64, open: Open) -> Result<Found, ReadError> {
    let mut reader = open(location, Start::Last(CHECKED_RECORDS))?;
    let tombstones = reader.tombstones()?;
    let mut heads = tombstones
        .iter()
        .filter_map(|line| Some(Tombstone::from_line(line)?.head()));
    let pruned = heads.clone().map(|head| head.sequence).max();
    if pruned.is_some_and(|pruned| sequence <= pruned) {
        let known = heads.find(|head| head.sequence == sequence);
        return Ok(known.map_or(Found::Pruned, |Head { hash, .. }| Found::Record(hash)));
    }
    let mut is_first = true;
    while let Some(line) = reader.next()? {
        let text = str::from_utf8(line.bytes).unwrap_or_default();
        let record = serde_json::from_str::<crate::record::Record<'_>>(text).ok();
        let found = record.map_or(0, |record| record.host.sequence);
        if found == sequence {
            return Ok(Found::Record(Hash::of(text)));
        }
        if found > sequence && is_first {
            reader = open(location, Start::After(sequence - 1))?;
        }
        is_first = false;
    }
    Ok(Found::Nothing)
}

fn append(file: &mut File, line: &[u8]) -> io::Result<()> {
    file.write_all(line)?;
    file.sync_data()
}
