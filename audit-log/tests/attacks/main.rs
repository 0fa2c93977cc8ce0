//! An attacker who can write everything beside the log, but has neither its key nor the
//! copies of its checkpoints: what `verify` and the next start find of each attack is what
//! the table in `docs/audit-log.md` says.

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod scene;

use std::collections::BTreeMap;

use attacks::ATTACKS;
use audit_log::event::Event;
use audit_log::{Location, OpenError};
use scene::Scene;
use support::record;

/// What is found of an attack, in the words of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    with_key: &'static str,
    with_copies: &'static str,
    /// What the next start does that compares the log with the copies.
    at_start: &'static str,
}

/// The rows of the table of attacks: its first cell, and the others.
fn documented() -> BTreeMap<String, Vec<String>> {
    let text = include_str!("../../../docs/audit-log.md");
    let (_, table) = text.split_once("| attack |").expect("the table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| {
        row.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
    });
    let rows = cells.map(|mut cells| (cells.next().expect("a name"), cells.collect()));
    rows.collect()
}

fn verdict(is_good: bool) -> &'static str {
    if is_good { "not found" } else { "WRONG" }
}

fn outcome(scene: &Scene) -> Outcome {
    let with_key = verdict(scene.verify_with_key().is_good());
    let with_copies = verdict(scene.verify_with_copies().is_good());
    let at_start = match scene.boot() {
        Err(
            OpenError::Damaged { .. } | OpenError::RolledBack { .. } | OpenError::KeyMissing { .. },
        ) => "refused",
        Err(error) => panic!("another error: {error}"),
        Ok(()) if has_recorded(scene) => {
            assert!(!scene.verify_with_key().is_good(), "it stays wrong");
            "recorded"
        }
        Ok(()) => "continues",
    };
    Outcome {
        with_key,
        with_copies,
        at_start,
    }
}

/// Whether a server has found something when it started.
fn has_recorded(scene: &Scene) -> bool {
    let lines = scene.lines();
    let mut records = lines.iter().map(|line| record(line));
    records.any(|record| {
        matches!(
            record.event,
            Some(Event::KeyChanged { .. } | Event::LogUnattested { .. })
        )
    })
}

fn check(location: fn(&tempfile::TempDir) -> Location) {
    let mut documented = documented();
    let mut others = Vec::new();
    for (name, attack) in ATTACKS {
        let scene = Scene::new(location);
        assert!(scene.verify_with_copies().is_good(), "before the attack");
        attack(&scene);
        let found = outcome(&scene);
        let expected = documented.remove(name);
        let expected = expected.unwrap_or_else(|| panic!("`{name}` is not in the document"));
        let found = [found.with_key, found.with_copies, found.at_start];
        if found[..] != expected[..] {
            others.push(format!("{name}: {found:?}, and not {expected:?}"));
        }
    }
    assert!(others.is_empty(), "{others:#?}");
    assert!(documented.is_empty(), "no attack is like {documented:?}");
}

#[test]
fn verify_and_start_find_what_the_document_says_of_attacks_on_a_database() {
    check(support::sqlite);
}

#[test]
fn verify_and_start_find_what_the_document_says_of_attacks_on_a_file() {
    check(support::json_lines);
}

#[test]
fn a_forged_log_that_a_server_has_signed_over_stays_wrong() {
    let names = [
        "delete all checkpoints, change and recompute the chain",
        "delete the later checkpoints, change and recompute the chain",
        "append to a closed log",
        "truncate after a checkpoint and forge more than 3 s",
    ];
    for location in [support::sqlite, support::json_lines] {
        for name in names {
            // There are no copies that tell the server more than the log does.
            let scene = Scene::new(location).without_copies();
            let attack = ATTACKS.iter().find(|(found, _)| *found == name);
            attack.expect("an attack").1(&scene);
            for _ in 0..2 {
                assert!(!scene.verify_with_key().is_good(), "{name}");
                scene.boot().expect("a log");
            }
            assert!(has_recorded(&scene), "{name}");
            let report = scene.verify_with_key().to_string();
            assert!(report.contains("WRONG"), "{name}: {report}");
        }
    }
}

#[test]
fn the_records_of_a_crash_are_named_after_the_next_start() {
    let scene = Scene::new(support::json_lines);
    let mut lines = scene.lines();
    // Killed after an entry, before the next checkpoint.
    lines.truncate(21);
    scene.write(&lines);
    let scene = scene.without_copies();
    assert!(scene.verify_with_key().is_good());
    scene.boot().expect("a log");
    let report = scene.verify_with_key();
    assert!(report.is_good(), "{report}");
    let expected = "1 start after a crash: 1 record before them had no checkpoint until then";
    assert!(report.to_string().contains(expected), "{report}");
}

#[test]
fn a_key_that_the_operator_changes_is_named() {
    let scene = Scene::new(support::sqlite).without_copies();
    let before = support::key(scene.location()).public_key();
    let attack = ATTACKS.iter().find(|(name, _)| *name == "replace the key");
    attack.expect("it is there").1(&scene);
    scene.boot().expect("a log");
    let options = audit_log::verify::Options {
        keys: vec![before, support::key(scene.location()).public_key()],
        checkpoints: Vec::new(),
    };
    let report = support::verified(scene.location(), &options);
    assert!(report.is_good(), "{report}");
    let expected = format!("the key was changed in record 29; before that it was {before}");
    assert!(report.to_string().contains(&expected), "{report}");
}

#[test]
fn a_node_that_is_a_path_makes_no_file_beside_the_copies() {
    for location in [support::sqlite, support::json_lines] {
        let scene = Scene::new(location);
        let lines = scene.lines();
        let forged: Vec<_> = lines
            .iter()
            .map(|line| line.replace("\"node\":\"test\"", "\"node\":\"../escaped\""))
            .collect();
        scene.write(&forged);
        assert!(!scene.verify_with_key().is_good());
        let mut settings = scene.settings.clone();
        settings.node = None;
        let error = audit_log::AuditLog::open(&settings).expect_err("it is damaged");
        assert!(
            error.to_string().contains("its node is not a name"),
            "{error}"
        );
        let copies = settings.checkpoints.expect("a folder");
        assert!(!copies.join("../escaped.jsonl").exists());
    }
}
