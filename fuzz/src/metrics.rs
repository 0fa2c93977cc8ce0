//! What the gate needs of the metrics of `host`: the names of reasons.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the server uses what is not used here"
)]

#[path = "../../host/src/metrics/labels.rs"]
mod labels;

pub(crate) use labels::Reason;
