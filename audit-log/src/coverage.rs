//! The records that checkpoints cover, and those after the last checkpoint.

use std::time::Duration;

use jiff::Timestamp;

use crate::event::Event;
use crate::key::PublicKey;
use crate::record::Record;

/// The longest time between the first and the last record after a checkpoint. A server signs
/// the next checkpoint before a record that is a second younger than the first.
pub(crate) const UNCOVERED_LIMIT: Duration = Duration::from_secs(3);

/// The checkpoint coverage of a log, record by record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage {
    /// The last record that a checkpoint or a tombstone covers.
    covered: Option<u64>,
    /// The key that signed it.
    signer: Option<PublicKey>,
    /// The records after the last checkpoint record.
    tail: Option<UncoveredTail>,
    /// Whether the last record is a stop.
    has_stopped: bool,
}

#[derive(Debug, Clone)]
struct UncoveredTail {
    first: u64,
    last: u64,
    /// The earliest and the latest time, as texts that can be compared.
    earliest: String,
    latest: String,
    /// The first start or stop of a server.
    boundary: Option<(u64, &'static str)>,
    /// Whether the last record is a start or a stop.
    ends_with_boundary: bool,
    /// The first record after a stop that is not a start.
    stray: Option<u64>,
}

/// Uncovered records that a server does not leave behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Uncovered {
    /// The log has no checkpoint.
    #[error(
        "no checkpoint of an expected key covers any record: a program without the key can have \
         written all of them"
    )]
    All,
    /// A start or a stop without the checkpoint that is written together with it.
    #[error(
        "record {sequence} is a `{event}` without the checkpoint that a server writes together \
         with it: checkpoints were removed, or the records after record {covered} are forged"
    )]
    Boundary {
        /// The record.
        sequence: u64,
        /// The type of its event.
        event: &'static str,
        /// The last covered record.
        covered: u64,
    },
    /// A record after a stop that is not a start.
    #[error(
        "record {sequence} follows a `server-stop` and is not a `server-start`: it is forged, or \
         previous records were removed"
    )]
    AfterStop {
        /// The record.
        sequence: u64,
    },
    /// Records over a longer time than a server leaves unsigned.
    #[error(
        "records {first} to {last} are not covered by a checkpoint and are {seconds} s apart by \
         their own times, but a server signs every second: checkpoints were removed, or these \
         records are forged"
    )]
    Long {
        /// The first uncovered record.
        first: u64,
        /// The last one.
        last: u64,
        /// The time between them in seconds.
        seconds: u64,
    },
}

impl Coverage {
    /// Advances to `record`, which the chain has checked.
    pub(crate) fn add(&mut self, record: &Record<'_>) {
        let host = &record.host;
        if let Some(checkpoint) = &record.checkpoint {
            self.cover(checkpoint.sequence);
            self.signer = Some(checkpoint.public_key);
            return;
        }
        let boundary = match record.event {
            Some(Event::ServerStart { .. }) => Some((host.sequence, "server-start")),
            Some(Event::ServerStop) => Some((host.sequence, "server-stop")),
            _ => None,
        };
        let tail = self.tail.get_or_insert_with(|| UncoveredTail {
            first: host.sequence,
            last: host.sequence,
            earliest: host.time.as_ref().to_owned(),
            latest: host.time.as_ref().to_owned(),
            boundary: None,
            ends_with_boundary: false,
            stray: None,
        });
        tail.last = host.sequence;
        if *host.time < *tail.earliest {
            host.time.as_ref().clone_into(&mut tail.earliest);
        }
        if *host.time > *tail.latest {
            host.time.as_ref().clone_into(&mut tail.latest);
        }
        tail.ends_with_boundary = boundary.is_some();
        tail.boundary = tail.boundary.or(boundary);
        if self.has_stopped && !matches!(record.event, Some(Event::ServerStart { .. })) {
            tail.stray = tail.stray.or(Some(host.sequence));
        }
        self.has_stopped = matches!(record.event, Some(Event::ServerStop));
    }

    /// Marks the records up to `sequence` as covered by a signature outside the records.
    pub(crate) fn cover(&mut self, sequence: u64) {
        self.covered = self.covered.max(Some(sequence));
        if self.tail.as_ref().is_some_and(|tail| tail.last <= sequence) {
            self.tail = None;
        }
    }

    /// Marks pruned records as covered by a tombstone of `signer`.
    pub(crate) fn cover_pruned(&mut self, sequence: u64, signer: PublicKey) {
        self.cover(sequence);
        self.signer = Some(signer);
    }

    /// The key of the last signature.
    pub(crate) fn signer(&self) -> Option<PublicKey> {
        self.signer
    }

    /// The first and the last record after the last checkpoint.
    pub(crate) fn tail(&self) -> Option<(u64, u64)> {
        self.tail.as_ref().map(|tail| (tail.first, tail.last))
    }

    /// Whether the last record is an uncovered start or stop.
    pub(crate) fn ends_with_boundary(&self) -> bool {
        let tail = self.tail.as_ref();
        tail.is_some_and(|tail| tail.ends_with_boundary)
    }

    /// The first sign that the uncovered records were not left by a server that was killed.
    pub(crate) fn defect(&self) -> Option<Uncovered> {
        let Some(covered) = self.covered else {
            return Some(Uncovered::All);
        };
        let tail = self.tail.as_ref()?;
        if let Some((sequence, event)) = tail.boundary {
            return Some(Uncovered::Boundary {
                sequence,
                event,
                covered,
            });
        }
        if let Some(sequence) = tail.stray {
            return Some(Uncovered::AfterStop { sequence });
        }
        let span = span(&tail.earliest, &tail.latest);
        (span > UNCOVERED_LIMIT).then_some(Uncovered::Long {
            first: tail.first,
            last: tail.last,
            seconds: span.as_secs(),
        })
    }
}

/// The time between two record times; more than any limit if one of them is invalid.
fn span(earliest: &str, latest: &str) -> Duration {
    let parse = |text: &str| text.parse::<Timestamp>().ok();
    let (Some(earliest), Some(latest)) = (parse(earliest), parse(latest)) else {
        return Duration::MAX;
    };
    latest.duration_since(earliest).unsigned_abs()
}
