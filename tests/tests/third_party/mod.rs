//! Clients and tools that others have made. Where one of them is not installed, its tests say so
//! and are skipped; `make debian` brings those that Debian has.

mod curl;
mod expect;
mod promtool;

use std::path::PathBuf;
use std::process::Command;

use end_to_end::artifacts::component;
use end_to_end::functions::write_secret;
use end_to_end::process::{Finished, Process};
use end_to_end::{Setup, TestHost};
use rcgen::generate_simple_self_signed;
use tempfile::TempDir;

fn app() -> Setup {
    TestHost::serve(component("app"))
}

/// Runs a client, which has a bound of its own for each request, to its end. How long it takes to
/// start is a matter of the machine.
#[track_caller]
fn run_to_end(command: &mut Command) -> Finished {
    let mut process = Process::start(command);
    process.wait_without_deadline();
    let finished = process.finish();
    assert_eq!(finished.code, Some(0), "{command:?}: {finished:?}");
    finished
}

/// A certificate for `localhost` and 127.0.0.1.
struct Certificate(TempDir);

impl Certificate {
    fn new() -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = generate_simple_self_signed(names).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        write_secret(&folder.path().join("cert.pem"), made.cert.pem());
        write_secret(
            &folder.path().join("key.pem"),
            made.signing_key.serialize_pem(),
        );
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("cert.pem")
    }

    /// Lets the server use it.
    fn given_to(&self, setup: Setup) -> Setup {
        setup
            .flag("--tls-cert", self.path())
            .flag("--tls-key", self.0.path().join("key.pem"))
    }
}
