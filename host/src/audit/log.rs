//! The one thread that writes, and the handle through which requests reach it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::record::{Entry, Host, Record};
use super::sink::Sink;
use crate::RequestId;

/// How many entries may wait for the writer before `append` itself waits.
const QUEUE_ENTRIES: usize = 1024;

/// The most entries that are written at once.
const BATCH_ENTRIES: usize = 256;

/// A handle on the log. Clones write to the same log.
///
/// A single thread gives each entry its sequence and its time and writes it, so
/// the order in the log is the order of both, and a slow disk holds up those who
/// wait for it but no other request.
#[derive(Clone)]
pub struct AuditLog {
    queue: mpsc::Sender<Job>,
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").finish_non_exhaustive()
    }
}

/// An entry that waits to be written, and whom to tell.
struct Job {
    entry: Entry,
    component: Arc<str>,
    request_id: RequestId,
    done: oneshot::Sender<Result<u64, AppendError>>,
}

/// Why an entry is not in the log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The sink could not take the entry.
    #[error("cannot write: {0}")]
    Write(Arc<io::Error>),
    /// The writer has ended, which it does only when the process ends.
    #[error("the log is closed")]
    Closed,
}

impl AuditLog {
    /// Starts the writer. It ends when the last handle is gone.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    pub fn start(sink: impl Sink) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE_ENTRIES);
        thread::Builder::new()
            .name("audit-log".to_owned())
            .spawn(move || write_all(jobs, sink))?;
        Ok(Self { queue })
    }

    /// Appends one entry and waits until the sink has it. Returns its sequence.
    ///
    /// If the caller stops waiting, the entry may be in the log or not.
    ///
    /// # Errors
    ///
    /// Fails if the sink did not take the entry.
    pub async fn append(
        &self,
        entry: Entry,
        component: Arc<str>,
        request_id: RequestId,
    ) -> Result<u64, AppendError> {
        let (done, written) = oneshot::channel();
        let job = Job {
            entry,
            component,
            request_id,
            done,
        };
        let closed = |_| AppendError::Closed;
        self.queue
            .send(job)
            .await
            .map_err(|_| AppendError::Closed)?;
        written.await.map_err(closed)?
    }
}

/// Writes what arrives until nobody can send any more. All entries that wait
/// when one write ends share the next.
fn write_all(mut jobs: mpsc::Receiver<Job>, mut sink: impl Sink) {
    let mut last_sequence = sink.last_sequence();
    let mut batch = Vec::with_capacity(BATCH_ENTRIES);
    while jobs.blocking_recv_many(&mut batch, BATCH_ENTRIES) > 0 {
        let (records, waiting): (Vec<_>, Vec<_>) = (last_sequence + 1..)
            .zip(batch.drain(..))
            .map(|(sequence, job)| record(sequence, job))
            .unzip();
        let written = sink.write(&records).map_err(Arc::new);
        if written.is_ok() {
            last_sequence += records.len() as u64;
        }
        for (record, done) in records.iter().zip(waiting) {
            let result = match &written {
                Ok(()) => Ok(record.host.sequence),
                Err(error) => Err(AppendError::Write(error.clone())),
            };
            // A request that was given up does not wait for its receipt.
            let _ = done.send(result);
        }
    }
}

fn record(sequence: u64, job: Job) -> (Record, oneshot::Sender<Result<u64, AppendError>>) {
    let host = Host {
        sequence,
        time: Timestamp::now(),
        component: job.component,
        request_id: job.request_id,
    };
    let guest = job.entry;
    (Record { host, guest }, job.done)
}

#[cfg(test)]
mod tests {
    use super::super::record::Outcome;
    use super::*;
    use std::sync::Mutex;

    /// Keeps sequences, and fails while `broken`.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<(Vec<u64>, bool)>>);

    impl Sink for Memory {
        fn last_sequence(&self) -> u64 {
            41
        }

        fn write(&mut self, records: &[Record]) -> io::Result<()> {
            let (written, broken) = &mut *self.0.lock().unwrap();
            if *broken {
                return Err(io::Error::other("no space"));
            }
            written.extend(records.iter().map(|record| record.host.sequence));
            Ok(())
        }
    }

    async fn append(log: &AuditLog) -> Result<u64, AppendError> {
        let entry = Entry {
            action: "act".to_owned(),
            outcome: Outcome::Success,
            resource: None,
            attributes: vec![],
        };
        log.append(entry, "sha256:00".into(), RequestId::next())
            .await
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(test)
    }

    #[test]
    fn sequences_continue_without_gaps_where_the_sink_ended() {
        let sink = Memory::default();
        let log = AuditLog::start(sink.clone()).unwrap();
        let sequences = run(async { [append(&log).await.unwrap(), append(&log).await.unwrap()] });
        assert_eq!(sequences, [42, 43]);
        assert_eq!(sink.0.lock().unwrap().0, [42, 43]);
    }

    #[test]
    fn an_entry_that_cannot_be_written_gets_no_receipt_and_takes_no_sequence() {
        let sink = Memory::default();
        let log = AuditLog::start(sink.clone()).unwrap();
        run(async {
            sink.0.lock().unwrap().1 = true;
            let error = append(&log).await.unwrap_err();
            assert_eq!(error.to_string(), "cannot write: no space");
            sink.0.lock().unwrap().1 = false;
            assert_eq!(append(&log).await.unwrap(), 42);
        });
    }
}
