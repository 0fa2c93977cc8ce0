//! Parser of a configuration file: from TOML to the values of flags.

use std::ops::Range;
use std::path::Path;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command as Definition, Error};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::entry::{Entry, rejected};
use super::failure;
use super::value::{kind, scalar, shown, shown_unknown};
use crate::cli::text_file;

/// Reads the file at `path`, whose keys are flags of the command `serve`. The entries are in the
/// order of the file. Their values are not parsed yet.
///
/// # Errors
///
/// Fails if the file cannot be read, is not TOML, or has an unknown key or a value of a type
/// that its flag does not take. The error names the line.
pub(super) fn read(path: &Path, serve: &Definition) -> Result<Vec<Entry>, Error> {
    let name = path.display().to_string();
    let text = text_file::read(path).map_err(|error| {
        failure(&format!(
            "cannot read `{name}`, which --config names: {error}"
        ))
    })?;
    let file = File {
        name: &name,
        text: &text,
        keys: "the keys are the flags of `serve` without the dashes",
    };
    file.entries(&by_place(file.parse()?.get_ref()), serve)
}

/// A TOML file.
#[derive(Clone, Copy)]
pub(super) struct File<'a> {
    /// Its path.
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    /// Description of the known keys, for errors.
    pub(super) keys: &'a str,
}

/// A key and its value.
pub(super) type Pair<'t, 'd> = (&'t Spanned<DeString<'d>>, &'t Spanned<DeValue<'d>>);

/// The pairs of a table in the order of the file.
pub(super) fn by_place<'t, 'd>(table: &'t DeTable<'d>) -> Vec<Pair<'t, 'd>> {
    let mut pairs: Vec<_> = table.iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    pairs
}

/// A flag and the name of its value in the help.
struct Flag<'a> {
    key: &'a str,
    arg: &'a Arg,
    takes: &'a str,
}

