//! Removal of old records.

use crate::support::{
    append, attest, block_on, boot, folder, json_lines, key, lines, locations, open, record,
    sqlite, verified,
};
use audit_log::checkpoint::Tombstone;
use audit_log::prune::{PruneError, Pruned, prune};
use audit_log::read::{Reader, Start};
use audit_log::verify::{Finding, Options, verify};
use audit_log::{Location, SigningKey, TimeBound};

/// The time of the record `sequence`.
fn time_of(location: &Location, sequence: u64) -> TimeBound {
    let lines = lines(location);
    let mut records = lines.iter().map(|line| record(line).host);
    let host = records.find(|host| host.sequence == sequence);
    host.expect("a record").time.parse().expect("a time")
}

fn tombstones(location: &Location) -> Vec<Tombstone<'static>> {
    let mut reader = Reader::open(location, Start::First).expect("a log");
    let lines = reader.tombstones().expect("tombstones");
    let read = |line: &Vec<u8>| Tombstone::from_line(line).map(Tombstone::into_owned);
    lines
        .iter()
        .map(|line| read(line).expect("a tombstone"))
        .collect()
}

fn sequences(location: &Location) -> Vec<u64> {
    let lines = lines(location);
    lines
        .iter()
        .map(|line| record(line).host.sequence)
        .collect()
}

/// The first record from `sequence` on that is younger than the previous one.
fn first_after(location: &Location, sequence: u64) -> u64 {
    let lines = lines(location);
    let mut before = None;
    let mut hosts = lines.iter().map(|line| record(line).host);
    let found = hosts.find(|host| {
        let is_younger = before.replace(host.time.clone()) != Some(host.time.clone());
        host.sequence >= sequence && is_younger
    });
    found.expect("a record").sequence
}

/// Whether a checkpoint covers the record `sequence`.
fn is_covered(location: &Location, sequence: u64) -> bool {
    let lines = lines(location);
    let mut checkpoints = lines.iter().filter_map(|line| record(line).checkpoint);
    checkpoints.any(|checkpoint| checkpoint.sequence >= sequence)
}

#[test]
fn pruned_log_verifies_and_continues() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 5);
        let before = lines(&location);
        let pruned = prune(&location, &time_of(&location, 4), &key(&location));
        assert_eq!(pruned.expect("a log"), Some(Pruned { first: 1, last: 3 }));
        assert_eq!(lines(&location), before[3..], "{location}");

        boot(&location, 5);
        let pruned = prune(&location, &time_of(&location, 6), &key(&location));
        assert_eq!(pruned.expect("a log"), Some(Pruned { first: 4, last: 5 }));
        let removed: Vec<_> = tombstones(&location)
            .iter()
            .map(|one| (one.sequence, one.removed))
            .collect();
        assert_eq!(removed, [(3, 3), (5, 2)]);

        let report = verified(&location, &Options::default());
        assert!(report.is_good(), "{report}");
        assert_eq!((report.records, report.tombstones), (13, 2));
        assert_eq!(sequences(&location), (6..=18).collect::<Vec<_>>());
    }
}

#[test]
fn prune_keeps_the_last_record_and_the_log_continues() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 1);
        let future = "2999-01-01".parse().expect("a day");
        let pruned = prune(&location, &future, &key(&location)).expect("a log");
        assert_eq!(pruned, Some(Pruned { first: 1, last: 4 }));
        assert_eq!(sequences(&location), [5]);
        assert_eq!(
            prune(&location, &future, &key(&location)).expect("a log"),
            None
        );
        boot(&location, 1);
        assert_eq!(sequences(&location), [5, 6, 7, 8, 9, 10]);
        assert!(verified(&location, &Options::default()).is_good());
    }
}

#[test]
fn prune_without_old_records_changes_nothing() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 1);
        let bytes = std::fs::read(location.path().expect("a path")).expect("a log");
        let day = "2000-01-01".parse().expect("a day");
        assert_eq!(
            prune(&location, &day, &key(&location)).expect("a log"),
            None
        );
        let after = std::fs::read(location.path().expect("a path")).expect("a log");
        assert!(bytes == after);
    }
}

#[test]
fn database_is_pruned_in_steps_while_a_server_writes_it() {
    let folder = folder();
    let location = sqlite(&folder);
    // More than two transactions of 10,000.
    block_on(async {
        let log = open(&location);
        let write = |count: u64| {
            let tasks: Vec<_> = (0..100)
                .map(|_| {
                    let log = log.clone();
                    tokio::spawn(async move {
                        for number in 0..count {
                            append(&log, number).await;
                        }
                    })
                })
                .collect();
            async {
                for task in tasks {
                    task.await.expect("receipts");
                }
            }
        };
        write(250).await;
        // All records of a batch have the same time.
        let cut = first_after(&location, 24_000);
        // Uncovered records are not removed.
        while !is_covered(&location, cut) {
            write(1).await;
        }
        let pruning = {
            let location = location.clone();
            std::thread::spawn(move || {
                let before = time_of(&location, cut);
                prune(&location, &before, &key(&location))
            })
        };
        let mut records = 0;
        while !pruning.is_finished() {
            write(1).await;
            records += 100;
        }
        let pruned = pruning.join().expect("a thread").expect("a log");
        let expected = Pruned {
            first: 1,
            last: cut - 1,
        };
        assert_eq!(pruned, Some(expected));
        assert!(records > 0);
        log.close().await;
        let removed: Vec<_> = tombstones(&location)
            .iter()
            .map(|one| one.removed)
            .collect();
        assert_eq!(removed, [cut - 1], "one tombstone stands for all steps");
    });
    let report = verified(&location, &Options::default());
    assert!(report.is_good(), "{report}");
}

