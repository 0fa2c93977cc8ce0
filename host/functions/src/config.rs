//! What the operator wants to be served.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_log::Policy;
use http::uri::PathAndQuery;

use super::component_source::ComponentSource;
use super::request_limits::RequestLimits;
use super::route::Route;
use engine::audit::Quota;
use engine::outbound::OutboundSettings;
use engine::{GuestLimits, Variable};

/// What the operator wants to be served.
#[derive(Debug, Clone)]
pub struct FunctionsConfig {
    /// The file that says so, or the folder.
    pub file: PathBuf,
    /// Each file `NAME.wasm` in it is a function.
    pub folder: Option<PathBuf>,
    /// Those that are declared one by one. The names are different.
    pub functions: Vec<FunctionConfig>,
    /// Where the adapters are.
    pub adapters: Vec<ComponentSource>,
    /// What a function gets of which nothing else is known than its file.
    pub defaults: Arc<ResolvedSettings>,
}

/// One function that the operator wants.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionConfig {
    /// What it is called.
    pub name: String,
    /// Where its component is. None if nobody says so, and it runs what was deployed.
    pub component: Option<ComponentSource>,
    /// What its requests go through before, the outermost first.
    pub middleware: Vec<ComponentSource>,
    /// The folder that the file must not lead out of.
    pub folder: Option<PathBuf>,
    /// Where its requests come from.
    pub route: Route,
    /// How it is served.
    pub settings: Arc<ResolvedSettings>,
}

/// How a function is to be served, or why that is not known.
pub type ResolvedSettings = Result<FunctionSettings, String>;

/// How a function is served.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionSettings {
    /// The variables of its environment.
    pub environment: Vec<Variable>,
    /// Those of `wasi:config`.
    pub config: Vec<Variable>,
    /// How much each of its requests may append to the audit log.
    pub quota: Quota,
    /// What happens to a request whose record cannot be written.
    pub policy: Policy,
    /// What each of its instances may take.
    pub limits: GuestLimits,
    /// The requests that it may send.
    pub outbound: OutboundSettings,
    /// How its requests are served.
    pub serving: RequestLimits,
    /// What a new version is asked before it takes over: it has to answer with a status of
    /// success.
    pub smoke: Option<PathAndQuery>,
}

/// The end of the name of a file that is a function.
const EXTENSION: &str = "wasm";

/// The longest name of a function, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// What names of functions are like.
const NAMES: &str = "expected 1 to 64 letters, digits, `-`, `_` or `.`, the first one a letter or \
                     a digit";

/// Checks the name of a function, which is a label of metrics and a segment of a path.
///
/// # Errors
///
/// Says what names are like.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins_well && name.len() <= MAX_NAME_BYTES && name.chars().all(is_fit) {
        Ok(())
    } else {
        Err(NAMES)
    }
}

impl FunctionConfig {
    /// What a new version is asked before it takes over.
    pub(super) fn smoke(&self) -> Option<&PathAndQuery> {
        self.settings.as_ref().as_ref().ok()?.smoke.as_ref()
    }

    /// Where it comes from: its own component, and what is in front.
    pub(super) fn sources(&self) -> impl Iterator<Item = &ComponentSource> {
        self.component.iter().chain(&self.middleware)
    }

    /// A function of which nothing else is known than its name: it has what `settings` says.
    pub(super) fn of_name(name: &str, settings: Arc<ResolvedSettings>) -> Self {
        Self {
            name: name.to_owned(),
            component: None,
            middleware: Vec::new(),
            folder: None,
            route: Route::of_name(name),
            settings,
        }
    }
}

