//! The events of the host.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::key::PublicKey;

/// An event of the server, a component or a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event<'a> {
    /// The server started. The first record of its boot.
    ServerStart {
        /// The version of the server.
        version: Cow<'a, str>,
        /// How the previous boot ended.
        previous_stop: PreviousStop,
        /// The number of bytes of an unfinished record, without a receipt, that were removed
        /// from the end of the log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        torn_bytes: Option<u64>,
        /// The number of previous records without a checkpoint: those written between the
        /// last checkpoint and a crash. The checkpoint of this start is the first to cover
        /// them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uncovered: Option<u64>,
    },
    /// The server was asked to stop.
    ServerStop,
    /// A component is ready to serve.
    ComponentLoad {
        /// The SHA-256 of the component that it replaces.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<Cow<'a, str>>,
        /// The version of WASI that it is for, such as `0.2`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wasi: Option<Cow<'a, str>>,
    },
    /// A component was rejected as a function, or as the next version of one. The previous
    /// version stays active.
    ComponentRefused {
        /// The name of the function.
        function: Cow<'a, str>,
        /// The error message, truncated after 4 KiB.
        cause: Cow<'a, str>,
    },
    /// The server has stopped serving a component.
    ComponentRemoved,
    /// An operator paused a function: it answers no requests until it is resumed.
    FunctionPaused,
    /// A paused function answers requests again.
    FunctionResumed,
    /// Requests to read or change the functions were denied: they had no token, or came from
    /// a web page of another origin. Those of one interval share a record.
    OperatorDenied {
        /// The method of the first of them.
        method: Cow<'a, str>,
        /// Its path, without the query, truncated after 256 bytes.
        path: Cow<'a, str>,
        /// Their number.
        #[serde(default = "one")]
        count: u64,
    },
    /// The functions file cannot be read. The previous configuration stays active.
    FunctionsRefused {
        /// The file.
        file: Cow<'a, str>,
        /// The error message, truncated after 4 KiB.
        cause: Cow<'a, str>,
    },
    /// A guest gave no response, or aborted it.
    GuestFailure {
        /// The kind of failure.
        kind: GuestFailure,
        /// The error message, truncated after 4 KiB.
        cause: Cow<'a, str>,
    },
    /// A guest exceeded its time limit.
    GuestTimeout {
        /// The limit in milliseconds.
        limit_ms: u64,
    },
    /// An entry of a guest was rejected.
    EntryRefused {
        /// The reason.
        reason: Rejection,
    },
    /// The log can be written again. The first record after a write failure.
    LogRecovered {
        /// The error of the failed write.
        cause: Cow<'a, str>,
        /// The number of records refused in the meantime.
        refused: u64,
    },
    /// Entries were dropped under the policy `best-effort`.
    EntriesDropped {
        /// The number of entries.
        count: u64,
    },
    /// The key of this start is not the one that signed the log so far.
    KeyChanged {
        /// The key of the last signature.
        previous: PublicKey,
    },
    /// At this start, the log did not end as a server leaves it: checkpoints are missing, so
    /// another program may have written the records.
    LogUnattested {
        /// The first record without a checkpoint.
        first: u64,
        /// The last one.
        last: u64,
    },
}

/// The default of [`Event::OperatorDenied::count`].
fn one() -> u64 {
    1
}

/// How the previous boot ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PreviousStop {
    /// The log is new.
    None,
    /// It ended with [`Event::ServerStop`].
    Clean,
    /// It ended without a stop.
    Crash,
}

/// A kind of guest failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestFailure {
    /// The guest trapped, or could not be started.
    Trap,
    /// The guest returned without a response.
    NoResponse,
    /// The guest returned an error instead of a response.
    ErrorResponse,
    /// The guest ended its response before it was complete.
    BrokenResponse,
}

/// The reason for rejecting an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejection {
    /// Its strings exceed the maximum length.
    TooLarge,
    /// It violates another rule of the contract.
    Invalid,
    /// The request has exhausted its quota. Recorded once a request.
    QuotaExceeded,
}
