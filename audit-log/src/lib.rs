//! An append-only log that is durable, and that shows what was done to it.
//!
//! A record is one line of JSON that names the SHA-256 of the line before it. Who
//! changes, removes or moves a record breaks that chain; who writes the whole chain
//! anew does not have the signatures of the checkpoints.
//!
//! Read it in the order in which a record meets it:
//!
//! - [`record`]: what a record says, and its bytes; [`event`] and [`checkpoint`] are
//!   two kinds of it, [`Hash`] links them.
//! - [`log`](AuditLog): the handle that everybody appends through, and the one
//!   thread that writes.
//! - `store`: where it writes to; [`DefaultLogs`], where no log is named.
//! - [`read`]: how records come back.
//! - [`verify`]: whether they are what was written.
//! - [`query`], [`tail`] and [`show`]: which records somebody wants to see, and how.
//! - [`export`] and [`prune`]: how records leave the log.
//!
//! The crate `audit-log-forward` sends records on to where many logs are collected, and
//! `audit-log-cli` has the commands of `component-runner audit`.

#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod event;
pub mod export;
pub mod prune;
pub mod query;
pub mod read;
pub mod record;
pub mod regular_file;
pub mod show;
pub mod tail;
pub mod verify;

mod chain;
mod coverage;
mod default_logs;
mod file_lock;
mod hash;
mod key;
mod location;
mod log;
mod moment;
mod node;
mod store;

pub use chain::{Chain, Defect};
pub use coverage::Uncovered;
pub use default_logs::{DefaultLogs, NoDataFolder, NoDefaultLog};
pub use hash::{Hash, NotHex};
pub use key::{KeyError, PublicKey, SigningKey};
pub use location::Location;
pub use log::{AppendError, AuditLog, Folder, Metrics, Policy, Settings};
pub use moment::Moment;
pub use node::is_node_name;
pub use store::{Head, OpenError};
