//! The attacks, by their names in `docs/guide/audit-log.md`.

use std::fs;

use audit_log::checkpoint::Tombstone;
use audit_log::prune::prune;
use audit_log::read::{Reader, Start};
use audit_log::{AuditLog, Hash, Location, SigningKey};

use super::scenario::{Scenario, change, delay, is_checkpoint, re_sign, recompute_chain, sequence};
use crate::support::{append, block_on, boot, json_lines, key, record, sqlite};

/// An attack, and its name.
type Attack = (&'static str, fn(&Scenario));

/// The index of an entry in the middle of the second boot, in `Scenario::lines`.
const MIDDLE: usize = 12;

pub(crate) const ATTACKS: [Attack; 20] = [
    ("change a record", |scenario| {
        let mut lines = scenario.lines();
        change(&mut lines[MIDDLE]);
        scenario.write(&lines);
    }),
    ("delete records in the middle", |scenario| {
        let mut lines = scenario.lines();
        lines.drain(MIDDLE..MIDDLE + 3);
        scenario.write(&lines);
    }),
    ("change a record and recompute the chain", |scenario| {
        let mut lines = scenario.lines();
        change(&mut lines[MIDDLE]);
        recompute_chain(&mut lines);
        scenario.write(&lines);
    }),
    (
        "delete all checkpoints, change and recompute the chain",
        |scenario| {
            let mut lines = scenario.lines();
            change(&mut lines[MIDDLE]);
            lines.retain(|line| !is_checkpoint(line));
            recompute_chain(&mut lines);
            scenario.write(&lines);
        },
    ),
    (
        "delete the later checkpoints, change and recompute the chain",
        |scenario| {
            let mut lines = scenario.lines();
            change(&mut lines[MIDDLE]);
            let mut later = lines.split_off(MIDDLE);
            later.retain(|line| !is_checkpoint(line));
            lines.append(&mut later);
            recompute_chain(&mut lines);
            scenario.write(&lines);
        },
    ),
    ("re-sign with another key", |scenario| {
        let mut lines = scenario.lines();
        change(&mut lines[MIDDLE]);
        re_sign(&mut lines, &another_key());
        scenario.write(&lines);
    }),
    ("re-sign with another key and install it", |scenario| {
        let mut lines = scenario.lines();
        change(&mut lines[MIDDLE]);
        replace_key(scenario);
        re_sign(&mut lines, &key(scenario.location()));
        scenario.write(&lines);
    }),
    ("replace the key", replace_key),
    ("remove the key", |scenario| {
        fs::remove_file(scenario.sibling("key")).expect("a file");
    }),
    ("remove the last checkpoint", |scenario| {
        let mut lines = scenario.lines();
        lines.pop();
        scenario.write(&lines);
    }),
    ("append to a closed log", |scenario| {
        let mut lines = scenario.lines();
        lines.push(lines[MIDDLE].clone());
        let last = lines.len() - 1;
        let time = record(&lines[last - 1]).host.time.into_owned();
        let old = record(&lines[last]).host.time.into_owned();
        lines[last] = lines[last].replace(&old, &time);
        recompute_chain(&mut lines);
        scenario.write(&lines);
    }),
    ("truncate after a checkpoint", |scenario| {
        let mut lines = scenario.lines();
        lines.truncate(cut(&lines));
        scenario.write(&lines);
    }),
    (
        "truncate after a checkpoint and forge less than 3 s",
        |scenario| {
            let mut lines = scenario.lines();
            lines.truncate(cut(&lines) + 2);
            let last = lines.len() - 1;
            change(&mut lines[last]);
            delay(&mut lines[last], 2);
            recompute_chain(&mut lines);
            scenario.write(&lines);
        },
    ),
    (
        "truncate after a checkpoint and forge more than 3 s",
        |scenario| {
            let mut lines = scenario.lines();
            lines.truncate(cut(&lines) + 2);
            let last = lines.len() - 1;
            delay(&mut lines[last], 5);
            recompute_chain(&mut lines);
            scenario.write(&lines);
        },
    ),
    ("restore an older copy", |scenario| {
        let path = scenario.location().path().expect("a path");
        let older = fs::read(path).expect("a log");
        scenario.boot().expect("a log");
        fs::write(path, older).expect("a disk");
    }),
    ("remove the log", |scenario| {
        let path = scenario.location().path().expect("a path");
        fs::remove_file(path).expect("a log");
        // Without the copies, a server starts a new log.
        let mut settings = scenario.settings.clone();
        settings.checkpoints = None;
        block_on(async {
            let log = AuditLog::open(&settings).expect("a log");
            append(&log, 1).await;
            log.close().await;
        });
    }),
    (
        "replace the log with another log of the same key",
        |scenario| {
            let other = Scenario::new(|folder| match scenario.location() {
                Location::Sqlite(_) => sqlite(folder),
                _ => json_lines(folder),
            });
            let mut lines = other.lines();
            re_sign(&mut lines, &key(scenario.location()));
            scenario.write(&lines);
        },
    ),
    (
        "merge the log with another log of the same key",
        |scenario| {
            let mut lines = scenario.lines();
            let mut others = lines.split_off(18);
            // The third boot as the second one.
            lines.truncate(9);
            lines.append(&mut others);
            recompute_chain(&mut lines);
            scenario.write(&lines);
        },
    ),
    ("remove the beginning", |scenario| {
        let mut lines = scenario.lines();
        lines.drain(..9);
        scenario.write(&lines);
    }),
    ("remove the beginning and forge a tombstone", |scenario| {
        let lines = scenario.lines();
        let head = Hash::of(&lines[8]);
        let time = "2026-08-01T00:00:00.000000000Z";
        let tombstone = Tombstone::sign(&another_key(), "test", 9, head, 9, time);
        scenario.write_after(&[tombstone.line()], &lines[9..]);
    }),
];

/// The index after the checkpoint of the last start.
fn cut(lines: &[String]) -> usize {
    let at = lines.iter().rposition(|line| line.contains("server-start"));
    let at = at.expect("a start") + 2;
    assert!(is_checkpoint(&lines[at - 1]));
    at
}

fn another_key() -> SigningKey {
    SigningKey::random().expect("a key")
}

fn replace_key(scenario: &Scenario) {
    let folder = tempfile::tempdir().expect("a folder");
    let location = json_lines(&folder);
    boot(&location, 1);
    let other = location.sibling("key").expect("a path");
    fs::copy(other, scenario.sibling("key")).expect("a key");
}

#[test]
fn prune_rejects_a_forged_log() {
    for location in [sqlite, json_lines] {
        let scenario = Scenario::new(location).without_copies();
        let mut lines = scenario.lines();
        change(&mut lines[MIDDLE]);
        lines.retain(|line| !is_checkpoint(line));
        recompute_chain(&mut lines);
        scenario.write(&lines);
        let future = "2999-01-01".parse().expect("a day");
        // A tombstone would be the missing signature.
        let key = key(scenario.location());
        let pruned = prune(scenario.location(), &future, &key).expect("a log");
        assert_eq!(pruned, None);
        let mut reader = Reader::open(scenario.location(), Start::First).expect("a log");
        assert!(reader.tombstones().expect("a log").is_empty());
        // A start signs the whole log, and its record of the finding must stay.
        scenario.boot().expect("a log");
        let error = prune(scenario.location(), &future, &key).expect_err("it is damaged");
        assert!(error.to_string().contains("were not covered"), "{error}");
        assert_eq!(sequence(&scenario.lines()[0]), 1);
    }
}
