//! Links and names of tests in documents.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use end_to_end::artifacts;

use super::files;

/// A name in a document that has at least this number of underscores is that of a test.
const UNDERSCORES_OF_A_TEST: usize = 4;

/// The anchors of the headings of a document, as code hosts make them.
fn anchors(document: &str) -> BTreeSet<String> {
    let headings = document.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text
            .chars()
            .filter(|&c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// The problem with the link to `target` in the document at `path`, if there is one.
fn problem(path: &Path, target: &str) -> Option<String> {
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let linked = if file.is_empty() {
        path.to_owned()
    } else {
        path.parent().expect("a folder").join(file)
    };
    if !linked.exists() {
        return Some("missing file".to_owned());
    }
    if anchor.is_empty() || linked.extension().is_none_or(|extension| extension != "md") {
        return None;
    }
    let text = fs::read_to_string(&linked).expect("a text");
    (!anchors(&text).contains(anchor)).then(|| "missing heading".to_owned())
}

/// The targets of the links of a document, without those of code blocks.
fn links(document: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut links = Vec::new();
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if !is_code {
            let targets = line.split("](").skip(1);
            links.extend(targets.filter_map(|rest| rest.split_once(')').map(|(target, _)| target)));
        }
    }
    links
}

#[test]
fn links_of_documents_lead_to_files_and_headings() {
    let workspace = artifacts::workspace();
    let mut problems = Vec::new();
    for path in files(&workspace, "md") {
        let text = fs::read_to_string(&path).expect("a text");
        for target in links(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            if let Some(problem) = problem(&path, target) {
                problems.push(format!("{}: `{target}`: {problem}", path.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn tests_that_documents_name_exist() {
    let workspace = artifacts::workspace();
    let sources = files(&workspace, "rs");
    let functions: BTreeSet<String> = sources
        .iter()
        .flat_map(|path| {
            let text = fs::read_to_string(path).expect("a text");
            let names = text.split("fn ").skip(1);
            let names = names.map(|rest| {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
                rest[..end.unwrap_or(rest.len())].to_owned()
            });
            names.collect::<Vec<_>>()
        })
        .collect();
    let mut missing = Vec::new();
    for path in files(&workspace, "md") {
        let text = fs::read_to_string(&path).expect("a text");
        for quoted in text.split('`') {
            let name = quoted.rsplit("::").next().unwrap_or_default();
            let is_name = name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            let is_test = is_name
                && name.matches('_').count() >= UNDERSCORES_OF_A_TEST
                && !name.starts_with("component_runner_");
            if is_test && !functions.contains(name) {
                missing.push(format!("{}: `{name}`", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn links_and_headings_are_found() {
    assert_eq!(
        links("[a](b.md) and [c](d.md#e)\n```\n[f](g)\n```"),
        ["b.md", "d.md#e"]
    );
    let expected = ["limits-of-a-request", "--max-memory"].map(str::to_owned);
    assert_eq!(
        anchors("# Limits of a request\ntext\n## `--max-memory`"),
        expected.into()
    );
}
