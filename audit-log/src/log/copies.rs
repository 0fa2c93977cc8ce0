//! Copies of the checkpoints, somewhere else: on another disk, or in a folder that
//! somebody collects.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use super::end::{CHECKED_RECORDS, Open};
use crate::checkpoint::{Checkpoint, Tombstone};
use crate::read::{ReadError, Start};
use crate::store::{Head, OpenError};
use crate::{Hash, Location, regular_file};
use sanitize::json;

/// How much of the end of the file is searched for the last checkpoint.
const END_BYTES: u64 = 64 * 1024;

/// Writes copies on a thread of its own, so that nobody waits for them.
pub(super) struct Copies {
    queue: Option<mpsc::Sender<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Copies {
    /// Appends checkpoints of the log `node` to `node.jsonl` in `folder`, which is
    /// made if it is not there.
    pub(super) fn start(folder: &Path, node: &str) -> Result<Self, OpenError> {
        let fail = |source| OpenError::Copies {
            path: folder.to_owned(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(fail)?;
        let path = file_of(folder, node);
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
                    // The disk may have been exchanged since.
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
            // Its thread ends only when this does.
            let _ = queue.send(line);
        }
    }
}

impl Drop for Copies {
    /// Waits until all copies are written.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The file with the copies of the log `node`.
fn file_of(folder: &Path, node: &str) -> PathBuf {
    folder.join(node).with_added_extension("jsonl")
}

/// Compares the log `node` at `location` with the last checkpoint that was copied to
/// `folder`: an older copy of the log, or another one of the same name, lacks its record.
pub(super) fn compare(
    location: &Location,
    folder: &Path,
    node: &str,
    open: Open,
) -> Result<(), OpenError> {
    let Some(copy) = Copy::last(folder, node)? else {
        return Ok(());
    };
    let found = match find(location, copy.checkpoint.sequence, open)? {
        // What was pruned cannot be compared.
        Found::Pruned => return Ok(()),
        Found::Record(hash) if hash == copy.checkpoint.hash => return Ok(()),
        Found::Record(hash) => format!("that record has another hash, {hash}"),
        Found::Nothing => "the log ends before that".to_owned(),
    };
    Err(copy.mismatch(location, found))
}

/// Checks that no checkpoint of a log `node` was copied to `folder`, where there is none
/// at `location`.
pub(super) fn expect_none(location: &Location, folder: &Path, node: &str) -> Result<(), OpenError> {
    match Copy::last(folder, node)? {
        Some(copy) => Err(copy.mismatch(location, "there is no log".to_owned())),
        None => Ok(()),
    }
}

/// A checkpoint that was copied.
struct Copy {
    path: PathBuf,
    checkpoint: Checkpoint<'static>,
}

impl Copy {
    fn last(folder: &Path, node: &str) -> Result<Option<Self>, OpenError> {
        let path = file_of(folder, node);
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

/// The checkpoint of the last record of `node` in the end of the file at `path`.
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
    // A crash can cut off a line.
    let checkpoints = lines.filter_map(|line| {
        let checkpoint: Checkpoint<'_> = serde_json::from_slice(line).ok()?;
        (checkpoint.node == node && checkpoint.is_signed()).then(|| checkpoint.into_owned())
    });
    Ok(checkpoints.max_by_key(|checkpoint| checkpoint.sequence))
}

/// What a log has of one record.
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
