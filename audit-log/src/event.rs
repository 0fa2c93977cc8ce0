//! What the host itself has to say.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::key::PublicKey;

/// Something that happened to the server, a component or a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event<'a> {
    /// The server started. The first record of its boot.
    ServerStart {
        /// The version of the server.
        version: Cow<'a, str>,
        /// What became of the boot before.
        previous_stop: PreviousStop,
        /// How many bytes of an unfinished record were taken off the end of the
        /// log, which no receipt was given for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        torn_bytes: Option<u64>,
        /// How many records before this one were not covered by a checkpoint when the
        /// server started: those that were written after the last one before a crash.
        /// The checkpoint of this start is the first one that covers them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uncovered: Option<u64>,
    },
    /// The server stopped, as it was asked to.
    ServerStop,
    /// A component is ready to serve.
    ComponentLoad {
        /// The SHA-256 of the component that it takes the place of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<Cow<'a, str>>,
    },
    /// A component was not taken as a function, or as the next version of one. What was
    /// served of that function before goes on.
    ComponentRefused {
        /// The name of the function.
        function: Cow<'a, str>,
        /// Why, for people; cut off after 4 KiB.
        cause: Cow<'a, str>,
    },
    /// A component is served no more.
    ComponentRemoved,
    /// A function answers no requests until it goes on, as an operator wants it.
    FunctionPaused,
    /// A function that was paused answers requests again.
    FunctionResumed,
    /// Requests to see or change the functions were denied: they had no token, or came from a
    /// foreign web page. Those of one interval are one record.
    OperatorDenied {
        /// The method of the first of them.
        method: Cow<'a, str>,
        /// Its path, without the query; cut off after 256 bytes.
        path: Cow<'a, str>,
        /// Their number.
        #[serde(default = "one")]
        count: u64,
    },
    /// What the operator says about functions cannot be read. Everything goes on as it was.
    FunctionsRefused {
        /// The file.
        file: Cow<'a, str>,
        /// Why, for people; cut off after 4 KiB.
        cause: Cow<'a, str>,
    },
    /// A guest did not answer its request, or stopped in the middle.
    GuestFailure {
        /// What went wrong.
        kind: GuestFailure,
        /// More about it, for people; cut off after 4 KiB.
        cause: Cow<'a, str>,
    },
    /// A guest took longer than it may.
    GuestTimeout {
        /// How long it may take.
        limit_ms: u64,
    },
    /// A guest's entry is not in the log, because of what it is.
    EntryRefused {
        /// Which rule it broke.
        reason: Refusal,
    },
    /// For a while the log could not be written. This is the first record after
    /// that.
    LogRecovered {
        /// Why it could not.
        cause: Cow<'a, str>,
        /// How many records were not taken meanwhile.
        refused: u64,
    },
    /// Entries were dropped under the policy `best-effort`.
    EntriesDropped {
        /// How many.
        count: u64,
    },
    /// The key of this start is another one than that which signed the log so far.
    KeyChanged {
        /// The key that signed last.
        previous: PublicKey,
    },
    /// The log did not end as a server leaves it when this one started: checkpoints
    /// are missing, so the records may be those of another program.
    LogUnattested {
        /// The first record that no checkpoint covered.
        first: u64,
        /// The last one.
        last: u64,
    },
}

/// The number of requests in a record that says none.
fn one() -> u64 {
    1
}

/// What became of the boot before this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreviousStop {
    /// There was none: the log is new.
    None,
    /// It ended with [`Event::ServerStop`].
    Clean,
    /// It ended without a word.
    Crash,
}

/// How a guest failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestFailure {
    /// It trapped, or could not be started.
    Trap,
    /// It returned without a response.
    NoResponse,
    /// It gave an error instead of a response.
    ErrorResponse,
    /// It ended its response before that was whole.
    BrokenResponse,
}

/// Why an entry was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Its strings are longer than allowed.
    TooLarge,
    /// It breaks another rule of the contract.
    Invalid,
    /// The request has used up what it may write. Recorded once a request.
    QuotaExceeded,
}