#[test]
fn prune_rejects_a_file_that_a_server_writes() {
    let folder = folder();
    let location = json_lines(&folder);
    boot(&location, 1);
    let _log = open(&location);
    let future = "2999-01-01".parse().expect("a day");
    let error = prune(&location, &future, &key(&location)).expect_err("in use");
    assert!(matches!(error, PruneError::InUse { .. }), "{error}");
}

#[test]
fn prune_rejects_a_damaged_log() {
    let folder = folder();
    let location = json_lines(&folder);
    boot(&location, 5);
    let future = "2999-01-01".parse().expect("a day");
    let path = location.path().expect("a path");
    let changed = std::fs::read_to_string(path).expect("a log");
    let changed = changed.replacen("\"act\"", "\"axt\"", 1);
    std::fs::write(path, &changed).expect("a disk");
    let error = prune(&location, &future, &key(&location)).expect_err("it is damaged");
    assert!(matches!(error, PruneError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("record 4"), "{error}");
    assert_eq!(std::fs::read_to_string(path).expect("a log"), changed);
}

#[test]
fn prune_rejects_the_key_of_another_log() {
    let folder = folder();
    for location in locations(&folder) {
        boot(&location, 5);
        let other = SigningKey::random().expect("a key");
        let future = "2999-01-01".parse().expect("a day");
        let error = prune(&location, &future, &other).expect_err("another key");
        assert!(matches!(error, PruneError::OtherKey { .. }), "{error}");
        assert_eq!(lines(&location).len(), 9);
    }
}

/// A pruned log of the records 4 to 9, as lines; the first one is its tombstone.
fn pruned_lines() -> (Vec<String>, Options) {
    let folder = folder();
    let location = json_lines(&folder);
    boot(&location, 5);
    let options = Options {
        checkpoints: vec![attest(&location)],
        keys: Vec::new(),
    };
    prune(&location, &time_of(&location, 4), &key(&location)).expect("a log");
    let text = std::fs::read_to_string(location.path().expect("a path")).expect("a log");
    (text.lines().map(ToOwned::to_owned).collect(), options)
}

fn first_finding(lines: &[String], options: &Options) -> Option<Finding> {
    let text = lines.join("\n") + "\n";
    let mut reader = Reader::from_bytes(text.into_bytes());
    let report = verify(&mut reader, options, &mut |_| {}).expect("a log");
    report.findings.into_iter().next()
}

#[test]
fn verify_finds_a_changed_tombstone() {
    let (lines, options) = pruned_lines();
    assert_eq!(first_finding(&lines, &options), None);
    for (from, to) in [
        ("\"removed\":3", "\"removed\":2"),
        ("\"time\":\"2", "\"time\":\"3"),
    ] {
        let mut changed = lines.clone();
        changed[0] = changed[0].replace(from, to);
        assert_ne!(changed, lines);
        let finding = first_finding(&changed, &options).expect("a finding");
        assert_eq!(
            finding.to_string(),
            "tombstone of record 3: invalid signature"
        );
    }
}

#[test]
fn verify_finds_a_missing_record_after_a_tombstone() {
    let (mut lines, options) = pruned_lines();
    lines.remove(1);
    let finding = first_finding(&lines, &options).expect("a finding");
    assert_eq!(
        finding.to_string(),
        "record 4: expected record 4, found record 5"
    );
}

#[test]
fn verify_finds_a_missing_tombstone() {
    let (mut lines, options) = pruned_lines();
    lines.remove(0);
    let finding = first_finding(&lines, &options);
    assert_eq!(finding, Some(Finding::MissingBeginning { found: 4 }));
}

#[test]
fn verify_finds_a_tombstone_of_another_key() {
    let (lines, options) = pruned_lines();
    let attacker = SigningKey::random().expect("a key");
    let removed = record(&lines[2]).host.previous;
    let time = "2026-08-01T00:00:00.000000000Z";
    let forged = Tombstone::sign(&attacker, "test", 4, removed, 4, time).line();
    let changed = [&[forged], &lines[2..]].concat();
    let finding = first_finding(&changed, &options);
    assert!(
        matches!(finding, Some(Finding::UnexpectedKey { .. })),
        "{finding:?}"
    );
    // Without an expected key, any key is accepted.
    assert_eq!(first_finding(&changed, &Options::default()), None);
}
