//! Selection of the version of a function to run.

use engine::Part;

use super::config::FunctionConfig;
use super::load::{FunctionError, read_component};
use super::record::Record;
use super::store::{Store, StoreError};

/// The version of a function to run.
pub(super) struct VersionSelection {
    /// The component of the version, if any.
    pub(super) own: Option<Part>,
    /// The record to persist on activation.
    pub(super) record: Record,
    /// The error of the configured version, if another one is selected.
    pub(super) problem: Option<FunctionError>,
    /// The last active version and its record, as the fallback if the version above cannot be
    /// loaded and none is running: its file is broken.
    pub(super) last: Option<(Part, Record)>,
}

impl VersionSelection {
    /// Selects the version of the file, if the file has changed since the last scan, otherwise the
    /// version that was activated since. If no version `keeps_running`, it selects that also for a
    /// broken file.
    pub(super) fn of(
        config: &FunctionConfig,
        store: Option<&Store>,
        max_bytes: u64,
        keeps_running: bool,
    ) -> Self {
        let mut record = Record::default();
        let (mut problem, mut last) = (None, None);
        match store.map(|store| store.record(&config.name)).transpose() {
            Ok(found) => record = found.unwrap_or_default(),
            Err(error) => problem = Some(error.into()),
        }
        let file = config.component.is_some();
        let file = file.then(|| read_component(config, max_bytes));
        let kept = |record: &Record| kept(&config.name, record, store);
        let own = match file {
            Some(Ok(file)) => {
                let is_known = record.file.as_ref() == Some(&file.sha256);
                if !keeps_running && !record.is_active(&file.sha256) {
                    let kept = kept(&record).ok().flatten();
                    last = kept.map(|kept| (kept, record.clone()));
                }
                record.file = Some(file.sha256.clone());
                if is_known && !record.is_active(&file.sha256) && record.active.is_some() {
                    match kept(&record) {
                        Ok(kept) => kept,
                        Err(error) => {
                            problem = Some(error.into());
                            Some(file)
                        }
                    }
                } else {
                    Some(file)
                }
            }
            Some(Err(error)) => {
                problem = Some(error);
                // The running version stays; at startup, the last active one.
                if keeps_running {
                    None
                } else {
                    kept(&record).ok().flatten()
                }
            }
            None => match kept(&record) {
                Ok(kept) => kept,
                Err(error) => {
                    problem = Some(error.into());
                    None
                }
            },
        };
        Self {
            own,
            record,
            problem,
            last,
        }
    }
}

/// The active version in the store.
fn kept(name: &str, record: &Record, store: Option<&Store>) -> Result<Option<Part>, StoreError> {
    let Some((store, active)) = store.zip(record.active.as_ref()) else {
        return Ok(None);
    };
    Ok(Some(Part::function(store.bytes(name, active)?)))
}
