//! What is wanted, and which files it is in at the moment.

use std::collections::BTreeSet;
use std::path::Path;

use super::super::declaration::{Declaration, Declared};
use super::super::stamp::Stamp;

/// What is wanted, and which files it is in at the moment.
pub(super) struct Scan {
    /// Each function, with its file.
    pub(super) wanted: Vec<(Declared, Option<Stamp>)>,
    /// The files of the adapters.
    pub(super) adapters: Vec<Option<Stamp>>,
    /// What is wrong with the folder, or with names in it.
    pub(super) problems: BTreeSet<String>,
    /// Whether all functions are known that are wanted.
    pub(super) is_complete: bool,
}

impl Scan {
    /// Looks at the disk, which may take its time.
    pub(super) fn of(declaration: &Declaration) -> Self {
        let mut problems = BTreeSet::new();
        let told = |path: &Path, why: &str| {
            problems.insert(format!("`{}` is no function: {why}", path.display()));
        };
        let (wanted, failed) = match declaration.wanted(told) {
            Ok(wanted) => (wanted, None),
            Err(error) => (declaration.functions.clone(), Some(error)),
        };
        let is_complete = failed.is_none();
        if let Some(error) = failed {
            let folder = declaration.folder.as_deref().unwrap_or(Path::new(""));
            let folder = folder.display();
            problems.insert(format!("cannot read the folder `{folder}`: {error}"));
        }
        let stamped = |declared: Declared| {
            let stamp = Stamp::of(&declared.component);
            (declared, stamp)
        };
        let adapters = declaration.adapters.iter();
        Self {
            wanted: wanted.into_iter().map(stamped).collect(),
            adapters: adapters.map(|path| Stamp::of(path)).collect(),
            problems,
            is_complete,
        }
    }
}
