//! Verification of a log.
//!
//! - this file: [`verify`], which reads a log from its beginning to its end.
//! - `finding.rs`: the possible findings.
//! - `report.rs`: the report.
//! - `external.rs`: comparison with external checkpoints, which were copied elsewhere.
//! - `tombstones.rs`: verification of tombstones.

mod external;
mod finding;
mod report;
mod tombstones;

use std::thread;
use std::time::Duration;

use crate::chain::{Chain, Defect};
use crate::checkpoint::Checkpoint;
use crate::coverage::Coverage;
use crate::event::Event;
use crate::head::Head;
use crate::key::PublicKey;
use crate::read::{ReadError, Reader};
use crate::record::Record;
use external::ExternalCheckpoints;
pub use external::{CheckpointFile, CheckpointFileError};
pub use finding::Finding;
pub use report::{INCOMPLETE, Report};
pub(crate) use tombstones::check as check_tombstones;

/// The number of records between two progress reports.
const RECORDS_PER_PROGRESS: u64 = 4096;

/// The number and the duration of waits for the rest of a batch that a server is writing.
const WAITS: u32 = 200;
const WAIT: Duration = Duration::from_millis(10);

/// The keys and external checkpoints to verify a log against.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// External checkpoints, which were copied elsewhere.
    pub checkpoints: Vec<Checkpoint<'static>>,
    /// The accepted keys. If empty, those of `checkpoints`, and if that is empty, too, any key.
    pub keys: Vec<PublicKey>,
}

/// The progress of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The position in the log, from 0 to `size`, or more if the log has grown since.
    pub position: u64,
    /// The end of the log at opening.
    pub size: u64,
    /// The number of verified records.
    pub records: u64,
}

/// Reads the whole log and reports its defects. `reader` must be at its first record. Reading
/// ends at the first bad record.
///
/// Calls `progress` every few milliseconds.
///
/// # Errors
///
/// Fails if the log cannot be read. Damage is not an error but a finding.
pub fn verify(
    reader: &mut Reader,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ReadError> {
    let mut run = Run::new(options);
    run.check_external(&options.checkpoints);
    match run.read(reader, progress) {
        Err(error) if error.is_damage() => run.find(Finding::damage(&error)),
        result => result?,
    }
    Ok(run.report)
}

struct Run {
    keys: Vec<PublicKey>,
    coverage: Coverage,
    external: ExternalCheckpoints,
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
            external: ExternalCheckpoints::new(&options.checkpoints),
        }
    }

    fn find(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }

    /// Whether `key` is accepted.
    fn accepts(&self, key: PublicKey) -> bool {
        self.keys.is_empty() || self.keys.contains(&key)
    }

    /// Checks the signatures of external checkpoints.
    fn check_external(&mut self, checkpoints: &[Checkpoint<'_>]) {
        for checkpoint in checkpoints {
            let (sequence, key) = (checkpoint.sequence, checkpoint.public_key);
            if !checkpoint.is_signed() {
                self.find(Finding::ExternalSignature { sequence });
            } else if !self.accepts(key) {
                let what = "the external checkpoint";
                let key = key.into();
                let finding = Finding::UnexpectedKey {
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
        // `prune` must not remove records that are yet to be read.
        reader.snapshot()?;
        let size = reader.size()?;
        if let Some(reason) = reader.check_container()? {
            self.find(Finding::Container(reason));
        }
        let Some(base) = self.check_tombstones(&reader.tombstones()?) else {
            return Ok(());
        };
        let mut chain = match &self.report.pruned {
            Some(tombstone) => Chain::after_tombstone(tombstone),
            None => Chain::after(Head::EMPTY),
        };
        if let Some(finding) = self.external.begin(base) {
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
                if !self.accepts(key) {
                    self.find(Finding::UnexpectedKey {
                        what: "the checkpoint of",
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
            if let Some(finding) = self.external.compare(head, self.report.node.as_deref()) {
                self.find(finding);
                return Ok(());
            }
            if self.external.summary().last == head.sequence {
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

    /// Checks the tombstones. Returns the record after which the log must begin, or None if a
    /// tombstone is wrong.
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
            if !self.accepts(key) {
                self.find(Finding::UnexpectedKey {
                    what: "the tombstone of",
                    sequence,
                    key: key.into(),
                });
                return None;
            }
            base = head;
            self.external.add_base(base);
            self.coverage.cover_pruned(sequence, key);
        }
        Some(base)
    }

    /// Whether the log ends with a start or a stop whose checkpoint a server is still writing to
    /// the file.
    fn awaits_checkpoint(&self, reader: &Reader, waits: &mut u32) -> Result<bool, ReadError> {
        if *waits == 0 || self.keys.is_empty() || !self.coverage.ends_with_boundary() {
            return Ok(false);
        }
        *waits = if reader.has_writer()? { *waits - 1 } else { 0 };
        if *waits > 0 {
            thread::sleep(WAIT);
        }
        Ok(true)
    }

    /// Reports the findings that a server recorded at its start.
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

    /// The finding for a record that does not continue the chain after `before`.
    fn defect(&self, before: Head, defect: Defect) -> Finding {
        let is_first = self.report.records == 0 && self.report.pruned.is_none();
        match defect {
            Defect::Gap { found, .. } if is_first => Finding::MissingBeginning { found },
            defect => Finding::Record {
                sequence: before.sequence.saturating_add(1),
                defect,
            },
        }
    }

    /// Checks the end of the log, after `head`.
    fn end(&mut self, reader: &Reader, head: Head) -> Result<(), ReadError> {
        if self.report.records == 0 {
            self.find(Finding::Empty);
        } else if !self.keys.is_empty()
            && let Some(uncovered) = self.coverage.defect()
        {
            self.find(Finding::Uncovered(uncovered));
        }
        self.report.may_be_incomplete = reader.may_be_incomplete()?;
        let bytes = reader.unfinished_bytes()?;
        if bytes > 0 {
            let after = head.sequence;
            self.find(Finding::Unfinished { after, bytes });
        }
        if let Some(finding) = self.external.end(head) {
            self.find(finding);
        }
        self.report.external = self.external.summary();
        Ok(())
    }
}
