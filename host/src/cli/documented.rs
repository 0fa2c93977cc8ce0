//! Tests of the documents: every flag with its group, default and unit.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, CommandFactory};

use super::Cli;

/// Flags with a number that is not a limit.
const NO_LIMITS: [&str; 2] = ["reuse", "threads"];

fn flags() -> Vec<Arg> {
    let definition = Cli::command();
    let serve = definition.find_subcommand("serve").unwrap();
    serve.get_arguments().cloned().collect()
}

/// The key of a flag in a file.
fn key(flag: &Arg) -> &str {
    flag.get_long().unwrap_or(flag.get_id().as_str())
}

/// The kind of value of a flag, in lower case.
fn takes(flag: &Arg) -> String {
    let name = flag.get_value_names().and_then(<[_]>::first);
    match name.map(|name| name.to_lowercase().replace('|', " or ")) {
        _ if !flag.get_action().takes_values() => "nothing".to_owned(),
        Some(name) if name == "app.wasm" => "file".to_owned(),
        name => name.unwrap(),
    }
}

/// The default of a flag: of the parser, or else in its help.
fn default(flag: &Arg) -> String {
    if let [value] = flag.get_default_values()
        && flag.get_action().takes_values()
    {
        return value.to_str().unwrap().to_owned();
    }
    let help = flag.get_help().unwrap().to_string();
    match help.split_once("[default: ") {
        Some((_, default)) => {
            let default = default.trim_end().strip_suffix(']').unwrap();
            default.split_whitespace().collect::<Vec<_>>().join(" ")
        }
        None => "none".to_owned(),
    }
}

fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap().to_owned()
}

/// The rows of all tables of a document with a first cell in backticks: heading and other cells,
/// by that cell.
fn rows(document: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let text = fs::read_to_string(workspace().join("docs/guide").join(document)).unwrap();
    let mut heading = "";
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        heading = line.strip_prefix("### ").unwrap_or(heading);
        let Some(cells) = line.strip_prefix("| `") else {
            continue;
        };
        let mut cells = cells.trim_end_matches('|').split(" | ").map(str::trim);
        let name = cells.next().unwrap().trim_end_matches('`').to_owned();
        let cells = cells.map(ToOwned::to_owned).collect();
        let row = (heading.to_owned(), cells);
        assert!(
            rows.insert(name.clone(), row).is_none(),
            "duplicate row `{name}`"
        );
    }
    rows
}

#[test]
fn every_flag_is_documented_with_its_group_and_its_default() {
    let mut rows = rows("configuration.md");
    for flag in flags() {
        let key = key(&flag);
        let (heading, cells) = rows
            .remove(key)
            .unwrap_or_else(|| panic!("missing row for `{key}`"));
        let [takes, default, text] = &cells[..] else {
            panic!("unexpected columns in the row of `{key}`: {cells:?}");
        };
        assert_eq!(
            heading,
            flag.get_help_heading().unwrap_or("Options"),
            "{key}"
        );
        assert_eq!(takes.to_lowercase(), self::takes(&flag), "{key}");
        assert_eq!(*default, self::default(&flag), "{key}");
        assert!(!text.is_empty(), "{key}");
    }
    assert!(rows.is_empty(), "rows of unknown flags: {:?}", rows.keys());
}

#[test]
fn every_limit_is_documented_with_its_default_and_its_unit() {
    let mut rows = rows("limits.md");
    for flag in flags() {
        let key = key(&flag);
        let unit = takes(&flag);
        let is_number = matches!(&*unit, "number" | "bytes" | "seconds");
        if !is_number || NO_LIMITS.contains(&key) {
            continue;
        }
        let row = rows.remove(&format!("--{key}"));
        let (_, cells) = row.unwrap_or_else(|| panic!("missing row for `--{key}`"));
        let [default, documented, beyond, proof] = &cells[..] else {
            panic!("unexpected columns in the row of `--{key}`: {cells:?}");
        };
        assert_eq!(*default, self::default(&flag), "{key}");
        assert_eq!(*documented, unit, "{key}");
        assert!(!beyond.is_empty(), "{key}");
        assert!(proof.contains('`'), "missing test for `--{key}`");
    }
    assert!(rows.is_empty(), "rows of unknown limits: {:?}", rows.keys());
}

#[test]
fn every_test_that_proves_a_limit_exists() {
    let mut sources = String::new();
    for folder in ["tests/tests", "tests/src", "host", "audit-log"] {
        read_all(&workspace().join(folder), &mut sources);
    }
    for (flag, (_, cells)) in rows("limits.md") {
        let tests = cells.last().unwrap().split('`').skip(1).step_by(2);
        for test in tests {
            let definition = format!("fn {test}(");
            assert!(
                sources.contains(&definition),
                "{flag}: unknown test `{test}`"
            );
        }
    }
    // What the server keeps: each row has a test as well.
    let document = fs::read_to_string(workspace().join("docs/guide/limits.md")).unwrap();
    let (_, kept) = document.split_once("\n## What the server keeps\n").unwrap();
    let rows = kept.lines().filter(|line| {
        line.starts_with("| ") && !line.starts_with("| what ") && !line.starts_with("| ---")
    });
    let mut count = 0;
    for row in rows {
        let proof = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let tests: Vec<_> = proof.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "missing test: {row}");
        for test in tests {
            assert!(
                sources.contains(&format!("fn {test}(")),
                "unknown test `{test}`: {row}"
            );
        }
        count += 1;
    }
    assert!(count > 10, "{count} rows");
}

/// Appends all sources below a folder.
fn read_all(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
