//! The promises of the READMEs of `experiments/`, one module per experiment, on the files that
//! `make experiments` has composed.

mod cipher_onion;
mod closed_app;
mod http_gate;
mod middleware_0_3;
mod mock_audit;
mod path_router;
mod polyglot;
pub(crate) mod stream;
mod swap_cipher;
mod virtual_env;
