//! Copies of the checkpoints, somewhere else: on another disk, or in a folder that
//! somebody collects.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use crate::checkpoint::Checkpoint;
use crate::store::OpenError;
use sanitize::json;

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
        let path = folder.join(node).with_added_extension("jsonl");
        let open = move || OpenOptions::new().append(true).create(true).open(&path);
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

fn append(file: &mut File, line: &[u8]) -> io::Result<()> {
    file.write_all(line)?;
    file.sync_data()
}
