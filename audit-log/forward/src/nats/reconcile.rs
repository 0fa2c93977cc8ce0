//! What the stream holds already.

use std::collections::BTreeSet;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{
    LastRawMessageErrorKind, RawMessageErrorKind, RetentionPolicy, Stream,
};

use super::MAX_RECORDS;
use crate::remote::Failure;

/// Where to go on, as the stream tells.
pub(super) enum Place {
    /// After the last record that was confirmed.
    AsKnown,
    /// Before that: the stream holds nothing after this record.
    Behind(u64),
    /// The stream holds records whose confirmation was lost.
    Ahead {
        /// The last of them.
        last: u64,
        /// The record up to which it holds, or held, every one.
        whole: u64,
        /// Those after `whole` that it holds.
        stored: BTreeSet<u64>,
    },
}

/// A record in the stream.
struct Found {
    /// Its place in the stream.
    place: u64,
    sequence: u64,
}

/// Compares the stream with what was confirmed, which is everything up to `settled`.
pub(super) async fn find(
    stream: &Stream,
    subject: &str,
    node: &str,
    settled: u64,
) -> Result<Place, Failure> {
    let info = stream.cached_info();
    let Some(last) = last(stream, subject, node).await? else {
        // One that was emptied is left as it is, and a new one is filled.
        return Ok(if settled > 0 && info.state.last_sequence == 0 {
            Place::Behind(0)
        } else {
            Place::AsKnown
        });
    };
    if last.sequence <= settled {
        // Under other policies, somebody has taken what is not there.
        let is_behind = last.sequence < settled && info.config.retention == RetentionPolicy::Limits;
        return Ok(if is_behind {
            Place::Behind(last.sequence)
        } else {
            Place::AsKnown
        });
    }
    // Before a record is sent, everything up to so many before it is confirmed. So
    // whatever was refused in the middle is among these.
    let whole = settled.max(last.sequence.saturating_sub(MAX_RECORDS as u64));
    let mut stored = BTreeSet::from([last.sequence]);
    let mut found = first_after(stream, subject, node, whole, &last).await?;
    while let Some(record) = found
        && record.place < last.place
    {
        if record.sequence > whole {
            stored.insert(record.sequence);
        }
        found = next(stream, subject, node, record.place + 1).await?;
    }
    Ok(Place::Ahead {
        last: last.sequence,
        whole,
        stored,
    })
}

/// A record of the stream before which there is none after `whole`. Other nodes may
/// have any number of records between, so it goes back in larger and larger steps.
async fn first_after(
    stream: &Stream,
    subject: &str,
    node: &str,
    whole: u64,
    last: &Found,
) -> Result<Option<Found>, Failure> {
    let mut step = last.sequence - whole;
    loop {
        let from = last.place.saturating_sub(step).max(1);
        let found = next(stream, subject, node, from).await?;
        match &found {
            Some(record) if record.sequence > whole + 1 && from > 1 => {
                step = step.saturating_mul(4);
            }
            _ => return Ok(found),
        }
    }
}

/// The last record of the node.
async fn last(stream: &Stream, subject: &str, node: &str) -> Result<Option<Found>, Failure> {
    match stream.get_last_raw_message_by_subject(subject).await {
        Ok(message) => Ok(sequence(&message.headers, node).map(|sequence| Found {
            place: message.sequence,
            sequence,
        })),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The first record of the node at `place` or after it.
async fn next(
    stream: &Stream,
    subject: &str,
    node: &str,
    mut place: u64,
) -> Result<Option<Found>, Failure> {
    loop {
        let request = stream.raw_message_builder().sequence(place);
        let message = match request.next_by_subject(subject).send().await {
            Ok(message) => message,
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if let Some(sequence) = sequence(&message.headers, node) {
            return Ok(Some(Found {
                place: message.sequence,
                sequence,
            }));
        }
        // Somebody else's message.
        place = message.sequence + 1;
    }
}

/// The sequence of the record that is in a message.
fn sequence(headers: &HeaderMap, node: &str) -> Option<u64> {
    let id = headers.get(async_nats::header::NATS_MESSAGE_ID)?.as_str();
    id.strip_prefix(node)?.strip_prefix('-')?.parse().ok()
}
