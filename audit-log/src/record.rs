//! One record: what the host knows, and beside it the words of a guest, an event
//! of the host, or a checkpoint.
//!
//! Its canonical bytes are its text: one line of JSON, as it is stored, exported
//! and forwarded, without the line feed. Nothing ever writes it a second time, so
//! there is nothing to agree on when it is checked. A record is written in two
//! steps: whoever has something to say makes a [`Draft`], and the one thread that
//! writes puts the [`Position`] before it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::event::Event;
use crate::hash::Hash;
use sanitize::json;

/// The version of what a record looks like.
pub const VERSION: u32 = 1;

/// A record as it is read. Exactly one of `guest`, `event` and `checkpoint` is
/// there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record<'a> {
    /// What the host knows.
    #[serde(borrow)]
    pub host: Host<'a>,
    /// What a guest said.
    #[serde(borrow)]
    pub guest: Option<Entry<'a>>,
    /// What the host has to say itself.
    #[serde(borrow)]
    pub event: Option<Event<'a>>,
    /// What the host signed.
    #[serde(borrow)]
    pub checkpoint: Option<Checkpoint<'a>>,
}

/// The facts of the host about a record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host<'a> {
    /// [`VERSION`].
    pub version: u32,
    /// The place in the log, counted from 1 without gaps.
    pub sequence: u64,
    /// The hash of the record before this one.
    pub previous: Hash,
    /// When it was written: RFC 3339, UTC, nanoseconds.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// The same on a clock that nobody sets: nanoseconds since the boot began.
    pub monotonic_ns: u64,
    /// The name of the log among all that are collected in one place.
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    /// The run of the server, which draws this at random when it starts.
    #[serde(borrow)]
    pub boot: Cow<'a, str>,
    /// The component that it is about.
    #[serde(borrow)]
    pub component: Option<Component<'a>>,
    /// The request that it is about.
    #[serde(borrow)]
    pub request: Option<Request<'a>>,
}

/// The part of [`Host`] that says where in the log a record is.
#[derive(Debug, Serialize)]
pub(crate) struct Position<'a> {
    pub(crate) version: u32,
    pub(crate) sequence: u64,
    pub(crate) previous: Hash,
    pub(crate) time: &'a str,
    pub(crate) monotonic_ns: u64,
    pub(crate) node: &'a str,
    pub(crate) boot: &'a str,
}

/// A component that is served.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component<'a> {
    /// What the operator calls it.
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
    /// The id that the client and the log of the server see, too.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// The trace that it is a part of: the `trace-id` of its `traceparent` header
    /// (W3C Trace Context), if that is valid.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Cow<'a, str>>,
    /// The address of the other end of its connection.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Cow<'a, str>>,
    /// Its method.
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// The path of its target, without the query.
    #[serde(borrow)]
    pub path: Cow<'a, str>,
    /// How many bytes the path has, where it is too long to be kept whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<u64>,
    /// Who was authenticated to send it.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Cow<'a, str>>,
}

/// What a guest says of one action.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry<'a> {
    /// What was done.
    #[serde(borrow)]
    pub action: Cow<'a, str>,
    /// How it ended.
    pub outcome: Outcome,
    /// What it was done to or with.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Cow<'a, str>>,
    /// Further facts, in the guest's order.
    #[serde(borrow)]
    pub attributes: Vec<Attribute<'a>>,
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused.
    Denied,
    /// It did not work.
    Failure,
}

/// One named fact.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute<'a> {
    /// What the fact is.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The fact.
    #[serde(borrow)]
    pub value: Cow<'a, str>,
}

/// Whom or what a record is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subject<'a> {
    /// The component.
    pub component: Option<&'a Component<'a>>,
    /// The request.
    pub request: Option<&'a Request<'a>>,
}

/// A record that has no place in the log yet: its text after the position.
#[derive(Debug)]
pub struct Draft(Vec<u8>);

impl Draft {
    /// What a guest said.
    #[must_use]
    pub fn guest(subject: Subject<'_>, entry: &Entry<'_>) -> Self {
        Self::new(subject, "guest", entry)
    }

    /// What the host says.
    #[must_use]
    pub fn event(subject: Subject<'_>, event: &Event<'_>) -> Self {
        Self::new(subject, "event", event)
    }

    /// What the host signed.
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

    /// Appends the record to `buffer`, with its place in the log.
    pub(crate) fn write(&self, position: &Position<'_>, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(b"{\"host\":");
        json::write(buffer, position);
        // The object goes on with what the draft has.
        buffer.pop();
        buffer.extend_from_slice(&self.0);
    }
}
