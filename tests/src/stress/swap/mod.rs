//! Functions that change while clients send: no request is lost, and each is answered by one
//! version.
//!
//! - `versions.rs`: a new version in the place of the previous one.
//! - `broken_files.rs`: files that are not components, and other entries of the folder.

mod broken_files;
mod versions;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::{Connection, Request};
use crate::concurrent::alongside;
use crate::functions::{Folder, locator_response};
use crate::{TestHost, wait};

pub use broken_files::drop_broken_files;
pub use versions::swap_versions;

/// The file of the function whose versions change.
const FUNCTION: &str = "functions/where.wasm";

/// The versions of the function.
const VERSIONS: [&str; 2] = ["first-1", "second2"];

/// A server without a practical limit on the requests of a connection.
fn serve(folder: &Folder) -> TestHost {
    TestHost::serve_functions(folder.join("functions"))
        .flag("--max-requests-per-connection", "4000000000")
        .start()
}

/// The body of the response of this version.
fn answer(version: &str) -> String {
    locator_response(version, "/x", "/where")
}

fn request() -> Request {
    Request::new("GET", "/where/x")
}

/// Waits until this version answers.
fn wait_until_served(host: &TestHost, version: &str) -> Result<(), String> {
    wait::try_until(format_args!("version `{version}`"), || {
        let text = host.send(&request()).text();
        if text == answer(version) {
            Ok(())
        } else {
            Err(text)
        }
    })
}

/// Runs `work` while clients send, each of whose requests `exchange` sends and checks. Returns
/// the number of requests.
///
/// # Errors
///
/// Returns the first error of a client, or that of the work.
fn under_load(
    host: &TestHost,
    clients: usize,
    exchange: impl Fn(&mut Connection) -> Result<(), String> + Sync,
    work: impl FnOnce() -> Result<(), String>,
) -> Result<u64, String> {
    let client = |stop: &AtomicBool| {
        let mut connection = host.connect();
        let mut count = 0;
        while !stop.load(Ordering::Acquire) {
            exchange(&mut connection)?;
            count += 1;
        }
        Ok(count)
    };
    let (done, counts) = alongside(clients, client, work);
    let total = counts.into_iter().sum::<Result<u64, String>>()?;
    done.map(|()| total)
}
