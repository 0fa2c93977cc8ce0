//! `--functions`: a file or a folder of functions.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use clap::{Command as Definition, Error};
use functions::{ComponentSource, FunctionConfig, FunctionsConfig, MiddlewareConfig, Route};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::entry::Entry;
use super::file::{File, Pair, by_place};
use super::value::kind;
use super::{check, failure};
use crate::cli::function_flags::{Defaults, FunctionFlags, MIDDLEWARE};
use crate::cli::text_file;

/// Keys of a file of functions.
const TABLES: &str = "a file of functions has `folder`, `[[function]]` and `[[adapter]]`";

/// Keys of a middleware with settings of its own.
const MIDDLEWARE_KEYS: &str = "the keys of `[[function.middleware]]` are `component`, and the flags of \
                               `serve` for the environment, the limits and the audit entries of a \
                               guest, without the dashes";

/// An error in a file of functions, with its line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FunctionsError(String);

impl From<Error> for FunctionsError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        Self(text.trim_start_matches("error: ").trim_end().to_owned())
    }
}

/// Reads the functions in `path`, a file or a folder. Functions without a value of their own have
/// the `defaults`. Paths in a file are relative to its folder.
///
/// # Errors
///
/// Fails if the file cannot be read, or has an invalid key or value, with the line. Errors show
/// no secret.
pub fn read_functions(path: &Path, defaults: &Defaults) -> Result<FunctionsConfig, FunctionsError> {
    let default_settings = FunctionFlags::read(&[], &[], defaults)?.resolve();
    let mut config = FunctionsConfig {
        file: path.to_owned(),
        folder: None,
        functions: Vec::new(),
        adapters: Vec::new(),
        defaults: default_settings,
    };
    if path.is_dir() {
        config.folder = Some(path.to_owned());
        return Ok(config);
    }
    let name = path.display().to_string();
    let text = text_file::read(path).map_err(|error| {
        failure(&format!(
            "cannot read `{name}`, which --functions names: {error}"
        ))
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let reader = Reader {
        file: File {
            name: &name,
            text: &text,
            keys: "the keys of `[[function]]` are the flags of `serve` for guests without the \
                   dashes, and `name`, `component`, `middleware`, `smoke` and `route`",
        },
        folder,
        defaults,
        definition: FunctionFlags::definition(),
        middleware_definition: FunctionFlags::middleware_definition(),
    };
    reader.read(&mut config)?;
    Ok(config)
}

struct Reader<'a> {
    file: File<'a>,
    /// Base of relative paths.
    folder: &'a Path,
    defaults: &'a Defaults,
    definition: Definition,
    middleware_definition: Definition,
}

type Table<'a> = DeTable<'a>;

impl Reader<'_> {
    fn read(&self, config: &mut FunctionsConfig) -> Result<(), Error> {
        let document = self.file.parse()?;
        let pairs = by_place(document.get_ref());
        let is_adapter = |(key, _): &Pair<'_, '_>| key.get_ref().as_ref() == "adapter";
        let names_no_functions = pairs.iter().all(is_adapter);
        // The folder first: components of functions may be in it.
        for (key, value) in &pairs {
            match key.get_ref().as_ref() {
                "folder" => {
                    let text = self.text("folder", value)?;
                    config.folder = Some(self.folder.join(text));
                }
                "function" | "adapter" => {}
                other => {
                    return Err(self.file.rejected(
                        &key.span(),
                        other,
                        &format!("unknown key; {TABLES}"),
                    ));
                }
            }
        }
        for (key, value) in pairs {
            match key.get_ref().as_ref() {
                "adapter" => {
                    for table in self.tables("adapter", value)? {
                        config.adapters.push(self.adapter(table)?);
                    }
                }
                "function" => self.functions(value, config)?,
                _ => {}
            }
        }
        if names_no_functions {
            return Err(failure(&format!(
                "`{}` has no functions and may be truncated; for no functions, write \
                 `function = []`",
                self.file.name
            )));
        }
        Ok(())
    }

    /// All tables of one key.
    fn tables<'t, 'd>(
        &self,
        key: &str,
        value: &'t Spanned<DeValue<'d>>,
    ) -> Result<Vec<(&'t Table<'d>, Range<usize>)>, Error> {
        let expected = |value: &Spanned<DeValue<'_>>| {
            let found = kind(value.get_ref());
            let why = format!("expected tables, each as `[[{key}]]`, found {found}");
            self.file.rejected(&value.span(), key, &why)
        };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(expected(value));
        };
        let table = |item: &'t Spanned<DeValue<'d>>| match item.get_ref() {
            DeValue::Table(table) => Ok((table, item.span())),
            _ => Err(expected(item)),
        };
        items.iter().map(table).collect()
    }

    /// A path verbatim.
    fn text<'t>(&self, key: &str, value: &'t Spanned<DeValue<'_>>) -> Result<&'t str, Error> {
        match value.get_ref() {
            DeValue::String(text) if !text.is_empty() => Ok(text.as_ref()),
            DeValue::String(_) => Err(self.file.rejected(&value.span(), key, "the path is empty")),
            other => {
                let why = format!("expected a path, found {}", kind(other));
                Err(self.file.rejected(&value.span(), key, &why))
            }
        }
    }

    fn adapter(&self, (table, span): (&Table<'_>, Range<usize>)) -> Result<ComponentSource, Error> {
        let mut component = None;
        for (key, value) in by_place(table) {
            match key.get_ref().as_ref() {
                "component" => {
                    let text = self.text("component", value)?;
                    component = Some(ComponentSource::from(text).resolve_against(self.folder));
                }
                other => {
                    let why = "unknown key; an adapter has a `component`";
                    return Err(self.file.rejected(&key.span(), other, why));
                }
            }
        }
        let missing = "missing `component`, the file of the adapter";
        component.ok_or_else(|| self.file.rejected(&span, "[[adapter]]", missing))
    }

    fn functions(
        &self,
        value: &Spanned<DeValue<'_>>,
        config: &mut FunctionsConfig,
    ) -> Result<(), Error> {
        let mut names = BTreeMap::new();
        let mut routes = BTreeMap::new();
        for (table, span) in self.tables("function", value)? {
            let function = self.function(table, &span, config.folder.as_deref())?;
            if let Some(line) = names.insert(function.name.clone(), self.file.line(&span)) {
                let why = format!("duplicate name, also of the function in line {line}");
                let shown = format!("name = {:?}", function.name);
                return Err(self.file.rejected(&span, &shown, &why));
            }
            let name = function.name.clone();
            if let Some(other) = routes.insert(function.route.clone(), name) {
                let why = format!("duplicate route, also of `{other}`");
                let shown = format!("route = \"{}\"", function.route);
                return Err(self.file.rejected(&span, &shown, &why));
            }
            config.functions.push(function);
        }
        Ok(())
    }

    fn function(
        &self,
        table: &Table<'_>,
        span: &Range<usize>,
        folder: Option<&Path>,
    ) -> Result<FunctionConfig, Error> {
        let is_flag = |(key, _): &Pair<'_, '_>| key.get_ref().as_ref() != MIDDLEWARE;
        let (pairs, middleware): (Vec<_>, Vec<_>) = by_place(table).into_iter().partition(is_flag);
        let flags = self.flags(&self.file, &pairs, &self.definition)?;
        let middleware = match middleware.first() {
            Some((_, value)) => self.middleware(value, &flags)?,
            None => Vec::new(),
        };
        let settings = flags.resolve();
        let of_component = || flags.component.as_ref().map(ComponentSource::stem);
        let name = flags.name.or_else(of_component);
        let Some(name) = name else {
            let why = "missing `name` or `component`";
            return Err(self.file.rejected(span, "[[function]]", why));
        };
        if let Err(why) = functions::check_name(&name) {
            let why =
                format!("the name of the file is not valid for a function ({why}): add a `name`");
            return Err(self.file.rejected(span, &name, &why));
        }
        let (component, folder) = match (flags.component, folder) {
            (Some(component), _) => (Some(component), None),
            (None, Some(folder)) => {
                let component = ComponentSource::File(folder.join(format!("{name}.wasm")));
                (Some(component), Some(folder.to_owned()))
            }
            (None, None) if self.defaults.has_state => (None, None),
            (None, None) => {
                let why = "missing `component`, without a `folder` or `--state`";
                return Err(self.file.rejected(span, &format!("name = {name:?}"), why));
            }
        };
        Ok(FunctionConfig {
            route: flags.route.unwrap_or_else(|| Route::of_name(&name)),
            name,
            component,
            middleware,
            folder,
            settings,
        })
    }

    /// The flags in these pairs of a table.
    fn flags(
        &self,
        file: &File<'_>,
        pairs: &[Pair<'_, '_>],
        definition: &Definition,
    ) -> Result<FunctionFlags, Error> {
        let keys: Vec<_> = pairs
            .iter()
            .map(|(key, _)| key.get_ref().as_ref())
            .collect();
        let mut entries = file.entries(pairs, definition)?;
        for entry in &mut entries {
            self.resolve(entry);
        }
        check(&entries, definition)?;
        let given = entries.into_iter().map(|entry| (entry.key, entry.value));
        let given: Vec<_> = given.collect();
        FunctionFlags::read(&given, &keys, self.defaults)
    }

    /// The middleware of a function: a path or a table, or an array of these.
    fn middleware(
        &self,
        value: &Spanned<DeValue<'_>>,
        function: &FunctionFlags,
    ) -> Result<Vec<MiddlewareConfig>, Error> {
        let items: Vec<_> = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        let middleware = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
            DeValue::Table(table) => self.middleware_table(table, &item.span(), function),
            DeValue::String(_) => {
                let component = ComponentSource::from(self.text(MIDDLEWARE, item)?);
                Ok(MiddlewareConfig {
                    component: component.resolve_against(self.folder),
                    settings: None,
                })
            }
            other => {
                let why = format!(
                    "expected a path, or a table as `[[function.middleware]]`, found {}",
                    kind(other)
                );
                Err(self.file.rejected(&item.span(), MIDDLEWARE, &why))
            }
        };
        items.into_iter().map(middleware).collect()
    }

    /// A middleware of `function`, with settings of its own if it has keys for them.
    fn middleware_table(
        &self,
        table: &Table<'_>,
        span: &Range<usize>,
        function: &FunctionFlags,
    ) -> Result<MiddlewareConfig, Error> {
        let pairs = by_place(table);
        for (key, _) in &pairs {
            let name = key.get_ref().as_ref();
            if FunctionFlags::is_of_function_only(name) {
                let why = "a key of the function, not of its middleware; write it in `[[function]]`, \
                           above `[[function.middleware]]`";
                return Err(self.file.rejected(&key.span(), name, why));
            }
        }
        let file = File {
            keys: MIDDLEWARE_KEYS,
            ..self.file
        };
        // Also an empty table or list is a setting, without the values of the function.
        let keys = pairs.iter().map(|(key, _)| key.get_ref().as_ref());
        let keys: Vec<&str> = keys.collect();
        let has_settings = keys.iter().any(|key| *key != "component");
        let mut flags = self.flags(&file, &pairs, &self.middleware_definition)?;
        let Some(component) = flags.component.take() else {
            let why = "missing `component`, the file of the middleware";
            return Err(file.rejected(span, "[[function.middleware]]", why));
        };
        let settings = has_settings.then(|| flags.resolve_for_middleware(&keys, function));
        Ok(MiddlewareConfig {
            component,
            settings,
        })
    }

    /// Resolves a relative path against the folder of the file.
    fn resolve(&self, entry: &mut Entry) {
        let resolved = |path: &str| self.folder.join(path).to_string_lossy().into_owned();
        match entry.key.as_str() {
            "component" if !entry.value.is_empty() => {
                let place =
                    ComponentSource::from(entry.value.as_str()).resolve_against(self.folder);
                entry.value = place.to_string();
            }
            "env-file" if !entry.value.is_empty() => {
                entry.value = resolved(&entry.value);
            }
            "env-secret" => {
                if let Some((name, path)) = entry.value.split_once('=')
                    && !path.is_empty()
                {
                    entry.value = format!("{name}={}", resolved(path));
                }
            }
            _ => {}
        }
    }
}
