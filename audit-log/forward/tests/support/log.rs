//! A log to forward.

use audit_log::read::{Reader, Start};
use audit_log::record::{Entry, Outcome, Subject};
use audit_log::{AuditLog, Location, Settings};
use audit_log_forward::{ForwardMetrics, Forwarder, Target};
use tempfile::TempDir;

use super::LONG;

/// A log in a temporary folder.
pub(crate) struct Log {
    pub(crate) handle: AuditLog,
    pub(crate) location: Location,
    _folder: TempDir,
}

/// A log of each backend.
pub(crate) fn both() -> [Log; 2] {
    [sqlite(), json_lines()]
}

pub(crate) fn sqlite() -> Log {
    Log::new(|folder| Location::Sqlite(folder.join("audit.db")))
}

pub(crate) fn json_lines() -> Log {
    Log::new(|folder| Location::JsonLines(folder.join("audit.jsonl")))
}

impl Log {
    fn new(location: impl FnOnce(&std::path::Path) -> Location) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let location = location(folder.path());
        let handle = AuditLog::open(&Settings::new(location.clone())).expect("a log");
        Self {
            handle,
            location,
            _folder: folder,
        }
    }

    /// Closes the log and opens it again.
    pub(crate) async fn reopen(&mut self) {
        self.handle.close().await;
        self.handle = AuditLog::open(&Settings::new(self.location.clone())).expect("a log");
    }

    pub(crate) fn forward(&self, target: &Target) -> Forwarder {
        Forwarder::start(&self.handle, &self.location, target).expect("a forwarder")
    }

    /// Appends entries with these actions, one after another.
    pub(crate) async fn append(&self, actions: impl IntoIterator<Item = impl AsRef<str>>) {
        for action in actions {
            append(&self.handle, action.as_ref()).await;
        }
    }

    /// Appends `count` entries concurrently.
    pub(crate) async fn append_many(&self, count: usize) {
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let log = self.handle.clone();
                tokio::spawn(async move { append(&log, "many").await })
            })
            .collect();
        for task in tasks {
            task.await.expect("a receipt");
        }
    }

    /// Closes the log, and sends the remaining records.
    pub(crate) async fn close(&self, forwarder: Forwarder) -> ForwardMetrics {
        self.handle.close().await;
        let metrics = forwarder.stop(LONG).await;
        assert_eq!(metrics.lag, 0, "{metrics:?}");
        metrics
    }

    /// All records.
    pub(crate) fn records(&self) -> Vec<String> {
        let mut reader = Reader::open(&self.location, Start::First).expect("a log");
        let mut records = Vec::new();
        while let Some(line) = reader.next().expect("a line") {
            records.push(str::from_utf8(line.bytes).expect("text").to_owned());
        }
        records
    }
}

pub(crate) async fn append(log: &AuditLog, action: &str) {
    let entry = Entry {
        action: action.into(),
        outcome: Outcome::Success,
        resource: None,
        attributes: vec![],
    };
    let receipt = log.append(Subject::default(), &entry).await;
    receipt.expect("a receipt");
}

/// The sequence of a record.
pub(crate) fn sequence(record: &str) -> u64 {
    let record: serde_json::Value = serde_json::from_str(record).expect("JSON");
    record["host"]["sequence"].as_u64().expect("a sequence")
}
