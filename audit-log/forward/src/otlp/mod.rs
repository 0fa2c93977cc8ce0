//! Sending to a receiver of OpenTelemetry: OTLP over HTTP, in protobuf.
//!
//! The messages are the caller's. A [`Client`] brings them to a [`Receiver`], and says
//! with an [`Answer`] what that made of them. It works for records of an audit log as
//! for the traces of a server.

mod client;
mod convert;
mod receiver;
mod sink;

pub use crate::remote::Failure;
pub use client::{Answer, Client, Kind};
pub use receiver::{Receiver, ReceiverError};
pub(crate) use sink::Otlp;
