//! The attacks, with the names that they have in `docs/audit-log.md`.

use std::fs;

use audit_log::checkpoint::Tombstone;
use audit_log::prune::prune;
use audit_log::read::{Reader, Start};
use audit_log::{AuditLog, Hash, SigningKey};

use crate::scene::{Scene, chain_anew, change, delay, is_checkpoint, sequence, sign_anew};
use crate::support::{append, block_on, key, record};

/// An attack, and its name.
type Attack = (&'static str, fn(&Scene));

/// The place of an entry in the middle of the second boot, in `Scene::lines`.
const MIDDLE: usize = 12;

pub(crate) const ATTACKS: [Attack; 20] = [
    ("change a record", |scene| {
        let mut lines = scene.lines();
        change(&mut lines[MIDDLE]);
        scene.write(&lines);
    }),
    ("delete records in the middle", |scene| {
        let mut lines = scene.lines();
        lines.drain(MIDDLE..MIDDLE + 3);
        scene.write(&lines);
    }),
    ("change a record and recompute the chain", |scene| {
        let mut lines = scene.lines();
        change(&mut lines[MIDDLE]);
        chain_anew(&mut lines);
        scene.write(&lines);
    }),
    (
        "delete all checkpoints, change and recompute the chain",
        |scene| {
            let mut lines = scene.lines();
            change(&mut lines[MIDDLE]);
            lines.retain(|line| !is_checkpoint(line));
            chain_anew(&mut lines);
            scene.write(&lines);
        },
    ),
    (
        "delete the later checkpoints, change and recompute the chain",
        |scene| {
            let mut lines = scene.lines();
            change(&mut lines[MIDDLE]);
            let mut later = lines.split_off(MIDDLE);
            later.retain(|line| !is_checkpoint(line));
            lines.append(&mut later);
            chain_anew(&mut lines);
            scene.write(&lines);
        },
    ),
    ("re-sign with another key", |scene| {
        let mut lines = scene.lines();
        change(&mut lines[MIDDLE]);
        sign_anew(&mut lines, &another_key());
        scene.write(&lines);
    }),
    ("re-sign with another key and install it", |scene| {
        let mut lines = scene.lines();
        change(&mut lines[MIDDLE]);
        replace_key(scene);
        sign_anew(&mut lines, &key(scene.location()));
        scene.write(&lines);
    }),
    ("replace the key", replace_key),
    ("remove the key", |scene| {
        fs::remove_file(scene.beside("key")).expect("a file");
    }),
    ("remove the last checkpoint", |scene| {
        let mut lines = scene.lines();
        lines.pop();
        scene.write(&lines);
    }),
    ("append to a closed log", |scene| {
        let mut lines = scene.lines();
        lines.push(lines[MIDDLE].clone());
        let last = lines.len() - 1;
        let time = record(&lines[last - 1]).host.time.into_owned();
        let old = record(&lines[last]).host.time.into_owned();
        lines[last] = lines[last].replace(&old, &time);
        chain_anew(&mut lines);
        scene.write(&lines);
    }),
    ("truncate after a checkpoint", |scene| {
        let mut lines = scene.lines();
        lines.truncate(cut(&lines));
        scene.write(&lines);
    }),
    (
        "truncate after a checkpoint and forge less than 3 s",
        |scene| {
            let mut lines = scene.lines();
            lines.truncate(cut(&lines) + 2);
            let last = lines.len() - 1;
            change(&mut lines[last]);
            delay(&mut lines[last], 2);
            chain_anew(&mut lines);
            scene.write(&lines);
        },
    ),
    (
        "truncate after a checkpoint and forge more than 3 s",
        |scene| {
            let mut lines = scene.lines();
            lines.truncate(cut(&lines) + 2);
            let last = lines.len() - 1;
            delay(&mut lines[last], 5);
            chain_anew(&mut lines);
            scene.write(&lines);
        },
    ),
    ("restore an older copy", |scene| {
        let path = scene.location().path().expect("a path");
        let older = fs::read(path).expect("a log");
        scene.boot().expect("a log");
        fs::write(path, older).expect("a disk");
    }),
    ("remove the log", |scene| {
        let path = scene.location().path().expect("a path");
        fs::remove_file(path).expect("a log");
        // Without what was copied elsewhere, a server begins a new one.
        let mut settings = scene.settings.clone();
        settings.checkpoints = None;
        block_on(async {
            let log = AuditLog::open(&settings).expect("a log");
            append(&log, 1).await;
            log.close().await;
        });
    }),
    (
        "replace the log with another log of the same key",
        |scene| {
            let other = Scene::new(|folder| match scene.location() {
                audit_log::Location::Sqlite(_) => crate::support::sqlite(folder),
                _ => crate::support::json_lines(folder),
            });
            let mut lines = other.lines();
            sign_anew(&mut lines, &key(scene.location()));
            scene.write(&lines);
        },
    ),
    ("merge the log with another log of the same key", |scene| {
        let mut lines = scene.lines();
        let mut others = lines.split_off(18);
        // The third boot as the second one.
        lines.truncate(9);
        lines.append(&mut others);
        chain_anew(&mut lines);
        scene.write(&lines);
    }),
    ("remove the beginning", |scene| {
        let mut lines = scene.lines();
        lines.drain(..9);
        scene.write(&lines);
    }),
    ("remove the beginning and forge a tombstone", |scene| {
        let lines = scene.lines();
        let head = Hash::of(&lines[8]);
        let time = "2026-08-01T00:00:00.000000000Z";
        let tombstone = Tombstone::sign(&another_key(), "test", 9, head, 9, time);
        scene.write_after(&[tombstone.line()], &lines[9..]);
    }),
];

/// Where a log can be cut off: after a checkpoint with which a server has started.
fn cut(lines: &[String]) -> usize {
    let at = lines.iter().rposition(|line| line.contains("server-start"));
    let at = at.expect("a start") + 2;
    assert!(is_checkpoint(&lines[at - 1]));
    at
}

fn another_key() -> SigningKey {
    SigningKey::random().expect("a key")
}

fn replace_key(scene: &Scene) {
    let folder = tempfile::tempdir().expect("a folder");
    let location = crate::support::json_lines(&folder);
    crate::support::boot(&location, 1);
    let other = location.beside("key").expect("a path");
    fs::copy(other, scene.beside("key")).expect("a key");
}

#[test]
fn a_forged_log_is_not_pruned() {
    for location in [crate::support::sqlite, crate::support::json_lines] {
        let scene = Scene::new(location).without_copies();
        let mut lines = scene.lines();
        change(&mut lines[MIDDLE]);
        lines.retain(|line| !is_checkpoint(line));
        chain_anew(&mut lines);
        scene.write(&lines);
        let future = "2999-01-01".parse().expect("a day");
        // A tombstone would be the signature that it lacks.
        let key = key(scene.location());
        let pruned = prune(scene.location(), &future, &key).expect("a log");
        assert_eq!(pruned, None);
        let mut reader = Reader::open(scene.location(), Start::First).expect("a log");
        assert!(reader.tombstones().expect("a log").is_empty());
        // After a start its key has signed all of it, and its record of that must stay.
        scene.boot().expect("a log");
        let error = prune(scene.location(), &future, &key).expect_err("it is damaged");
        assert!(error.to_string().contains("were not covered"), "{error}");
        assert_eq!(sequence(&scene.lines()[0]), 1);
    }
}
