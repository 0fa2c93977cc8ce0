//! Configuration of functions: the desired state of the deployer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use audit_log::Policy;
use engine::audit::Quota;
use engine::outbound::OutboundSettings;
use engine::{GuestLimits, Variable};
use http::uri::PathAndQuery;

use super::component_source::ComponentSource;
use super::request_limits::RequestLimits;
use super::route::Route;

/// The functions that the operator configured.
#[derive(Debug, Clone)]
pub struct FunctionsConfig {
    /// The configuration file, or the folder.
    pub file: PathBuf,
    /// A folder of which each file `NAME.wasm` is a function.
    pub folder: Option<PathBuf>,
    /// The functions of the file, with unique names.
    pub functions: Vec<FunctionConfig>,
    /// Sources of the adapters.
    pub adapters: Vec<ComponentSource>,
    /// Settings of a function without settings of its own.
    pub defaults: Arc<ResolvedSettings>,
}

/// Configuration of one function.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionConfig {
    /// Its name.
    pub name: String,
    /// Source of its component. None: it runs the version that was deployed.
    pub component: Option<ComponentSource>,
    /// Its middleware, the outermost first.
    pub middleware: Vec<MiddlewareConfig>,
    /// The folder that a link to the file must not leave.
    pub folder: Option<PathBuf>,
    /// The route of its requests.
    pub route: Route,
    /// Its settings.
    pub settings: Arc<ResolvedSettings>,
}

/// Configuration of one middleware of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct MiddlewareConfig {
    /// Source of its component.
    pub component: ComponentSource,
    /// Its own settings, with which it runs in a store of its own. None: it has those of the function,
    /// and is composed with its neighbours where that is possible.
    pub settings: Option<Arc<ResolvedSettings>>,
}

/// Settings of a function, or the error of resolving them.
pub type ResolvedSettings = Result<FunctionSettings, String>;

/// Settings of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionSettings {
    /// Variables of its environment.
    pub environment: Vec<Variable>,
    /// Variables of `wasi:config`.
    pub config: Vec<Variable>,
    /// Limits on the audit log entries of one request.
    pub quota: Quota,
    /// Handling of a request whose record cannot be written.
    pub policy: Policy,
    /// Limits of each instance.
    pub limits: GuestLimits,
    /// Limits of its outbound requests.
    pub outbound: OutboundSettings,
    /// Limits of its requests.
    pub serving: RequestLimits,
    /// Path of the smoke request that a new version must answer with 2xx before it takes over.
    pub smoke: Option<PathAndQuery>,
}

/// File extension of functions in a folder.
const EXTENSION: &str = "wasm";

/// Maximum length of a function's name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// The rule for names, for errors.
const NAMES: &str = "expected 1 to 64 letters, digits, `-`, `_` or `.`, the first one a letter or \
                     a digit";

/// Checks the name of a function, which is a label of metrics and a segment of a path.
///
/// # Errors
///
/// Fails with the rule for names.
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
    /// Path of the smoke request.
    pub(super) fn smoke(&self) -> Option<&PathAndQuery> {
        self.settings.as_ref().as_ref().ok()?.smoke.as_ref()
    }

    /// All its sources: its own component and its middleware.
    pub(super) fn sources(&self) -> impl Iterator<Item = &ComponentSource> {
        self.component.iter().chain(self.middleware_sources())
    }

    /// Sources of its middleware, the outermost first.
    pub(super) fn middleware_sources(&self) -> impl Iterator<Item = &ComponentSource> {
        self.middleware
            .iter()
            .map(|middleware| &middleware.component)
    }

    /// The settings of the middleware of this number, or of the function.
    ///
    /// # Errors
    ///
    /// Returns the error of resolving them.
    pub(super) fn settings_of(&self, middleware: Option<usize>) -> Result<&FunctionSettings, &str> {
        let own = middleware.and_then(|number| self.middleware.get(number)?.settings.as_ref());
        let settings = own.unwrap_or(&self.settings);
        settings.as_ref().as_ref().map_err(String::as_str)
    }

    /// A function without a source, with a name and `settings` only.
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
    /// All functions that are configured now; None if the folder cannot be read. Errors are added
    /// to `problems`.
    pub(super) fn look(&self, problems: &mut impl Extend<String>) -> Option<Vec<FunctionConfig>> {
        let mut named = Vec::new();
        let desired = self.desired(|path, why| {
            named.push(format!("`{}` is not a function: {why}", path.display()));
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

    /// All functions that are configured now: those of the file in its order, then those of the
    /// folder by name. Each invalid file name is reported to `problem`.
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

    /// Whether this file is an adapter, compared by canonical path.
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

/// Whether this is the file of a function: `NAME.wasm`, not hidden, as files are while tools
/// write them.
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
    fn each_visible_wasm_file_in_the_folder_is_a_function() {
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
    fn function_name_is_a_single_word() {
        for good in ["a", "A-1_b.c", "7"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "-a", ".a", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
