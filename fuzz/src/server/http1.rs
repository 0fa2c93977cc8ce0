//! The part of it that knows HTTP/1.1.

#[path = "../../../host/src/server/http1/field.rs"]
mod field;
#[path = "../../../host/src/server/http1/framing.rs"]
pub(crate) mod framing;
#[path = "../../../host/src/server/http1/head.rs"]
pub(crate) mod head;
#[path = "../../../host/src/server/http1/target.rs"]
mod target;
