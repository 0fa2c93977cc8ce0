//! Comparison of a stream with the confirmed records.

use std::collections::BTreeSet;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{
    LastRawMessageErrorKind, RawMessageErrorKind, RetentionPolicy, Stream,
};

use super::MAX_RECORDS;
use crate::connection::Failure;

/// The position of a stream relative to the confirmed records.
pub(super) enum StreamPosition {
    /// Nothing to correct: sending continues after the last confirmed record.
    Matches,
    /// The stream lacks confirmed records after this one.
    Behind(u64),
    /// The stream holds records whose acknowledgement was lost.
    Ahead {
        /// The last of these records.
        last: u64,
        /// The record up to which the stream holds, or held, all records.
        contiguous: u64,
        /// The later records that it holds.
        stored: BTreeSet<u64>,
    },
}

/// A record in the stream.
struct StreamRecord {
    /// The sequence of the message in the stream.
    stream_sequence: u64,
    /// The sequence of the record in the log.
    sequence: u64,
}

/// Compares the stream with the confirmed records, which are those up to `settled`.
pub(super) async fn compare(
    stream: &Stream,
    subject: &str,
    node: &str,
    settled: u64,
) -> Result<StreamPosition, Failure> {
    let info = stream.cached_info();
    let Some(last) = last(stream, subject, node).await? else {
        // A new stream gets the whole log; a stream that was purged does not.
        return Ok(if settled > 0 && info.state.last_sequence == 0 {
            StreamPosition::Behind(0)
        } else {
            StreamPosition::Matches
        });
    };
    if last.sequence <= settled {
        // Under other retention policies, consumers remove messages.
        let is_behind = last.sequence < settled && info.config.retention == RetentionPolicy::Limits;
        return Ok(if is_behind {
            StreamPosition::Behind(last.sequence)
        } else {
            StreamPosition::Matches
        });
    }
    // At most `MAX_RECORDS` records are in flight, so all earlier ones were confirmed, and a
    // rejected record is among these.
    let contiguous = settled.max(last.sequence.saturating_sub(MAX_RECORDS as u64));
    let mut stored = BTreeSet::from([last.sequence]);
    let mut found = first_after(stream, subject, node, contiguous, &last).await?;
    while let Some(record) = found
        && record.stream_sequence < last.stream_sequence
    {
        if record.sequence > contiguous {
            stored.insert(record.sequence);
        }
        found = next(stream, subject, node, record.stream_sequence + 1).await?;
    }
    Ok(StreamPosition::Ahead {
        last: last.sequence,
        contiguous,
        stored,
    })
}

/// Finds a record of the stream that no record after `contiguous` precedes. Other nodes may have
/// any number of messages in between, so it searches backwards in growing steps.
async fn first_after(
    stream: &Stream,
    subject: &str,
    node: &str,
    contiguous: u64,
    last: &StreamRecord,
) -> Result<Option<StreamRecord>, Failure> {
    let mut step = last.sequence - contiguous;
    loop {
        let from = last.stream_sequence.saturating_sub(step).max(1);
        let found = next(stream, subject, node, from).await?;
        match &found {
            Some(record) if record.sequence > contiguous + 1 && from > 1 => {
                step = step.saturating_mul(4);
            }
            _ => return Ok(found),
        }
    }
}

/// The last record of the node.
async fn last(stream: &Stream, subject: &str, node: &str) -> Result<Option<StreamRecord>, Failure> {
    match stream.get_last_raw_message_by_subject(subject).await {
        Ok(message) => Ok(
            sequence(&message.headers, node).map(|sequence| StreamRecord {
                stream_sequence: message.sequence,
                sequence,
            }),
        ),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The first record of the node at `stream_sequence` or after it.
async fn next(
    stream: &Stream,
    subject: &str,
    node: &str,
    mut stream_sequence: u64,
) -> Result<Option<StreamRecord>, Failure> {
    loop {
        let request = stream.raw_message_builder().sequence(stream_sequence);
        let message = match request.next_by_subject(subject).send().await {
            Ok(message) => message,
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if let Some(sequence) = sequence(&message.headers, node) {
            return Ok(Some(StreamRecord {
                stream_sequence: message.sequence,
                sequence,
            }));
        }
        // A message that is not a record of the node.
        stream_sequence = message.sequence + 1;
    }
}

/// The sequence of the record in a message.
fn sequence(headers: &HeaderMap, node: &str) -> Option<u64> {
    let id = headers.get(async_nats::header::NATS_MESSAGE_ID)?.as_str();
    id.strip_prefix(node)?.strip_prefix('-')?.parse().ok()
}
