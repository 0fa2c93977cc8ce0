//! The files of the gate, in modules with the names that they have in `host`.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "the server uses what is not used here, and clippy looks at it in `host`"
)]

#[path = "../../../host/src/server/authority.rs"]
mod authority;
pub(crate) mod http1;
#[path = "../../../host/src/server/refusal.rs"]
mod refusal;

pub(crate) use refusal::Refusal;

/// The status that answers a refused request.
pub(crate) fn status(refusal: Refusal) -> u16 {
    refusal.response().0.as_u16()
}
