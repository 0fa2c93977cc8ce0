//! The walks of `ARCHITECTURE.md`: their files exist, and have the functions that the walks enter.

use std::collections::BTreeSet;
use std::fs;

use end_to_end::artifacts;

/// One step, ``N. `FILE`: `FUNCTION`, `FUNCTION` — TEXT``: its file and its functions.
fn step(line: &str) -> Option<(&str, Vec<&str>)> {
    let (number, rest) = line.split_once(". `")?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (file, rest) = rest.split_once("`: ")?;
    let (functions, _) = rest.split_once(" — ")?;
    let functions = functions.split(", ").map(|name| name.trim_matches('`'));
    Some((file, functions.collect()))
}

#[test]
fn walks_of_the_architecture_lead_through_existing_files_and_functions() {
    let workspace = artifacts::workspace();
    let document = workspace.join("ARCHITECTURE.md");
    let document = fs::read_to_string(document).expect("a document");
    let (_, walks) = document.split_once("\n## Five walks\n").expect("walks");
    let (walks, _) = walks
        .split_once("\n## ")
        .expect("a section after the walks");
    let walks: Vec<_> = walks.split("\n### ").skip(1).collect();
    assert_eq!(walks.len(), 5);
    for walk in walks {
        let (title, text) = walk.split_once('\n').expect("a title");
        let is_step = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
        let lines: Vec<_> = text.lines().filter(is_step).collect();
        assert!(lines.len() > 5, "{title}: {} steps", lines.len());
        let mut files = BTreeSet::new();
        for line in lines {
            let (file, functions) = step(line).unwrap_or_else(|| panic!("not a step: {line}"));
            assert!(files.insert(file), "{title}: returns to {file}");
            let source = fs::read_to_string(workspace.join(file));
            let source = source.unwrap_or_else(|error| panic!("{title}: {file}: {error}"));
            for function in functions {
                let is_defined = [format!("fn {function}("), format!("fn {function}<")]
                    .iter()
                    .any(|definition| source.contains(definition));
                assert!(is_defined, "{title}: {file}: missing function `{function}`");
            }
        }
    }
}
