//! Attacks with write access to the folder of the log, but without its key and the copies of its
//! checkpoints. `verify` and the next start must have the outcomes of the table in
//! `docs/guide/audit-log.md`.

mod catalog;
mod scenario;

use std::collections::BTreeMap;

use audit_log::event::Event;
use audit_log::{Location, OpenError};
use catalog::ATTACKS;
use scenario::Scenario;

use crate::support::{self, record};

/// The outcome of an attack, in the words of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    with_key: &'static str,
    with_copies: &'static str,
    /// The behaviour of the next start, which compares the log with the copies.
    at_start: &'static str,
}

/// The rows of the table of attacks: the first cell, and the others.
fn documented() -> BTreeMap<String, Vec<String>> {
    let text = include_str!("../../../docs/guide/audit-log.md");
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

fn outcome(scenario: &Scenario) -> Outcome {
    let with_key = verdict(scenario.verify_with_key().is_good());
    let with_copies = verdict(scenario.verify_with_copies().is_good());
    let at_start = match scenario.boot() {
        Err(
            OpenError::Damaged { .. } | OpenError::RolledBack { .. } | OpenError::KeyMissing { .. },
        ) => "refused",
        Err(error) => panic!("another error: {error}"),
        Ok(()) if has_recorded(scenario) => {
            assert!(!scenario.verify_with_key().is_good(), "it stays wrong");
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

/// Whether a start has recorded a finding.
fn has_recorded(scenario: &Scenario) -> bool {
    let lines = scenario.lines();
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
        let scenario = Scenario::new(location);
        assert!(scenario.verify_with_copies().is_good(), "before the attack");
        attack(&scenario);
        let found = outcome(&scenario);
        let expected = documented.remove(name);
        let expected = expected.unwrap_or_else(|| panic!("`{name}` is not in the document"));
        let found = [found.with_key, found.with_copies, found.at_start];
        if found[..] != expected[..] {
            others.push(format!("{name}: {found:?}, and not {expected:?}"));
        }
    }
    assert!(others.is_empty(), "{others:#?}");
    assert!(
        documented.is_empty(),
        "no attack has the name {documented:?}"
    );
}

#[test]
fn attacks_on_a_database_have_the_documented_outcomes() {
    check(support::sqlite);
}

#[test]
fn attacks_on_a_file_have_the_documented_outcomes() {
    check(support::json_lines);
}

#[test]
fn forged_log_stays_wrong_after_a_server_signed_it() {
    let names = [
        "delete all checkpoints, change and recompute the chain",
        "delete the later checkpoints, change and recompute the chain",
        "append to a closed log",
        "truncate after a checkpoint and forge more than 3 s",
    ];
    for location in [support::sqlite, support::json_lines] {
        for name in names {
            // Without copies, the server knows only the log.
            let scenario = Scenario::new(location).without_copies();
            let attack = ATTACKS.iter().find(|(found, _)| *found == name);
            attack.expect("an attack").1(&scenario);
            for _ in 0..2 {
                assert!(!scenario.verify_with_key().is_good(), "{name}");
                scenario.boot().expect("a log");
            }
            assert!(has_recorded(&scenario), "{name}");
            let report = scenario.verify_with_key().to_string();
            assert!(report.contains("WRONG"), "{name}: {report}");
        }
    }
}

#[test]
fn uncovered_records_of_a_crash_are_reported_after_the_next_start() {
    let scenario = Scenario::new(support::json_lines);
    let mut lines = scenario.lines();
    // Killed after an entry, before the next checkpoint.
    lines.truncate(21);
    scenario.write(&lines);
    let scenario = scenario.without_copies();
    assert!(scenario.verify_with_key().is_good());
    scenario.boot().expect("a log");
    let report = scenario.verify_with_key();
    assert!(report.is_good(), "{report}");
    let expected = "1 start after a crash: 1 record had no checkpoint until then";
    assert!(report.to_string().contains(expected), "{report}");
}

#[test]
fn changed_key_is_reported() {
    let scenario = Scenario::new(support::sqlite).without_copies();
    let before = support::key(scenario.location()).public_key();
    let attack = ATTACKS.iter().find(|(name, _)| *name == "replace the key");
    attack.expect("an attack").1(&scenario);
    scenario.boot().expect("a log");
    let options = audit_log::verify::Options {
        keys: vec![before, support::key(scenario.location()).public_key()],
        checkpoints: Vec::new(),
    };
    let report = support::verified(scenario.location(), &options);
    assert!(report.is_good(), "{report}");
    let expected = format!("the key was changed in record 29; the previous key was {before}");
    assert!(report.to_string().contains(&expected), "{report}");
}

#[test]
fn node_that_is_a_path_creates_no_file_outside_the_copies_folder() {
    for location in [support::sqlite, support::json_lines] {
        let scenario = Scenario::new(location);
        let lines = scenario.lines();
        let forged: Vec<_> = lines
            .iter()
            .map(|line| line.replace("\"node\":\"test\"", "\"node\":\"../escaped\""))
            .collect();
        scenario.write(&forged);
        assert!(!scenario.verify_with_key().is_good());
        let mut settings = scenario.settings.clone();
        settings.node = None;
        let error = audit_log::AuditLog::open(&settings).expect_err("it is damaged");
        assert!(error.to_string().contains("invalid node"), "{error}");
        let copies = settings.checkpoints.expect("a folder");
        assert!(!copies.join("../escaped.jsonl").exists());
    }
}
