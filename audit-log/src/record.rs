//! The record format: the facts of the host, and a guest's entry, an event of the host, or a
//! checkpoint.
//!
//! The canonical bytes of a record are its text: one line of JSON, as it is stored, exported
//! and forwarded, without the line feed. A record is never serialized a second time, so
//! verification needs no canonical form of JSON. A record is written in two steps: the caller
//! creates a [`PendingRecord`], and the writer thread prepends the header.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::event::Event;
use crate::hash::Hash;
use sanitize::json;

/// The version of the record format.
pub const VERSION: u32 = 1;

/// The first bytes of a record.
pub(crate) const RECORD_START: &[u8] = br#"{"host":{"version":"#;

/// The first bytes of a tombstone. Tombstones precede all records.
pub(crate) const TOMBSTONE_START: &[u8] = br#"{"tombstone":{"#;

/// A parsed record. Exactly one of `guest`, `event` and `checkpoint` is present.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record<'a> {
    /// The facts of the host.
    #[serde(borrow)]
    pub host: Host<'a>,
    /// The entry of a guest.
    #[serde(borrow)]
    pub guest: Option<Entry<'a>>,
    /// An event of the host.
    #[serde(borrow)]
    pub event: Option<Event<'a>>,
    /// A signed checkpoint.
    #[serde(borrow)]
    pub checkpoint: Option<Checkpoint<'a>>,
}

/// The facts of the host about a record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host<'a> {
    /// [`VERSION`].
    pub version: u32,
    /// The position in the log, from 1 without gaps.
    pub sequence: u64,
    /// The hash of the previous record.
    pub previous: Hash,
    /// The time of writing: RFC 3339, UTC, nanoseconds.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// The time on the monotonic clock: nanoseconds since the start of the boot.
    pub monotonic_ns: u64,
    /// The name of the log, unique among those of one collector.
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    /// The random identifier of one run of the server.
    #[serde(borrow)]
    pub boot: Cow<'a, str>,
    /// The component of the record.
    #[serde(borrow)]
    pub component: Option<Component<'a>>,
    /// The request of the record.
    #[serde(borrow)]
    pub request: Option<Request<'a>>,
}

/// The part of [`Host`] that the writer thread adds.
#[derive(Debug, Serialize)]
pub(crate) struct RecordHeader<'a> {
    pub(crate) version: u32,
    pub(crate) sequence: u64,
    pub(crate) previous: Hash,
    pub(crate) time: &'a str,
    pub(crate) monotonic_ns: u64,
    pub(crate) node: &'a str,
    pub(crate) boot: &'a str,
}

/// A served component.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component<'a> {
    /// The operator's name of the component.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The SHA-256 of its bytes, as 64 hexadecimal digits.
    #[serde(borrow)]
    pub sha256: Cow<'a, str>,
}

/// A request, as the host received it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request<'a> {
    /// The request id, as the client and the server's log show it.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// The `trace-id` of its `traceparent` header (W3C Trace Context), if that is valid.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Cow<'a, str>>,
    /// The address of the peer of the connection.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Cow<'a, str>>,
    /// Its method.
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// The path of its target, without the query.
    #[serde(borrow)]
    pub path: Cow<'a, str>,
    /// The length of the path in bytes, if it was truncated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<u64>,
    /// The authenticated principal.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Cow<'a, str>>,
}

/// An entry of a guest about one action.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry<'a> {
    /// The action.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
    /// The outcome of the action.
    pub outcome: Outcome,
    /// The object of the action.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Cow<'a, str>>,
    /// Further attributes, in the guest's order.
    #[serde(borrow)]
    pub attributes: Vec<Attribute<'a>>,
}

/// The outcome of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The action succeeded.
    Success,
    /// The action was denied.
    Denied,
    /// The action failed.
    Failure,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 3] = [Self::Success, Self::Denied, Self::Failure];

    /// The name in a record.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failure => "failure",
        }
    }
}

/// A named value.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute<'a> {
    /// The name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The value.
    #[serde(borrow)]
    pub value: Cow<'a, str>,
}

/// The component and the request of a record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// The component.
    pub component: Option<&'a Component<'a>>,
    /// The request.
    pub request: Option<&'a Request<'a>>,
}

/// A record without its header: the text after the header.
#[derive(Debug)]
pub struct PendingRecord(Vec<u8>);

impl PendingRecord {
    /// A record of a guest's entry.
    #[must_use]
    pub fn guest(subject: Subject<'_>, entry: &Entry<'_>) -> Self {
        Self::new(subject, "guest", entry)
    }

    /// A record of an event.
    #[must_use]
    pub fn event(subject: Subject<'_>, event: &Event<'_>) -> Self {
        Self::new(subject, "event", event)
    }

    /// A record of a checkpoint.
    pub(crate) fn checkpoint(checkpoint: &Checkpoint<'_>) -> Self {
        Self::new(Subject::default(), "checkpoint", checkpoint)
    }

    fn new(subject: Subject<'_>, kind: &str, body: &impl Serialize) -> Self {
        let mut text = Vec::with_capacity(512);
        if let Some(component) = subject.component {
            text.extend_from_slice(b",\"component\":");
            json::write(&mut text, component);
        }
        if let Some(request) = subject.request {
            text.extend_from_slice(b",\"request\":");
            json::write(&mut text, request);
        }
        text.extend_from_slice(b"},\"");
        text.extend_from_slice(kind.as_bytes());
        text.extend_from_slice(b"\":");
        json::write(&mut text, body);
        text.push(b'}');
        Self(text)
    }

    /// Appends the record with its header to `buffer`.
    pub(crate) fn write(&self, header: &RecordHeader<'_>, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(b"{\"host\":");
        json::write(buffer, header);
        // The pending text continues the object, so its closing brace is removed.
        buffer.pop();
        buffer.extend_from_slice(&self.0);
    }
}
