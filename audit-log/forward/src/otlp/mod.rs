//! OTLP over HTTP, in protobuf.
//!
//! A [`Client`] sends the caller's messages to a [`Receiver`] and returns an [`ExportResult`],
//! for audit records and for the traces of a server. The exporters of `opentelemetry-otlp` are not
//! used: they report a partial success as a success, so that the records that a receiver rejected
//! could not be counted.
//!
//! - `client.rs`: the connection; `receiver.rs`: the URL.
//! - `sink.rs`: publishing audit records in batches; `convert.rs`: their mapping to log records.

mod client;
mod convert;
mod receiver;
mod sink;

pub use crate::connection::Failure;
pub use client::{Client, ExportResult, Signal};
pub use receiver::{Receiver, ReceiverError};
pub(crate) use sink::Otlp;
