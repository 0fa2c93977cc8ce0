//! Generated components, which satisfy an import without a guest.
//!
//! - [`environment()`](environment::environment): `wasi:cli/environment` with fixed variables
//! - [`stub()`](stub::stub): interfaces whose functions trap

pub(crate) mod environment;
pub(crate) mod stub;
