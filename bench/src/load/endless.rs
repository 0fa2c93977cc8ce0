//! Clients that request endless responses, again whenever the server ends one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::http;
use super::paced::list;

/// Pause of a client between two requests.
const PAUSE: Duration = Duration::from_millis(10);

/// Sends requests for `path` on `clients` connections for a while. Returns in words how the server
/// ended them.
pub(crate) fn send(addr: SocketAddr, path: &str, clients: usize, duration: Duration) -> String {
    let end = Instant::now() + duration;
    let mut ends = BTreeMap::new();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|_| scope.spawn(move || send_until(addr, path, end)))
            .collect();
        for client in clients {
            for how in client.join().expect("no client panics") {
                *ends.entry(how).or_default() += 1;
            }
        }
    });
    let ended = if ends.is_empty() {
        "none ended by the server".to_owned()
    } else {
        format!("ended by the server: {}", list(&ends))
    };
    format!("{clients} at once; {ended}")
}

/// Sends one request after the other. Returns how the server ended each.
fn send_until(addr: SocketAddr, path: &str, end: Instant) -> Vec<String> {
    let mut ends = Vec::new();
    while Instant::now() < end {
        match http::post_until(addr, path, end) {
            Ok(None) => break,
            Ok(Some(answer)) => ends.push(answer.status.to_string()),
            Err(_) => ends.push("broken connection".to_owned()),
        }
        // The rate of refusals is not measured here.
        sleep(PAUSE);
    }
    ends
}