impl<'a> File<'a> {
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'a>>, Error> {
        DeTable::parse(self.text).map_err(|error| self.no_toml(&error))
    }

    /// The entries of these pairs of a table, whose keys are flags of `definition`.
    pub(super) fn entries(
        &self,
        pairs: &[Pair<'_, '_>],
        definition: &Definition,
    ) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        for &(key, value) in pairs {
            let flag = self.flag(key, value, definition)?;
            self.add(&flag, value, definition, &mut entries)?;
        }
        Ok(entries)
    }

    /// Line number of the start of `span`.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    /// The error about a span of this file.
    pub(super) fn rejected(&self, span: &Range<usize>, shown: &str, why: &str) -> Error {
        rejected(&self.place(span), shown, why)
    }

    fn place(&self, span: &Range<usize>) -> String {
        format!("{}:{}", self.name, self.line(span))
    }

    fn no_toml(&self, error: &toml::de::Error) -> Error {
        let start = error.span().unwrap_or_default().start;
        let place = self.place(&(start..start));
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |feed| feed + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        // The value after the key may be a secret.
        let (key, value) = line.split_once('=').unwrap_or_default();
        let (key, value) = (key.trim(), value.trim());
        let mut why = error.message();
        for noise in [", expected nothing", ", expected literal string"] {
            why = why.strip_suffix(noise).unwrap_or(why);
        }
        let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if key.is_empty() || !key.chars().all(is_key) {
            return failure(&format!("{place}: invalid TOML: {why}"));
        }
        let is_bare = value.starts_with(char::is_alphanumeric) && why.starts_with("invalid");
        let hint = if is_bare {
            "; a string needs quotes"
        } else {
            ""
        };
        rejected(&place, key, &format!("{why}{hint}"))
    }

    /// The flag of a key.
    fn flag<'f>(
        &self,
        key: &'f Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        definition: &'f Definition,
    ) -> Result<Flag<'f>, Error> {
        let place = self.place(&key.span());
        let key = key.get_ref().as_ref();
        let Some(arg) = arg(definition, key) else {
            let shown = shown_unknown(key, value.get_ref());
            return Err(rejected(
                &place,
                &shown,
                &self.unknown(key, value.get_ref(), definition),
            ));
        };
        if !arg.get_action().takes_values() {
            let why = format!("only allowed on the command line, as `--{key}`");
            return Err(rejected(&place, key, &why));
        }
        if key == "config" && arg.get_id() == "config" {
            return Err(rejected(
                &place,
                key,
                "a file cannot name another file of flags",
            ));
        }
        let takes = arg.get_value_names().and_then(<[_]>::first);
        let takes = takes.map_or("", |name| name.as_str());
        Ok(Flag { key, arg, takes })
    }

    fn add(
        &self,
        flag: &Flag<'_>,
        value: &Spanned<DeValue<'_>>,
        definition: &Definition,
        entries: &mut Vec<Entry>,
    ) -> Result<(), Error> {
        match value.get_ref() {
            DeValue::Array(items) if flag.is_list() => {
                for item in items {
                    entries.push(self.entry(flag, item, "a string")?);
                }
            }
            DeValue::Table(pairs) if flag.is_table() => {
                for (key, value) in by_place(pairs) {
                    entries.push(self.variable(flag, key, value, definition)?);
                }
            }
            _ => entries.push(self.entry(flag, value, flag.expected())?),
        }
        Ok(())
    }

    fn entry(
        &self,
        flag: &Flag<'_>,
        value: &Spanned<DeValue<'_>>,
        expected: &str,
    ) -> Result<Entry, Error> {
        let place = self.place(&value.span());
        let Some(text) = scalar(value.get_ref(), flag.is_switch()) else {
            let found = kind(value.get_ref());
            let why = format!("expected {expected}, found {found}");
            return Err(rejected(&place, flag.key, &why));
        };
        let shown = if flag.is_secret() {
            flag.key.to_owned()
        } else {
            shown(flag.key, value.get_ref(), &text)
        };
        Ok(Entry {
            id: flag.arg.get_id().clone(),
            key: flag.key.to_owned(),
            value: text,
            place,
            shown,
        })
    }

    /// The entry of one variable in a table.
    fn variable(
        &self,
        flag: &Flag<'_>,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        definition: &Definition,
    ) -> Result<Entry, Error> {
        let place = self.place(&key.span());
        let name = key.get_ref().as_ref();
        let shown = format!("{}.{name}", flag.key);
        if name.contains('=') {
            return Err(rejected(&place, &shown, "a name cannot contain `=`"));
        }
        if arg(definition, name).is_some() {
            let why = format!(
                "a key of the server in the table `{0}`: move it above all tables, or write \
                 `{0} = [\"{name}=…\"]` for a variable of this name",
                flag.key
            );
            return Err(rejected(&place, &shown, &why));
        }
        let Some(text) = scalar(value.get_ref(), false) else {
            let found = kind(value.get_ref());
            return Err(rejected(
                &place,
                &shown,
                &format!("expected a string, found {found}"),
            ));
        };
        Ok(Entry {
            id: flag.arg.get_id().clone(),
            key: flag.key.to_owned(),
            value: format!("{name}={text}"),
            place,
            shown,
        })
    }
}

impl Flag<'_> {
    /// Whether the flag may be repeated.
    fn is_list(&self) -> bool {
        matches!(self.arg.get_action(), ArgAction::Append)
    }

    /// Whether a table may hold its values.
    fn is_table(&self) -> bool {
        self.takes.starts_with("KEY=")
    }

    /// Whether errors hide its values, which may be secrets.
    fn is_secret(&self) -> bool {
        self.takes == "KEY=VALUE"
    }

    fn is_switch(&self) -> bool {
        let values = self.arg.get_possible_values();
        values.iter().any(|value| value.matches("on", false))
    }

    fn expected(&self) -> &'static str {
        match (self.is_table(), self.is_list()) {
            (true, _) => "a table, or an array of strings",
            (false, true) => "a value, or an array of values",
            (false, false) => "one value",
        }
    }
}

fn arg<'a>(definition: &'a Definition, key: &str) -> Option<&'a Arg> {
    definition
        .get_arguments()
        .find(|arg| arg.get_long() == Some(key))
}

impl File<'_> {
    /// Says that unknown key, and which one may be meant.
    fn unknown(&self, key: &str, value: &DeValue<'_>, definition: &Definition) -> String {
        let words = [definition.get_name(), &format!("--{key}")];
        let error = definition.clone().try_get_matches_from(words).err();
        let suggested = error
            .as_ref()
            .and_then(|error| error.get(ContextKind::SuggestedArg));
        match (suggested, value) {
            (Some(ContextValue::String(flag)), _) => {
                format!(
                    "unknown key; did you mean `{}`?",
                    flag.trim_start_matches('-')
                )
            }
            (_, DeValue::Table(_)) => {
                "unknown table; expected `env`, `env-secret` or `config-var`".to_owned()
            }
            _ => format!("unknown key; {}", self.keys),
        }
    }
}
