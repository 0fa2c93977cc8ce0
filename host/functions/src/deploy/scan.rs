//! What is wanted, and which files it is in at the moment.

use std::collections::BTreeSet;

use super::super::component_source::ComponentSource;
use super::super::config::{FunctionConfig, FunctionsConfig};
use super::super::file_fingerprint::FileFingerprint;
use super::super::store::{Store, StoreError};

/// Some files, as they are at the moment. None stands for one that is not there.
pub(super) type Fingerprints = Vec<Option<FileFingerprint>>;

/// What is wanted, and which files it is in at the moment.
pub(super) struct Scan {
    /// Each function, with its files.
    pub(super) desired: Vec<(FunctionConfig, Fingerprints)>,
    /// The files of the adapters.
    pub(super) adapters: Fingerprints,
    /// What is wrong with the folder, or with names in it.
    pub(super) problems: BTreeSet<String>,
    /// Whether all functions are known that are wanted.
    pub(super) is_complete: bool,
    /// The file and the folder that say what is wanted.
    pub(super) documents: Fingerprints,
}

impl Scan {
    /// Looks at the disk, which may take its time.
    pub(super) fn of(functions_config: &FunctionsConfig, store: Option<&Store>) -> Self {
        let mut problems = BTreeSet::new();
        let found = functions_config.look(&mut problems);
        let mut is_complete = found.is_some();
        let mut desired = found.unwrap_or_else(|| functions_config.functions.clone());
        if let Some(store) = store {
            let finish_deploy = without_file(store, &desired);
            let finish_deploy = finish_deploy.unwrap_or_else(|error| {
                problems.insert(error.to_string());
                is_complete = false;
                Vec::new()
            });
            let of_name =
                |name: &String| FunctionConfig::of_name(name, functions_config.defaults.clone());
            desired.extend(finish_deploy.iter().map(of_name));
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

/// The names of those that were deployed and have no file, beside those that are `desired`.
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
            // One whose file is gone is not wanted any more.
            found.push(name);
        }
    }
    Ok(found)
}
