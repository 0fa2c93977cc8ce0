//! A durable, tamper-evident append-only log.
//!
//! A record is one line of JSON that contains the SHA-256 of the previous line. Changing,
//! removing or moving a record breaks that chain, and a recomputed chain lacks the signatures
//! of the checkpoints.
//!
//! The modules, in the order in which a record passes through them:
//!
//! - [`record`]: the record format; [`event`] and [`checkpoint`] are two kinds of record,
//!   [`Hash`](struct@Hash) links them, [`SigningKey`] signs them.
//! - [`AuditLog`]: the handle for appending, and the writer thread.
//! - `store`: the two storage backends, `schema`: the one of the database; [`DefaultLogs`], the log if none is named.
//! - [`read`]: reading records back.
//! - [`verify`]: checking the chain, the signatures and external checkpoints.
//! - [`query`], [`tail`] and [`print`](mod@print): selecting and printing records.
//! - [`export`] and [`prune`]: copying records out of the log and removing them.
//!
//! The crate `audit-log-forward` sends records to a central collector, and `audit-log-cli` has
//! the commands of `component-runner audit`.

#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod event;
pub mod export;
pub mod print;
pub mod prune;
pub mod query;
pub mod read;
pub mod record;
pub mod regular_file;
pub mod tail;
pub mod verify;

mod chain;
mod coverage;
mod default_logs;
mod file_lock;
mod folder;
mod hash;
mod head;
mod key;
mod location;
mod log;
mod node;
mod schema;
mod store;
mod time_bound;

pub use chain::{Chain, Defect};
pub use coverage::Uncovered;
pub use default_logs::{DefaultLogs, NoDataFolder, NoDefaultLog};
pub use hash::{Hash, InvalidHex};
pub use head::Head;
pub use key::{KeyError, PublicKey, SigningKey};
pub use location::Location;
pub use log::{AppendError, AuditLog, Folder, Metrics, Policy, Settings};
pub use node::is_node_name;
pub use store::OpenError;
pub use time_bound::TimeBound;
