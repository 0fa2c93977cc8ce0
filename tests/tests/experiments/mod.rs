//! What the READMEs of `experiments/` promise, one module for each experiment. The
//! files that are served are those that `make experiments` has composed.

mod cipher_onion;
mod closed_app;
mod http_gate;
mod mock_audit;
mod path_router;
mod polyglot;
mod swap_cipher;
mod virtual_env;
