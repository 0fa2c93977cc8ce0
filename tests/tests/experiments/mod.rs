//! The promises of the READMEs of `experiments/`, one module per experiment, on the files that
//! `make experiments` has built.

mod cipher_onion;
mod closed_app;
mod http_gate;
mod middleware_0_3;
mod mixed;
mod mock_audit;
mod path_router;
mod polyglot;
mod polyglot_0_3;
pub(crate) mod stream;
mod swap_cipher;
mod virtual_env;

use end_to_end::TestHost;

/// The lines that the guests of a server printed, without the request ids. Ends the server.
fn printed(mut host: TestHost) -> Vec<String> {
    host.terminate();
    let log = host.log().wait_for_end();
    let line = |line: &str| Some(line.split_once(" stderr: ")?.1.to_owned());
    log.lines().filter_map(line).collect()
}
