//! The end of an existing log, and whether a server left it that way.

use crate::Location;
use crate::chain::Chain;
use crate::coverage::Coverage;
use crate::event::{Event, PreviousStop};
use crate::head::Head;
use crate::read::{Line, ReadError, Reader, Start};
use crate::store::OpenError;
use crate::verify::check_tombstones;

/// The number of last records that are checked before a log is continued, if a checkpoint is
/// among them. `audit verify` checks all.
pub(super) const CHECKED_RECORDS: u64 = 10_000;

/// The function that opens a log for reading.
pub(super) type Open = fn(&Location, Start) -> Result<Reader, ReadError>;

/// The end of a log.
pub(super) struct LogEnd {
    pub(super) head: Head,
    pub(super) node: Option<String>,
    pub(super) previous_stop: PreviousStop,
    pub(super) coverage: Coverage,
    /// The first and the last uncovered record, if a server does not leave them uncovered.
    pub(super) unattested: Option<(u64, u64)>,
    /// Whether the log is stored and can be read back.
    pub(super) is_kept: bool,
}

impl LogEnd {
    /// The end of an empty log.
    fn empty() -> Self {
        Self {
            head: Head::EMPTY,
            node: None,
            previous_stop: PreviousStop::None,
            coverage: Coverage::default(),
            unattested: None,
            is_kept: true,
        }
    }

    /// Reads the end of the log at `location`, and its beginning.
    pub(super) fn read(location: &Location, open: Open) -> Result<Self, OpenError> {
        let mut reader = match open(location, Start::First) {
            Ok(reader) => reader,
            // A log without storage, or a new file, is empty.
            Err(ReadError::NotKept(_) | ReadError::NotALog { .. }) => {
                return Ok(Self {
                    is_kept: false,
                    ..Self::empty()
                });
            }
            Err(error) => return Err(error.into()),
        };
        let (base, first) = Self::begin(location, &mut reader)?;
        let Some(first) = first else {
            return Ok(base);
        };
        drop(reader);
        let reader = open(location, Start::Last(CHECKED_RECORDS))?;
        let end = base.follow(location, reader, Chain::anywhere())?;
        if end.coverage.signer().is_some() || end.head.sequence - first < CHECKED_RECORDS {
            return Ok(end);
        }
        // The last checkpoint is further back, so the whole log is read.
        let mut reader = open(location, Start::First)?;
        let (base, _) = Self::begin(location, &mut reader)?;
        let reader = open(location, Start::First)?;
        base.follow(location, reader, Chain::anywhere())
    }

    /// Checks that the beginning of the log is not missing. Returns the state before its first
    /// record, and the sequence of that record.
    fn begin(location: &Location, reader: &mut Reader) -> Result<(Self, Option<u64>), OpenError> {
        let damaged = |reason: String| damaged(location, reason);
        let mut base = Self::empty();
        let mut chain = Chain::after(Head::EMPTY);
        let tombstones = check_tombstones(&reader.tombstones()?);
        let tombstones = tombstones.map_err(|finding| damaged(finding.to_string()))?;
        if let Some(last) = tombstones.last() {
            chain = Chain::after_tombstone(last);
            base.coverage.cover_pruned(last.sequence, last.public_key);
            base.head = last.head();
            base.node = Some(last.node.as_ref().to_owned());
            base.previous_stop = PreviousStop::Crash;
        }
        let Some(line) = reader.next()? else {
            return match tombstones.last() {
                Some(_) => Err(damaged("it has a tombstone and no record".to_owned())),
                None => Ok((base, None)),
            };
        };
        let name = name(&line, None);
        let record = chain.check(&line).map_err(|defect| {
            damaged(format!(
                "{name}, the first one: {defect}; the beginning of the log is missing"
            ))
        })?;
        Ok((base, Some(record.host.sequence)))
    }

    /// Advances to the last record of `reader`.
    fn follow(
        mut self,
        location: &Location,
        mut reader: Reader,
        mut chain: Chain,
    ) -> Result<Self, OpenError> {
        let mut batch = LastBatch::default();
        while let Some(line) = reader.next()? {
            let name = name(&line, chain.head());
            let record = chain
                .check(&line)
                .map_err(|defect| damaged(location, format!("{name}: {defect}")))?;
            self.previous_stop = match record.event {
                Some(Event::ServerStop) => PreviousStop::Clean,
                _ if record.checkpoint.is_some() => self.previous_stop,
                _ => PreviousStop::Crash,
            };
            batch.add(record.event.as_ref(), &self.coverage);
            self.coverage.add(&record);
        }
        if let Some(head) = chain.head() {
            self.head = head;
            self.node = chain.node().map(ToOwned::to_owned);
        }
        self.unattested = batch.unattested(&self.coverage);
        Ok(self)
    }
}

/// The records that a server writes at its start or stop. After a crash of the machine, a file
/// can end in the middle of them, without their checkpoint.
#[derive(Default)]
struct LastBatch {
    /// The coverage before them.
    before: Option<Coverage>,
}

impl LastBatch {
    fn add(&mut self, event: Option<&Event<'_>>, coverage: &Coverage) {
        match event {
            Some(Event::ServerStart { .. } | Event::ServerStop) => {
                self.before.get_or_insert_with(|| coverage.clone());
            }
            // These events follow a start.
            Some(Event::KeyChanged { .. } | Event::LogUnattested { .. }) => {}
            _ => self.before = None,
        }
    }

    /// The uncovered records before them that a server would have signed.
    fn unattested(self, coverage: &Coverage) -> Option<(u64, u64)> {
        let coverage = self.before.as_ref().unwrap_or(coverage);
        coverage.defect().and(coverage.tail())
    }
}

pub(super) fn damaged(location: &Location, reason: String) -> OpenError {
    OpenError::Damaged {
        location: location.clone(),
        reason,
    }
}

fn name(line: &Line<'_>, before: Option<Head>) -> String {
    match (line.key, before) {
        (Some(key), _) => format!("record {key}"),
        (None, Some(head)) => format!("the record after {}", head.sequence),
        (None, None) => "one of the last records".to_owned(),
    }
}
