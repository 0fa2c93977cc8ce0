//! `verify` finds every change of a log, given an external checkpoint of its last record.

use crate::support::{attest, boot, folder, json_lines, lines, record, sqlite};
use audit_log::checkpoint::Checkpoint;
use audit_log::read::{Reader, Start};
use audit_log::verify::{Options, verify};
use audit_log::{Hash, Location, SigningKey};
use rusqlite::Connection;

/// The number of changed logs in all tests together.
const MUTATIONS: usize = 100_000;
const ROW_MUTATIONS: usize = 2_000;
const FLIPPED_DATABASES: usize = 3_000;

/// Pseudo-random numbers, the same in every run (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a small number");
        usize::try_from(self.next() % end).expect("a small number")
    }
}

/// A log of three boots, and an external checkpoint of it.
struct Original {
    lines: Vec<String>,
    options: Options,
    attacker: SigningKey,
}

impl Original {
    fn new(location: &Location) -> Self {
        for _ in 0..3 {
            boot(location, 5);
        }
        let options = Options {
            checkpoints: vec![attest(location)],
            keys: Vec::new(),
        };
        let report = crate::support::verified(location, &options);
        assert!(report.is_good(), "{report}");
        Self {
            lines: lines(location),
            options,
            attacker: SigningKey::random().expect("a key"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        text(&self.lines)
    }

    fn is_found(&self, bytes: Vec<u8>) -> bool {
        let report = verify(&mut Reader::from_bytes(bytes), &self.options, &mut |_| {});
        report.is_ok_and(|report| !report.is_good())
    }
}

fn text(lines: &[String]) -> Vec<u8> {
    let mut text = lines.join("\n").into_bytes();
    text.push(b'\n');
    text
}

/// One change, and its name.
type Mutation = (&'static str, fn(&Original, &mut Random) -> Vec<u8>);

const JSON_LINES_MUTATIONS: [Mutation; 14] = [
    ("a byte is changed", |log, random| {
        let mut bytes = log.bytes();
        let at = random.below(bytes.len());
        let before = bytes[at];
        while bytes[at] == before {
            bytes[at] = random.next().to_le_bytes()[0];
        }
        bytes
    }),
    ("a bit is flipped", |log, random| {
        let mut bytes = log.bytes();
        let at = random.below(bytes.len());
        bytes[at] ^= 1 << random.below(8);
        bytes
    }),
    ("a byte is missing", |log, random| {
        let mut bytes = log.bytes();
        bytes.remove(random.below(bytes.len()));
        bytes
    }),
    ("a byte is inserted", |log, random| {
        let mut bytes = log.bytes();
        let byte = random.next().to_le_bytes()[0];
        bytes.insert(random.below(bytes.len() + 1), byte);
        bytes
    }),
    ("a record is missing", |log, random| {
        let mut lines = log.lines.clone();
        lines.remove(random.below(lines.len()));
        text(&lines)
    }),
    ("consecutive records are missing", |log, random| {
        let mut lines = log.lines.clone();
        let start = random.below(lines.len());
        let end = start + 1 + random.below(lines.len() - start);
        lines.drain(start..end);
        text(&lines)
    }),
    ("two neighbours are swapped", |log, random| {
        let mut lines = log.lines.clone();
        let at = random.below(lines.len() - 1);
        lines.swap(at, at + 1);
        text(&lines)
    }),
    ("two records are swapped", |log, random| {
        let mut lines = log.lines.clone();
        let one = random.below(lines.len());
        let other = (one + 1 + random.below(lines.len() - 1)) % lines.len();
        lines.swap(one, other);
        text(&lines)
    }),
    ("a record is duplicated", |log, random| {
        let mut lines = log.lines.clone();
        let copy = lines[random.below(lines.len())].clone();
        lines.insert(random.below(lines.len() + 1), copy);
        text(&lines)
    }),
    ("the log is truncated at a byte", |log, random| {
        let mut bytes = log.bytes();
        bytes.truncate(random.below(bytes.len()));
        bytes
    }),
    ("the log is truncated at a record", |log, random| {
        let mut lines = log.lines.clone();
        lines.truncate(1 + random.below(lines.len() - 1));
        text(&lines)
    }),
    (
        "a record is rewritten, and the chain with it",
        |log, random| {
            let at = random.below(log.lines.len());
            forge(log, at, Checkpoints::Unchanged)
        },
    ),
    (
        "a record is rewritten, and the chain and the checkpoints with it",
        |log, random| {
            let at = random.below(log.lines.len());
            forge(log, at, Checkpoints::Signed)
        },
    ),
    ("a checkpoint has another signature", |log, random| {
        let mut lines = log.lines.clone();
        let checkpoints: Vec<_> = (0..lines.len())
            .filter(|&at| record(&lines[at]).checkpoint.is_some())
            .collect();
        let at = checkpoints[random.below(checkpoints.len())];
        let signature = lines[at].rfind("signature").expect("a signature");
        let digit = signature + "signature\":\"".len() + random.below(128);
        let old = lines[at].as_bytes()[digit];
        let new = if old == b'0' { "1" } else { "0" };
        lines[at].replace_range(digit..=digit, new);
        text(&lines)
    }),
];

#[derive(Clone, Copy, PartialEq)]
enum Checkpoints {
    /// Unchanged.
    Unchanged,
    /// Signed by the attacker.
    Signed,
}

/// Rewrites the record at `at`, and recomputes the hashes of all later ones.
fn forge(log: &Original, at: usize, checkpoints: Checkpoints) -> Vec<u8> {
    let mut lines = log.lines.clone();
    lines[at] = lines[at].replacen("\"monotonic_ns\":", "\"monotonic_ns\":1", 1);
    for next in at + 1..lines.len() {
        let (old, new) = (Hash::of(&log.lines[next - 1]), Hash::of(&lines[next - 1]));
        // A checkpoint contains the hash twice.
        lines[next] = lines[next].replace(&old.to_string(), &new.to_string());
        if checkpoints == Checkpoints::Signed
            && let Some(old) = record(&lines[next]).checkpoint
        {
            let signed = Checkpoint::sign(&log.attacker, "test", old.sequence, new, &old.time);
            let start = lines[next].find("\"checkpoint\":").expect("a checkpoint");
            let signed = serde_json::to_string(&signed).expect("JSON");
            let line = format!("{}\"checkpoint\":{signed}}}", &lines[next][..start]);
            lines[next] = line;
        }
    }
    text(&lines)
}

#[test]
fn verify_finds_every_change_of_a_file() {
    let folder = folder();
    let log = &Original::new(&json_lines(&folder));
    let count = MUTATIONS - ROW_MUTATIONS - FLIPPED_DATABASES;
    std::thread::scope(|scope| {
        for seed in 0..2 {
            scope.spawn(move || {
                let original = log.bytes();
                let mut random = Random(seed);
                for number in 0..count / 2 {
                    let (name, mutate) = JSON_LINES_MUTATIONS[number % JSON_LINES_MUTATIONS.len()];
                    let bytes = mutate(log, &mut random);
                    assert_ne!(bytes, original, "{name} ({seed}, {number})");
                    assert!(
                        log.is_found(bytes.clone()),
                        "{name} ({seed}, {number}):\n{}",
                        String::from_utf8_lossy(&bytes)
                    );
                }
            });
        }
    });
}

/// A database whose bytes are changed repeatedly.
struct Database {
    log: Original,
    location: Location,
    bytes: Vec<u8>,
}

impl Database {
    fn new(folder: &tempfile::TempDir) -> Self {
        let location = sqlite(folder);
        let log = Original::new(&location);
        // Also moves the rest of the write-ahead log to the database.
        let connection = Connection::open(path(&location)).expect("a database");
        let mode = connection.query_row("PRAGMA journal_mode = delete", (), |row| {
            row.get::<_, String>(0)
        });
        assert_eq!(mode.expect("a mode"), "delete");
        drop(connection);
        let bytes = std::fs::read(path(&location)).expect("a database");
        Self {
            log,
            location,
            bytes,
        }
    }

    fn write(&self, bytes: &[u8]) {
        std::fs::write(path(&self.location), bytes).expect("a disk");
    }

    /// Whether `verify` has a finding, or cannot read the log.
    fn is_found(&self) -> bool {
        let Ok(mut reader) = Reader::open(&self.location, Start::First) else {
            return true;
        };
        let report = verify(&mut reader, &self.log.options, &mut |_| {});
        report.map_or(true, |report| !report.is_good())
    }
}

fn path(location: &Location) -> &std::path::Path {
    location.path().expect("a path")
}

/// Statements that change rows or the schema. `:a` and `:b` are two existing keys, `:n` is a
/// number.
const STATEMENTS: [&str; 17] = [
    "DELETE FROM records WHERE sequence = :a",
    "DELETE FROM records WHERE sequence >= :a",
    "DELETE FROM records WHERE sequence <= :a",
    "DELETE FROM records",
    "UPDATE records SET record = substr(record, 1, :n) || 'x' || substr(record, :n + 2) \
     WHERE sequence = :a",
    "UPDATE records SET record = record || ' ' WHERE sequence = :a",
    "UPDATE records SET record = (SELECT record FROM records WHERE sequence = :b) \
     WHERE sequence = :a",
    "UPDATE records SET sequence = -sequence WHERE sequence = :a",
    "UPDATE records SET sequence = sequence + 1000 WHERE sequence = :a",
    "UPDATE records SET sequence = -9223372036854775808 WHERE sequence = :a",
    "INSERT INTO records (sequence, record) \
     SELECT -9223372036854775808, record FROM records WHERE sequence = :a",
    "INSERT INTO records (sequence, record) SELECT 1000, record FROM records WHERE sequence = :a",
    "UPDATE records SET sequence = 0 WHERE sequence = :a; \
     UPDATE records SET sequence = :a WHERE sequence = :b; \
     UPDATE records SET sequence = :b WHERE sequence = 0",
    "INSERT INTO tombstones VALUES (:a, '{}')",
    "PRAGMA writable_schema = on; \
     UPDATE sqlite_schema SET sql = replace(sql, 'guest.action', 'guest.outcome')",
    "CREATE VIEW shown AS SELECT * FROM records WHERE sequence <> :a",
    "CREATE TRIGGER gone AFTER INSERT ON records BEGIN \
     DELETE FROM records WHERE sequence = :a; END",
];

#[test]
fn verify_finds_every_change_of_a_row() {
    let folder = folder();
    let database = Database::new(&folder);
    let mut random = Random(2);
    let count = database.log.lines.len();
    for number in 0..ROW_MUTATIONS {
        let one = random.below(count);
        let other = (one + 1 + random.below(count - 1)) % count;
        let statement = STATEMENTS[number % STATEMENTS.len()]
            .replace(":a", &(one + 1).to_string())
            .replace(":b", &(other + 1).to_string())
            // A position in the previous hash, which contains no `x`.
            .replace(":n", &(60 + random.below(30)).to_string());
        database.write(&database.bytes);
        let connection = Connection::open(path(&database.location)).expect("a database");
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = memory; PRAGMA synchronous = off; {statement}"
            ))
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
        drop(connection);
        assert!(database.is_found(), "{statement}");
    }
    database.write(&database.bytes);
    assert!(!database.is_found(), "the database itself is good");
}

#[test]
fn verify_finds_a_flipped_bit_of_a_database_or_it_changes_no_record() {
    let folder = folder();
    let database = Database::new(&folder);
    let mut random = Random(3);
    let mut found = 0;
    for _ in 0..FLIPPED_DATABASES {
        let mut bytes = database.bytes.clone();
        let (at, bit) = (random.below(bytes.len()), random.below(8));
        bytes[at] ^= 1 << bit;
        database.write(&bytes);
        if database.is_found() {
            found += 1;
        } else {
            let lines = lines(&database.location);
            assert_eq!(lines, database.log.lines, "bit {bit} of byte {at}");
        }
    }
    // The other bits are in unused parts of the file.
    assert!(found > FLIPPED_DATABASES / 3, "{found}");
}
