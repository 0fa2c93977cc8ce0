//! Clients and tools of other projects. Tests of a missing program print `skipped`; `make debian`
//! unpacks the Debian packages.

mod curl;
mod expect;
mod promtool;

use std::path::PathBuf;
use std::process::Command;

use end_to_end::Setup;
use end_to_end::functions::write_secret;
use end_to_end::process::{Finished, Process};
use rcgen::generate_simple_self_signed;
use tempfile::TempDir;

/// Runs a client, which has its own timeout per request, to its end. Its start depends on the
/// machine.
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

    /// Configures the server with it.
    fn given_to(&self, setup: Setup) -> Setup {
        setup
            .flag("--tls-cert", self.path())
            .flag("--tls-key", self.0.path().join("key.pem"))
    }
}
