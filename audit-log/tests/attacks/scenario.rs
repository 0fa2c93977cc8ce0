//! A log of three boots, and the tools of an attacker without its key.

use std::fs;
use std::path::PathBuf;

use audit_log::checkpoint::Checkpoint;
use audit_log::read::{Reader, Start};
use audit_log::verify::{CheckpointFile, Options, Report, verify};
use audit_log::{AuditLog, Hash, Location, OpenError, PublicKey, Settings, SigningKey};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::{append, block_on, key, lines, record};

/// The number of entries of a boot.
const ENTRIES: u64 = 5;

/// The records of three boots: a start, the entries, a stop, and two checkpoints each.
const RECORDS: usize = 3 * 9;

/// A closed log of three boots, in a folder that the attacker can write; the copies of the
/// checkpoints and the public key are out of reach.
pub(crate) struct Scenario {
    _folder: TempDir,
    pub(crate) settings: Settings,
    out_of_reach: TempDir,
    key: PublicKey,
}

impl Scenario {
    pub(crate) fn new(location: impl Fn(&TempDir) -> Location) -> Self {
        // A boot of more than a second has more checkpoints.
        loop {
            let scenario = Self::try_new(&location);
            if scenario.lines().len() == RECORDS {
                return scenario;
            }
        }
    }

    /// The same scenario, but starts do not compare the log with the copies.
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
        let scenario = Self {
            _folder: folder,
            settings,
            out_of_reach,
            key,
        };
        for _ in 0..2 {
            scenario.boot().expect("a log");
        }
        scenario
    }

    pub(crate) fn location(&self) -> &Location {
        &self.settings.location
    }

    /// The file in the folder of the log with this extension.
    pub(crate) fn sibling(&self, extension: &str) -> PathBuf {
        self.location().sibling(extension).expect("a path")
    }

    /// Runs a boot, which writes a few entries and stops.
    pub(crate) fn boot(&self) -> Result<(), OpenError> {
        boot(&self.settings)
    }

    /// The report for an auditor with the public key.
    pub(crate) fn verify_with_key(&self) -> Report {
        self.verify(&Options {
            keys: vec![self.key],
            checkpoints: Vec::new(),
        })
    }

    /// The report for an auditor with the public key and the copies of the checkpoints.
    pub(crate) fn verify_with_copies(&self) -> Report {
        let copies = CheckpointFile::read(&self.out_of_reach.path().join("test.jsonl"));
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

    /// Replaces all records.
    pub(crate) fn write(&self, lines: &[String]) {
        self.write_after(&[], lines);
    }

    /// Replaces all records and tombstones.
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

/// Changes the record.
pub(crate) fn change(line: &mut String) {
    let changed = line.replace("\"thing\"", "\"other\"");
    assert_ne!(*line, changed, "nothing was changed");
    *line = changed;
}

/// Recomputes the sequences and the hashes of all records.
pub(crate) fn recompute_chain(lines: &mut [String]) {
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

/// Recomputes all checkpoints, signed by `key`.
pub(crate) fn re_sign(lines: &mut [String], key: &SigningKey) {
    for at in 0..lines.len() {
        recompute_chain(&mut lines[..=at]);
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

/// Moves the time of a record by `seconds`.
pub(crate) fn delay(line: &mut String, seconds: i64) {
    let old = record(line).host.time.into_owned();
    let time: jiff::Timestamp = old.parse().expect("a time");
    let time = time + jiff::SignedDuration::from_secs(seconds);
    *line = line.replacen(&old, &format!("{time:.9}"), 1);
}
