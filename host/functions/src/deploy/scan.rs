//! What is wanted, and which files it is in at the moment.

use std::collections::BTreeSet;

use super::super::declaration::{Declaration, Declared};
use super::super::place::Place;
use super::super::stamp::Stamp;
use super::super::store::{Store, StoreError};

/// Some files, as they are at the moment. None stands for one that is not there.
pub(super) type Stamps = Vec<Option<Stamp>>;

/// What is wanted, and which files it is in at the moment.
pub(super) struct Scan {
    /// Each function, with its files.
    pub(super) wanted: Vec<(Declared, Stamps)>,
    /// The files of the adapters.
    pub(super) adapters: Stamps,
    /// What is wrong with the folder, or with names in it.
    pub(super) problems: BTreeSet<String>,
    /// Whether all functions are known that are wanted.
    pub(super) is_complete: bool,
    /// The file and the folder that say what is wanted.
    pub(super) documents: Stamps,
}

impl Scan {
    /// Looks at the disk, which may take its time.
    pub(super) fn of(declaration: &Declaration, store: Option<&Store>) -> Self {
        let mut problems = BTreeSet::new();
        let found = declaration.look(&mut problems);
        let mut is_complete = found.is_some();
        let mut wanted = found.unwrap_or_else(|| declaration.functions.clone());
        if let Some(store) = store {
            let deployed = without_file(store, &wanted);
            let deployed = deployed.unwrap_or_else(|error| {
                problems.insert(error.to_string());
                is_complete = false;
                Vec::new()
            });
            let of_name = |name: &String| Declared::of_name(name, declaration.defaults.clone());
            wanted.extend(deployed.iter().map(of_name));
        }
        let stamped = |declared: Declared| {
            let stamps = stamps(declared.places());
            (declared, stamps)
        };
        Self {
            wanted: wanted.into_iter().map(stamped).collect(),
            adapters: stamps(&declaration.adapters),
            problems,
            is_complete,
            documents: vec![
                Stamp::of(&declaration.file),
                declaration.folder.as_deref().and_then(Stamp::of),
            ],
        }
    }
}

fn stamps<'a>(places: impl IntoIterator<Item = &'a Place>) -> Stamps {
    let places = places.into_iter();
    places.map(|place| Stamp::of(&place.file())).collect()
}

/// The names of those that were deployed and have no file, beside those that are `wanted`.
fn without_file(store: &Store, wanted: &[Declared]) -> Result<Vec<String>, StoreError> {
    let is_wanted = |name: &str| wanted.iter().any(|declared| declared.name == name);
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
