//! How an existing log ends, and whether a server left it so.

use crate::Location;
use crate::chain::Chain;
use crate::coverage::Coverage;
use crate::event::{Event, PreviousStop};
use crate::read::{Line, ReadError, Reader, Start};
use crate::store::{Head, OpenError};
use crate::verify::check_tombstones;

/// How many of the last records are checked before a log goes on, if a checkpoint is
/// among them. More is the business of `audit verify`.
pub(super) const CHECKED_RECORDS: u64 = 10_000;

/// How a log is opened for reading.
pub(super) type Open = fn(&Location, Start) -> Result<Reader, ReadError>;

/// The end of a log.
pub(super) struct End {
    pub(super) head: Head,
    pub(super) node: Option<String>,
    pub(super) previous_stop: PreviousStop,
    pub(super) coverage: Coverage,
    /// What of that no server leaves behind: the first and the last record of it.
    pub(super) unattested: Option<(u64, u64)>,
    /// Whether it can be read again.
    pub(super) is_kept: bool,
}

impl End {
    /// That of a log without records.
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
            // What cannot be read has no end.
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
        // Where the last checkpoint is so far away, the whole log is read.
        let mut reader = open(location, Start::First)?;
        let (base, _) = Self::begin(location, &mut reader)?;
        let reader = open(location, Start::First)?;
        base.follow(location, reader, Chain::anywhere())
    }

    /// Checks that the log has its beginning. Returns what is before its first record,
    /// and the sequence of that.
    fn begin(location: &Location, reader: &mut Reader) -> Result<(Self, Option<u64>), OpenError> {
        let damaged = |why: String| damaged(location, why);
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
                Some(_) => Err(damaged(
                    "it has a tombstone, and no record after it".to_owned(),
                )),
                None => Ok((base, None)),
            };
        };
        let name = name(&line, None);
        let record = chain.check(&line).map_err(|defect| {
            damaged(format!(
                "{name}, which is the first one: {defect}; its beginning is missing"
            ))
        })?;
        Ok((base, Some(record.host.sequence)))
    }

    /// Goes on from here to the last record that `reader` has.
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

/// A file of lines can end in the middle of the records that a server writes at its start
/// or stop, if the machine has stopped there. The checkpoint of these is missing then.
#[derive(Default)]
struct LastBatch {
    /// What was before it.
    before: Option<Coverage>,
}

impl LastBatch {
    fn add(&mut self, event: Option<&Event<'_>>, coverage: &Coverage) {
        match event {
            Some(Event::ServerStart { .. } | Event::ServerStop) => {
                self.before.get_or_insert_with(|| coverage.clone());
            }
            // These follow a start.
            Some(Event::KeyChanged { .. } | Event::LogUnattested { .. }) => {}
            _ => self.before = None,
        }
    }

    /// The records, apart from these, that a server would have signed.
    fn unattested(self, coverage: &Coverage) -> Option<(u64, u64)> {
        let judged = self.before.as_ref().unwrap_or(coverage);
        judged.defect().and(judged.tail())
    }
}

pub(super) fn damaged(location: &Location, why: String) -> OpenError {
    OpenError::Damaged {
        location: location.clone(),
        why,
    }
}

fn name(line: &Line<'_>, before: Option<Head>) -> String {
    match (line.key, before) {
        (Some(key), _) => format!("record {key}"),
        (None, Some(head)) => format!("the record after {}", head.sequence),
        (None, None) => "one of the last records".to_owned(),
    }
}