impl FunctionsConfig {
    /// All functions that are wanted now; None if the folder cannot be read. What is wrong
    /// there is added to `problems`, in words.
    pub(super) fn look(&self, problems: &mut impl Extend<String>) -> Option<Vec<FunctionConfig>> {
        let mut named = Vec::new();
        let desired = self.desired(|path, why| {
            named.push(format!("`{}` is no function: {why}", path.display()));
        });
        problems.extend(named);
        match desired {
            Ok(desired) => Some(desired),
            Err(error) => {
                let folder = self.folder.as_deref().unwrap_or(Path::new("")).display();
                problems.extend([format!("cannot read the folder `{folder}`: {error}")]);
                None
            }
        }
    }

    /// All functions that are wanted now, in the order of the file, then those of the
    /// folder by name. What is wrong with the name of a file is told to `problem`.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be read.
    fn desired(&self, mut problem: impl FnMut(&Path, &str)) -> io::Result<Vec<FunctionConfig>> {
        let mut desired = self.functions.clone();
        let Some(folder) = &self.folder else {
            return Ok(desired);
        };
        let taken: BTreeSet<_> = desired.iter().map(|f| f.name.clone()).collect();
        let mut paths = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()?;
        paths.retain(|path| is_function_file(path) && !self.is_adapter(path));
        paths.sort();
        for path in paths {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            if taken.contains(name.as_ref()) {
                continue;
            }
            if let Err(why) = check_name(&name) {
                problem(&path, why);
                continue;
            }
            desired.push(FunctionConfig {
                route: Route::of_name(&name),
                name: name.into_owned(),
                component: Some(ComponentSource::File(path)),
                middleware: Vec::new(),
                folder: Some(folder.clone()),
                settings: self.defaults.clone(),
            });
        }
        Ok(desired)
    }

    /// Whether this file is one of the adapters, however its path is written.
    fn is_adapter(&self, path: &Path) -> bool {
        fn file(adapter: &ComponentSource) -> Option<&PathBuf> {
            match adapter {
                ComponentSource::File(file) => Some(file),
                ComponentSource::Layout { .. } => None,
            }
        }
        let same_name = |adapter: &&PathBuf| adapter.file_name() == path.file_name();
        let mut adapters = self.adapters.iter().filter_map(file).filter(same_name);
        let whole = |path: &Path| path.canonicalize().ok();
        adapters.any(|adapter| whole(adapter).is_some_and(|one| whole(path) == Some(one)))
    }
}

/// Whether this is the file of a function, and not one that is still being written under
/// a hidden name.
pub(super) fn is_function_file(path: &Path) -> bool {
    let is_hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && path.extension().is_some_and(|end| end == EXTENSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_component_in_the_folder_is_a_function() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [
            "b.wasm",
            "a.wasm",
            ".a.wasm",
            "a.wasm.part",
            "adapter.wasm",
            "named.wasm",
            "bad name.wasm",
            "notes.txt",
        ] {
            fs::write(path(name), "").unwrap();
        }
        let defaults: Arc<ResolvedSettings> = Arc::new(Err("none".to_owned()));
        let named = FunctionConfig {
            name: "named".to_owned(),
            component: Some(ComponentSource::File(path("named.wasm"))),
            middleware: Vec::new(),
            folder: None,
            route: Route::root(),
            settings: defaults.clone(),
        };
        let functions_config = FunctionsConfig {
            file: folder.path().to_owned(),
            folder: Some(folder.path().to_owned()),
            functions: vec![named],
            adapters: vec![ComponentSource::File(path("adapter.wasm"))],
            defaults,
        };
        let mut problems = Vec::new();
        let desired = functions_config.desired(|path, _| problems.push(path.to_owned()));
        let desired = desired.unwrap();
        let desired: Vec<_> = desired
            .iter()
            .map(|f| (f.name.as_str(), f.route.to_string()))
            .collect();
        let expected = [("named", "/"), ("a", "/a"), ("b", "/b")];
        assert_eq!(
            desired,
            expected.map(|(name, route)| (name, route.to_owned()))
        );
        assert_eq!(problems, [path("bad name.wasm")]);
    }

    #[test]
    fn a_name_is_one_word() {
        for good in ["a", "A-1_b.c", "7"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "-a", ".a", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
