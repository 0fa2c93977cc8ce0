//! The corpus of malformed, ambiguous and smuggling requests, against a server with
//! default limits. Each file is a test that names all failed cases.
//!
//! `guests/mirror.wat` answers with the request that it received, which exposes a misread one.

mod http1;
mod http2;

use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use end_to_end::TestHost;
use end_to_end::client::Response;
use end_to_end::corpus::Case;

/// Timeout of a wait within a case: longer than a busy machine needs, and short, because failed
/// cases often time out.
const PATIENCE: Duration = Duration::from_secs(8);

/// Number of cases that run at the same time.
const AT_ONCE: usize = 8;

/// Defines a test for each file, and one that finds files without a test.
macro_rules! themes {
    ($version:literal, $($theme:ident)*) => {
        $(
            #[test]
            fn $theme() {
                let cases = load(stringify!($theme));
                crate::corpus::check_all(&cases, play);
            }
        )*

        #[test]
        fn every_file_is_a_test() {
            let themes = end_to_end::corpus::themes($version);
            assert_eq!(themes, [$(stringify!($theme)),*]);
        }
    };
}
pub(crate) use themes;

/// Runs all cases, and fails with a list of the failed ones.
fn check_all<S: Sync>(
    cases: &[Case<S>],
    play: impl Fn(SocketAddr, &[S]) -> Result<(), String> + Sync,
) {
    let host = TestHost::serve_guest("mirror").start();
    let next = AtomicUsize::new(0);
    let player = || {
        let mut failures = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let played =
                panic::catch_unwind(AssertUnwindSafe(|| play(host.address(), &case.steps)));
            let why = match played {
                Ok(Ok(())) => continue,
                Ok(Err(why)) => why,
                Err(_) => "a panic, which is printed above".to_owned(),
            };
            let Case { name, section, .. } = case;
            failures.push(format!("{name} (RFC {section}): {why}"));
        }
        failures
    };
    let failures: Vec<String> = thread::scope(|scope| {
        let players = [(); AT_ONCE].map(|()| scope.spawn(player));
        let failures = players.map(|player| player.join().expect("panics are caught"));
        failures.into_iter().flatten().collect()
    });
    let (failed, all) = (failures.len(), cases.len());
    assert!(
        failed == 0,
        "{failed} of {all} cases fail:\n{}",
        failures.join("\n")
    );
}

/// Checks that a response with this status is a problem document with the id of the header.
fn check_problem(response: &Response) -> Result<(), String> {
    let header = |name| response.header(name);
    let is_problem = header("content-type") == Some("application/problem+json");
    let document: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let id = header("x-request-id").filter(|id| !id.is_empty());
    if is_problem
        && document["status"] == response.status
        && document["request_id"].as_str() == id
        && id.is_some()
    {
        Ok(())
    } else {
        Err(format!(
            "not the problem document that it should be: {response:?}"
        ))
    }
}
