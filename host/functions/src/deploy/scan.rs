//! A scan: the desired functions, and fingerprints of their files.

use std::collections::BTreeSet;

use super::super::component_source::ComponentSource;
use super::super::config::{FunctionConfig, FunctionsConfig};
use super::super::file_fingerprint::FileFingerprint;
use super::super::store::{Store, StoreError};

/// Fingerprints of some files. None: a missing file.
pub(super) type Fingerprints = Vec<Option<FileFingerprint>>;

/// The desired functions, and fingerprints of their files.
pub(super) struct Scan {
    /// Each function with fingerprints of its files.
    pub(super) desired: Vec<(FunctionConfig, Fingerprints)>,
    /// Fingerprints of the adapters.
    pub(super) adapters: Fingerprints,
    /// Errors of the folder and of names in it.
    pub(super) problems: BTreeSet<String>,
    /// Whether the list of functions is complete.
    pub(super) is_complete: bool,
    /// Fingerprints of the configuration file and the folder.
    pub(super) documents: Fingerprints,
}

impl Scan {
    /// Scans the disk, which blocks.
    pub(super) fn of(functions_config: &FunctionsConfig, store: Option<&Store>) -> Self {
        let mut problems = BTreeSet::new();
        let found = functions_config.look(&mut problems);
        let mut is_complete = found.is_some();
        let mut desired = found.unwrap_or_else(|| functions_config.functions.clone());
        if let Some(store) = store {
            let deployed = without_file(store, &desired);
            let deployed = deployed.unwrap_or_else(|error| {
                problems.insert(error.to_string());
                is_complete = false;
                Vec::new()
            });
            let of_name =
                |name: &String| FunctionConfig::of_name(name, functions_config.defaults.clone());
            desired.extend(deployed.iter().map(of_name));
        }
        let fingerprinted = |config: FunctionConfig| {
            let fingerprints = fingerprints(config.sources());
            (config, fingerprints)
        };
        Self {
            desired: desired.into_iter().map(fingerprinted).collect(),
            adapters: fingerprints(&functions_config.adapters),
            problems,
            is_complete,
            documents: vec![
                FileFingerprint::of(&functions_config.file),
                functions_config
                    .folder
                    .as_deref()
                    .and_then(FileFingerprint::of),
            ],
        }
    }
}

fn fingerprints<'a>(sources: impl IntoIterator<Item = &'a ComponentSource>) -> Fingerprints {
    let sources = sources.into_iter();
    sources
        .map(|source| FileFingerprint::of(&source.file()))
        .collect()
}

/// Names of functions that were deployed without a file and are not configured.
fn without_file(store: &Store, desired: &[FunctionConfig]) -> Result<Vec<String>, StoreError> {
    let is_wanted = |name: &str| desired.iter().any(|config| config.name == name);
    let mut names = store.names()?;
    names.retain(|name| !is_wanted(name));
    let mut found = Vec::new();
    for name in names {
        let record = store.record(&name)?;
        if record.removed.is_some() {
            store.delete_expired(&name, &record)?;
        } else if record.file.is_none() {
            // A function whose file is gone is not desired any more.
            found.push(name);
        }
    }
    Ok(found)
}
