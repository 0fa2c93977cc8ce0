//! The location of a log.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The location of a log, in the form of `--audit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An SQLite database: `sqlite:PATH`.
    Sqlite(PathBuf),
    /// A file with one record a line: `jsonl:PATH`.
    JsonLines(PathBuf),
    /// Standard output, one record a line: `jsonl:-`. It cannot be read back, so every run
    /// starts a new log.
    Stdout,
    /// No storage: `none`. Entries get a receipt and are discarded.
    None,
}

impl Location {
    /// The file of the log, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) | Self::JsonLines(path) => Some(path),
            Self::Stdout | Self::None => None,
        }
    }

    /// The file in the same folder with `extension` added to the name, such as `key`.
    #[must_use]
    pub fn sibling(&self, extension: &str) -> Option<PathBuf> {
        Some(self.path()?.with_added_extension(extension))
    }
}

/// The path of a database in a form that SQLite does not treat specially, such as the name of a
/// database in memory.
pub(crate) fn database_path(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| Path::new(".").join(path))
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite" | "jsonl", "")) => Err("missing path after the colon".to_owned()),
            Some(("jsonl", "-")) => Ok(Self::Stdout),
            Some(("sqlite", path)) if is_special(path) => Err(format!(
                "SQLite does not treat `{path}` as a path; expected a path, such as ./{path}"
            )),
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
            Some(("jsonl", path)) => Ok(Self::JsonLines(path.into())),
            _ if text == "none" => Ok(Self::None),
            _ => Err("expected sqlite:PATH, jsonl:PATH, jsonl:- or none".to_owned()),
        }
    }
}

/// Whether SQLite does not treat `path` as a path: a database in memory, or a URI, whose
/// parameters can select one.
fn is_special(path: &str) -> bool {
    path.starts_with(':')
        || path
            .as_bytes()
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"file:"))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::JsonLines(path) => write!(f, "jsonl:{}", path.display()),
            Self::Stdout => f.write_str("jsonl:-"),
            Self::None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_parses_its_displayed_form() {
        for text in [
            "sqlite:a/b.db",
            "sqlite:./file:q",
            "sqlite:/a/:memory:",
            "jsonl:C:x",
            "jsonl::memory:",
            "jsonl:-",
            "none",
        ] {
            assert_eq!(text.parse::<Location>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn invalid_location_is_rejected() {
        for text in [
            "",
            "sqlite",
            "sqlite:",
            "jsonl:",
            "audit.db",
            "None",
            "csv:x",
            "sqlite::memory:",
            "sqlite:file:q?mode=memory",
            "sqlite:file::memory:?cache=shared",
            "sqlite:FILE:q",
        ] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
