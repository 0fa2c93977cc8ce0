//! A log that servers have written, and what an attacker can do who has no key.

use std::fs;
use std::path::PathBuf;

use audit_log::checkpoint::Checkpoint;
use audit_log::read::{Reader, Start};
use audit_log::verify::{Copies, Options, Report, verify};
use audit_log::{AuditLog, Hash, Location, OpenError, PublicKey, Settings, SigningKey};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{append, block_on, key, lines, record};

/// How many entries a server writes.
const ENTRIES: u64 = 5;

/// In each of three boots: a start, the entries, a stop, and two checkpoints.
const RECORDS: usize = 3 * 9;

/// A log of three servers that stopped, in a folder that the attacker can write; the
/// copies of the checkpoints and the public key are out of reach.
pub(crate) struct Scene {
    _folder: TempDir,
    pub(crate) settings: Settings,
    out_of_reach: TempDir,
    key: PublicKey,
}

impl Scene {
    pub(crate) fn new(location: impl Fn(&TempDir) -> Location) -> Self {
        // A boot that takes longer than a second has more checkpoints.
        loop {
            let scene = Self::try_new(&location);
            if scene.lines().len() == RECORDS {
                return scene;
            }
        }
    }

    /// The same scene, where no server compares anything with the copies.
    pub(crate) fn without_copies(mut self) -> Self {
        self.settings.checkpoints = None;
        self
    }

    fn try_new(location: impl Fn(&TempDir) -> Location) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let out_of_reach = tempfile::tempdir().expect("a folder");
        let mut settings = Settings::new(location(&folder));
        settings.node = Some("test".to_owned());
        settings.checkpoints = Some(out_of_reach.path().to_owned());
        boot(&settings).expect("a log");
        let key = key(&settings.location).public_key();
        let scene = Self {
            _folder: folder,
            settings,
            out_of_reach,
            key,
        };
        for _ in 0..2 {
            scene.boot().expect("a log");
        }
        scene
    }

    pub(crate) fn location(&self) -> &Location {
        &self.settings.location
    }

    /// The file beside the log that `extension` names.
    pub(crate) fn beside(&self, extension: &str) -> PathBuf {
        self.location().beside(extension).expect("a path")
    }

    /// Starts a server, which writes a few entries and stops.
    pub(crate) fn boot(&self) -> Result<(), OpenError> {
        boot(&self.settings)
    }

    /// What an auditor with the public key finds.
    pub(crate) fn verify_with_key(&self) -> Report {
        self.verify(&Options {
            keys: vec![self.key],
            checkpoints: Vec::new(),
        })
    }

    /// What one finds who has the copies of the checkpoints, too.
    pub(crate) fn verify_with_copies(&self) -> Report {
        let copies = Copies::read(&self.out_of_reach.path().join("test.jsonl"));
        self.verify(&Options {
            keys: vec![self.key],
            checkpoints: copies.expect("copies").checkpoints,
        })
    }

    fn verify(&self, options: &Options) -> Report {
        let mut reader = Reader::open(self.location(), Start::First).expect("a log");
        verify(&mut reader, options, &mut |_| {}).expect("a log")
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        lines(self.location())
    }

    /// Puts other records in the place of all.
    pub(crate) fn write(&self, lines: &[String]) {
        self.write_after(&[], lines);
    }

    /// The same, with tombstones before them.
    pub(crate) fn write_after(&self, tombstones: &[String], lines: &[String]) {
        let path = self.location().path().expect("a path");
        if let Location::JsonLines(_) = self.location() {
            let text: String = tombstones
                .iter()
                .chain(lines)
                .map(|line| line.clone() + "\n")
                .collect();
            fs::write(path, text).expect("a disk");
            return;
        }
        let connection = Connection::open(path).expect("a database");
        let clear = "DELETE FROM records; DELETE FROM tombstones";
        connection.execute_batch(clear).expect("a table");
        for line in lines {
            let row = (sequence(line).cast_signed(), line);
            let insert = "INSERT INTO records (sequence, record) VALUES (?1, ?2)";
            connection.execute(insert, row).expect("a row");
        }
        for line in tombstones {
            let insert = "INSERT INTO tombstones VALUES (?1 ->> '$.tombstone.sequence', ?1)";
            connection.execute(insert, [line]).expect("a row");
        }
    }
}

fn boot(settings: &Settings) -> Result<(), OpenError> {
    let log = AuditLog::open(settings)?;
    block_on(async {
        for number in 1..=ENTRIES {
            append(&log, number).await;
        }
        log.close().await;
    });
    Ok(())
}

pub(crate) fn sequence(line: &str) -> u64 {
    record(line).host.sequence
}

pub(crate) fn is_checkpoint(line: &str) -> bool {
    record(line).checkpoint.is_some()
}

/// The record says something else.
pub(crate) fn change(line: &mut String) {
    let changed = line.replace("\"thing\"", "\"other\"");
    assert_ne!(*line, changed, "there is nothing to change");
    *line = changed;
}

/// Gives all records the places and the hashes that they would have, in the log `node`.
pub(crate) fn chain_anew(lines: &mut [String]) {
    let mut before: Option<(u64, Hash)> = None;
    for line in lines {
        let host = record(line).host;
        let (old_sequence, old_hash) = (host.sequence, host.previous);
        if let Some((sequence, hash)) = before {
            let old = format!("\"sequence\":{old_sequence},\"previous\":\"{old_hash}\"");
            let new = format!("\"sequence\":{},\"previous\":\"{hash}\"", sequence + 1);
            *line = line.replacen(&old, &new, 1);
        }
        before = Some((sequence(line), Hash::of(line)));
    }
}

/// Gives all checkpoints the hashes that they would have, signed by `key`.
pub(crate) fn sign_anew(lines: &mut [String], key: &SigningKey) {
    for at in 0..lines.len() {
        chain_anew(&mut lines[..=at]);
        let Some(old) = record(&lines[at]).checkpoint else {
            continue;
        };
        let host = record(&lines[at]).host;
        let (node, time) = (old.node.clone(), old.time.clone());
        let new = Checkpoint::sign(key, &node, host.sequence - 1, host.previous, &time);
        let new = serde_json::to_string(&new).expect("JSON");
        let start = lines[at].find("\"checkpoint\":").expect("a checkpoint");
        lines[at] = format!("{}\"checkpoint\":{new}}}", &lines[at][..start]);
    }
}

/// Moves the time of a record by so many seconds.
pub(crate) fn delay(line: &mut String, seconds: i64) {
    let old = record(line).host.time.into_owned();
    let time: jiff::Timestamp = old.parse().expect("a time");
    let time = time + jiff::SignedDuration::from_secs(seconds);
    *line = line.replacen(&old, &format!("{time:.9}"), 1);
}
