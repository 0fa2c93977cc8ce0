//! Which records a signature covers, and what follows the last of these.

use std::time::Duration;

use jiff::Timestamp;

use crate::event::Event;
use crate::key::PublicKey;
use crate::record::Record;

/// The most time between the first and the last record after a checkpoint. A server
/// signs one before a record that is a second younger than the first.
pub(crate) const UNCOVERED_LIMIT: Duration = Duration::from_secs(3);

/// Follows the checkpoints of a log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage {
    /// The last record that a checkpoint or a tombstone covers.
    covered: Option<u64>,
    /// The key that signed it.
    signer: Option<PublicKey>,
    /// The records after the last checkpoint and the record that it is in.
    tail: Option<Tail>,
    /// Whether the server that wrote the last record has stopped.
    has_stopped: bool,
}

#[derive(Debug, Clone)]
struct Tail {
    first: u64,
    last: u64,
    /// The earliest and the latest time, whose texts can be compared.
    earliest: String,
    latest: String,
    /// The first start or stop of a server.
    boundary: Option<(u64, &'static str)>,
    /// Whether that is the last record.
    ends_with_boundary: bool,
    /// The first record after a stop, if it is not that of a start.
    stray: Option<u64>,
}

/// What no server leaves uncovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Uncovered {
    /// The checkpoint is missing.
    #[error(
        "no checkpoint of an expected key covers any record: all of them can be written by a \
         program that has no key"
    )]
    All,
    /// A start or a stop, which a server writes together with a checkpoint.
    #[error(
        "record {sequence} is a `{event}` without the checkpoint that a server writes together \
         with it: checkpoints were removed, or the records after {covered} are forged"
    )]
    Boundary {
        /// The record.
        sequence: u64,
        /// The type of its event.
        event: &'static str,
        /// The last record that is covered.
        covered: u64,
    },
    /// A record after the last one of a server that stopped.
    #[error(
        "record {sequence} comes after a `server-stop`, and only a start can: it is forged, or \
         records before it were removed"
    )]
    AfterStop {
        /// The record.
        sequence: u64,
    },
    /// More than a server writes until it signs.
    #[error(
        "records {first} to {last} are not covered by a checkpoint, and lie {seconds} s apart by \
         their own times, where a server signs each second: checkpoints were removed, or these \
         records are forged"
    )]
    Long {
        /// The first record that is not covered.
        first: u64,
        /// The last one.
        last: u64,
        /// The time between them.
        seconds: u64,
    },
}

impl Coverage {
    /// Goes on to `record`, which the chain has checked.
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
        let tail = self.tail.get_or_insert_with(|| Tail {
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

    /// Takes the records up to `sequence` for covered, by what is not a checkpoint in the
    /// log.
    pub(crate) fn cover(&mut self, sequence: u64) {
        self.covered = self.covered.max(Some(sequence));
        if self.tail.as_ref().is_some_and(|tail| tail.last <= sequence) {
            self.tail = None;
        }
    }

    /// The same, for what was pruned and is signed by `signer`.
    pub(crate) fn cover_pruned(&mut self, sequence: u64, signer: PublicKey) {
        self.cover(sequence);
        self.signer = Some(signer);
    }

    /// The key that signed last.
    pub(crate) fn signer(&self) -> Option<PublicKey> {
        self.signer
    }

    /// The first and the last record after the last checkpoint.
    pub(crate) fn tail(&self) -> Option<(u64, u64)> {
        self.tail.as_ref().map(|tail| (tail.first, tail.last))
    }

    /// Whether the last record is a start or a stop that is not covered.
    pub(crate) fn ends_with_boundary(&self) -> bool {
        let tail = self.tail.as_ref();
        tail.is_some_and(|tail| tail.ends_with_boundary)
    }

    /// What a server that was killed at any moment does not leave behind.
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

/// The time between two times of records; more than any limit if one is not a time.
fn span(earliest: &str, latest: &str) -> Duration {
    let parse = |text: &str| text.parse::<Timestamp>().ok();
    let (Some(earliest), Some(latest)) = (parse(earliest), parse(latest)) else {
        return Duration::MAX;
    };
    latest.duration_since(earliest).unsigned_abs()
}
