//! Whether a log is what was written.
//!
//! - this file: [`verify`], which reads a log from its beginning to its end.
//! - `finding.rs`: what may be wrong with it.
//! - `report.rs`: what there is to say of it.
//! - `outside.rs`: checkpoints that were kept somewhere else.
//! - `tombstones.rs`: what the tombstones say.

mod finding;
mod outside;
mod report;
mod tombstones;

use std::thread;
use std::time::Duration;

use crate::chain::{Chain, Defect};
use crate::checkpoint::Checkpoint;
use crate::coverage::Coverage;
use crate::event::Event;
use crate::key::PublicKey;
use crate::read::{ReadError, Reader};
use crate::record::Record;
use crate::store::Head;
pub use finding::Finding;
use outside::Outside;
pub use outside::{Copies, CopiesError};
pub use report::{INCOMPLETE, Report};
pub(crate) use tombstones::check as check_tombstones;

/// How many records are read before somebody is told of it.
const RECORDS_PER_PROGRESS: u64 = 4096;

/// How often, and how long each time, to wait for the rest of what a server writes at
/// once.
const WAITS: u32 = 200;
const WAIT: Duration = Duration::from_millis(10);

/// What a log is compared with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Checkpoints that were kept somewhere else.
    pub checkpoints: Vec<Checkpoint<'static>>,
    /// The keys that may have signed the log. If there are none, those of
    /// `checkpoints` may, and if there are none either, every key may.
    pub keys: Vec<PublicKey>,
}

/// How far a log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Where in the log, from 0 to `size`; more if the log has grown since.
    pub position: u64,
    /// The end of the log, when it was opened.
    pub size: u64,
    /// How many records were good so far.
    pub records: u64,
}

