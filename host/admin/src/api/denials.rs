//! Audit records of denied requests: at most one per interval.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use audit_log::AuditLog;
use audit_log::event::Event;
use audit_log::record::Subject;
use sanitize::truncate;
use tokio::time::sleep;

/// Interval of which denied requests are recorded together.
const INTERVAL: Duration = Duration::from_secs(10);

/// Maximum length of the path in a record, in bytes.
const MAX_PATH_BYTES: usize = 256;

/// Records denied requests: the first one at once, those of the following interval together.
#[derive(Debug, Clone)]
pub struct Denials {
    audit: AuditLog,
    interval: Duration,
    /// Requests of the current interval that are not recorded yet. None between intervals.
    pending: Arc<Mutex<Option<Pending>>>,
}

/// Denied requests that are not recorded yet.
#[derive(Debug, Default)]
struct Pending {
    count: u64,
    /// The method and the path of the first of them.
    first: (String, String),
}

impl Denials {
    /// An empty recorder.
    #[must_use]
    pub fn new(audit: AuditLog) -> Self {
        Self {
            audit,
            interval: INTERVAL,
            pending: Arc::default(),
        }
    }

    /// Adds a denied request. Returns once it is recorded, or counted for the next record.
    pub(crate) async fn note(&self, method: &str, path: &str) {
        let path = truncate(path, MAX_PATH_BYTES);
        {
            let mut pending = self.lock();
            if let Some(pending) = &mut *pending {
                if pending.count == 0 {
                    pending.first = (method.to_owned(), path.to_owned());
                }
                pending.count += 1;
                return;
            }
            *pending = Some(Pending::default());
        }
        tokio::spawn(self.clone().record_intervals());
        self.record(method, path, 1).await;
    }

    /// Records counted requests at shutdown.
    pub(crate) async fn flush(&self) {
        let pending = self.lock().as_mut().map(mem::take);
        if let Some(pending) = pending {
            self.record_pending(pending).await;
        }
    }

    /// Records the requests of each interval together, until an interval without one.
    async fn record_intervals(self) {
        loop {
            sleep(self.interval).await;
            let pending = {
                let mut pending = self.lock();
                if pending.as_ref().is_none_or(|pending| pending.count == 0) {
                    *pending = None;
                    return;
                }
                pending.as_mut().map(mem::take).unwrap_or_default()
            };
            self.record_pending(pending).await;
        }
    }

    async fn record_pending(&self, pending: Pending) {
        let Pending { count, first } = pending;
        if count > 0 {
            self.record(&first.0, &first.1, count).await;
        }
    }

    async fn record(&self, method: &str, path: &str, count: u64) {
        let event = Event::OperatorDenied {
            method: method.into(),
            path: path.into(),
            count,
        };
        let subject = Subject {
            component: None,
            request: None,
        };
        if let Err(error) = self.audit.record(subject, &event).await {
            tracing::error!(%error, count, "denied requests could not be recorded in the audit log");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use audit_log::{Location, Settings};
    use tokio::runtime::Builder;

    use super::*;

    /// The number of requests in each record of denied ones.
    fn counts(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap();
        let records = text.lines().filter(|line| line.contains("operator-denied"));
        records
            .map(|line| {
                let record: serde_json::Value = serde_json::from_str(line).unwrap();
                record["event"]["count"].as_u64().unwrap()
            })
            .collect()
    }

    fn block_on(work: impl Future<Output = ()>) {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(work);
    }

    #[test]
    fn denied_requests_of_one_interval_are_one_record_with_their_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        block_on(async {
            let audit = AuditLog::open(&Settings::new(Location::JsonLines(path.clone())));
            let denials = Denials::new(audit.unwrap());
            for _ in 0..1001 {
                denials.note("GET", "/v1/functions").await;
            }
            assert_eq!(counts(&path), [1]);
            denials.flush().await;
            assert_eq!(counts(&path), [1, 1000]);
            denials.flush().await;
            assert_eq!(counts(&path), [1, 1000]);
        });
    }

    #[test]
    fn counted_denials_are_recorded_at_the_end_of_the_interval() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        block_on(async {
            let audit = AuditLog::open(&Settings::new(Location::JsonLines(path.clone())));
            let mut denials = Denials::new(audit.unwrap());
            denials.interval = Duration::from_millis(1);
            *denials.lock() = Some(Pending {
                count: 3,
                ..Pending::default()
            });
            // It ends after the first interval without a denied request.
            denials.clone().record_intervals().await;
            assert_eq!(counts(&path), [3]);
            denials.note("GET", "/v1/functions").await;
            assert_eq!(counts(&path), [3, 1]);
        });
    }
}
