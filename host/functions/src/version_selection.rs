//! Which version of a function should run.

use super::config::FunctionConfig;
use super::load::{FunctionError, function_part, read_component};
use super::record::Record;
use super::store::{Store, StoreError};
use engine::Part;

/// Which version of a function should run.
pub(super) struct VersionSelection {
    /// It, if there is one.
    pub(super) own: Option<Part>,
    /// What is to be noted when it is served.
    pub(super) record: Record,
    /// What is wrong with what is wanted, if there is something; what runs is something
    /// else then.
    pub(super) problem: Option<FunctionError>,
    /// What ran last, and its record, if the version above cannot be loaded and nothing goes
    /// on: the file is broken.
    pub(super) last: Option<(Part, Record)>,
}

impl VersionSelection {
    /// That of the file, if the file has changed since it was looked at last. Otherwise the
    /// one that was made active since, and if nothing `keeps_running` that runs now, also if the
    /// file is broken.
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
                // What runs goes on. At the start, that is what ran last.
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

/// The active version, as it is kept.
fn kept(name: &str, record: &Record, store: Option<&Store>) -> Result<Option<Part>, StoreError> {
    let Some((store, active)) = store.zip(record.active.as_ref()) else {
        return Ok(None);
    };
    Ok(Some(function_part(store.bytes(name, active)?)))
}