/// Reads the whole log and says what is wrong with it. `reader` must be at its
/// first record. Reading ends with the first record that is wrong.
///
/// Tells `progress` every few milliseconds how far it is.
///
/// # Errors
///
/// Fails if the log cannot be read. What is damaged is no error but a finding.
pub fn verify(
    reader: &mut Reader,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ReadError> {
    let mut run = Run::new(options);
    run.check_outside(&options.checkpoints);
    match run.read(reader, progress) {
        Err(error) if error.is_damage() => run.find(Finding::damage(&error)),
        result => result?,
    }
    Ok(run.report)
}

struct Run {
    keys: Vec<PublicKey>,
    coverage: Coverage,
    outside: Outside,
    report: Report,
}

impl Run {
    fn new(options: &Options) -> Self {
        let mut keys = options.keys.clone();
        if keys.is_empty() {
            keys = report::distinct(options.checkpoints.iter().map(|one| one.public_key));
        }
        Self {
            report: Report::new(!keys.is_empty()),
            coverage: Coverage::default(),
            keys,
            outside: Outside::new(&options.checkpoints),
        }
    }

    fn find(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }

    /// Whether whoever verifies takes the word of `key`.
    fn trusts(&self, key: PublicKey) -> bool {
        self.keys.is_empty() || self.keys.contains(&key)
    }

    /// Checks the signatures of checkpoints that were kept somewhere else.
    fn check_outside(&mut self, checkpoints: &[Checkpoint<'_>]) {
        for checkpoint in checkpoints {
            let (sequence, key) = (checkpoint.sequence, checkpoint.public_key);
            if !checkpoint.is_signed() {
                self.find(Finding::OutsideSignature { sequence });
            } else if !self.trusts(key) {
                let what = "the checkpoint from outside";
                let key = key.into();
                let finding = Finding::Key {
                    what,
                    sequence,
                    key,
                };
                self.find(finding);
            }
        }
    }

    fn read(
        &mut self,
        reader: &mut Reader,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), ReadError> {
        // Prune must not take away what is about to be read.
        reader.hold()?;
        let size = reader.size()?;
        if let Some(why) = reader.check_container()? {
            self.find(Finding::Container(why));
        }
        let Some(base) = self.check_tombstones(&reader.tombstones()?) else {
            return Ok(());
        };
        let mut chain = match &self.report.pruned {
            Some(tombstone) => Chain::after_tombstone(tombstone),
            None => Chain::after(Head::EMPTY),
        };
        if let Some(finding) = self.outside.begin(base) {
            self.find(finding);
            return Ok(());
        }
        let mut waits = WAITS;
        loop {
            let Some(line) = reader.next()? else {
                if self.awaits_checkpoint(reader, &mut waits)? {
                    continue;
                }
                break;
            };
            let before = chain.head().unwrap_or(base);
            let record = match chain.check(&line) {
                Ok(record) => record,
                Err(defect) => {
                    self.find(self.defect(before, defect));
                    return Ok(());
                }
            };
            let head = chain.head().unwrap_or(base);
            if let Some(checkpoint) = &record.checkpoint {
                let key = checkpoint.public_key;
                self.report.add_checkpoint(checkpoint);
                if !self.trusts(key) {
                    self.find(Finding::Key {
                        what: "the checkpoint in the record after",
                        sequence: checkpoint.sequence,
                        key: key.into(),
                    });
                    return Ok(());
                }
            }
            self.report.add_record(head);
            self.coverage.add(&record);
            self.note(&record);
            if self.report.records == 1 {
                self.report.node = Some(record.host.node.into_owned());
            }
            if let Some(finding) = self.outside.compare(head, self.report.node.as_deref()) {
                self.find(finding);
                return Ok(());
            }
            if self.outside.summary().last == head.sequence {
                self.coverage.cover(head.sequence);
            }
            if self.report.records.is_multiple_of(RECORDS_PER_PROGRESS) {
                progress(Progress {
                    position: line.position,
                    size,
                    records: self.report.records,
                });
            }
        }
        self.end(reader, chain.head().unwrap_or(base))
    }

    /// Checks the tombstones. Returns after which record the log must begin, or
    /// None if they do not say so.
    fn check_tombstones(&mut self, lines: &[Vec<u8>]) -> Option<Head> {
        let tombstones = match check_tombstones(lines) {
            Ok(tombstones) => tombstones,
            Err(finding) => {
                self.find(finding);
                return None;
            }
        };
        let mut base = Head::EMPTY;
        for tombstone in tombstones {
            let (sequence, key) = (tombstone.sequence, tombstone.public_key);
            let head = tombstone.head();
            self.report.add_tombstone(tombstone);
            if !self.trusts(key) {
                self.find(Finding::Key {
                    what: "the tombstone of",
                    sequence,
                    key: key.into(),
                });
                return None;
            }
            base = head;
            self.outside.remember(base);
            self.coverage.cover_pruned(sequence, key);
        }
        Some(base)
    }

    /// Whether the log ends with a start or a stop whose checkpoint is still being written:
    /// a file is read while a server writes it.
    fn awaits_checkpoint(&self, reader: &Reader, waits: &mut u32) -> Result<bool, ReadError> {
        if *waits == 0 || self.keys.is_empty() || !self.coverage.ends_with_boundary() {
            return Ok(false);
        }
        *waits = if reader.is_written()? { *waits - 1 } else { 0 };
        if *waits > 0 {
            thread::sleep(WAIT);
        }
        Ok(true)
    }

    /// Takes note of what a server has found out when it started.
    fn note(&mut self, record: &Record<'_>) {
        let sequence = record.host.sequence;
        match record.event {
            Some(Event::ServerStart {
                uncovered: Some(count),
                ..
            }) => self.report.add_crash(count),
            Some(Event::KeyChanged { previous }) => self.report.add_key_change(sequence, previous),
            Some(Event::LogUnattested { first, last }) => self.find(Finding::Unattested {
                sequence,
                first,
                last,
            }),
            _ => {}
        }
    }

    /// What to say of a record that does not follow `before`.
    fn defect(&self, before: Head, defect: Defect) -> Finding {
        let is_first = self.report.records == 0 && self.report.pruned.is_none();
        match defect {
            Defect::Gap { found, .. } if is_first => Finding::Beginning { found },
            defect => Finding::Record {
                sequence: before.sequence.saturating_add(1),
                defect,
            },
        }
    }

    /// Checks the end of the log, which is after `head`.
    fn end(&mut self, reader: &Reader, head: Head) -> Result<(), ReadError> {
        if self.report.records == 0 {
            self.find(Finding::Empty);
        } else if !self.keys.is_empty()
            && let Some(uncovered) = self.coverage.defect()
        {
            self.find(Finding::Uncovered(uncovered));
        }
        self.report.may_be_incomplete = reader.may_be_incomplete()?;
        let bytes = reader.unfinished()?;
        if bytes > 0 {
            let after = head.sequence;
            self.find(Finding::Unfinished { after, bytes });
        }
        if let Some(finding) = self.outside.end(head) {
            self.find(finding);
        }
        self.report.outside = self.outside.summary();
        Ok(())
    }
}
