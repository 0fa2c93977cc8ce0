//! Functions that change all the time while clients send: no request is lost, and none gets
//! a mixture.
//!
//! - `swaps.rs`: one version takes the place of the other, again and again.
//! - `drops.rs`: files that are no components, and worse.

mod drops;
mod swaps;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::TestHost;
use crate::client::{Connection, Request};
use crate::functions::Folder;

pub use drops::drop_bad_files;
pub use swaps::swap;

/// A server on which a connection may send as many requests as it likes.
fn serve(folder: &Folder) -> TestHost {
    TestHost::serve_functions(folder.join("functions"))
        .flag("--max-requests-per-connection", "4000000000")
        .start()
}

/// What `guests/locator.wat` of this version answers.
fn answer(version: &str) -> String {
    format!("{version} /x /where {version}")
}

/// The request that it answers so.
fn request() -> Request {
    Request::new("GET", "/where/x")
}

/// Does `work` while so many clients send, each of whose requests `ask` sends and checks.
///
/// # Errors
///
/// Returns the first fault that a client found, or that of the work.
fn beside_clients(
    host: &TestHost,
    clients: usize,
    ask: impl Fn(&mut Connection) -> Result<(), String> + Sync,
    work: impl FnOnce() -> Result<(), String>,
) -> Result<u64, String> {
    /// Ends the clients also where the work panics.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    let is_over = AtomicBool::new(false);
    let send = || {
        let mut connection = host.connect();
        let mut count = 0;
        while !is_over.load(Ordering::Acquire) {
            ask(&mut connection)?;
            count += 1;
        }
        Ok(count)
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(send)).collect();
        let end = End(&is_over);
        let done = work();
        drop(end);
        let mut total = 0;
        for client in clients {
            total += client
                .join()
                .unwrap_or_else(|_| Err("a client panicked".to_owned()))?;
        }
        done.map(|()| total)
    })
}
