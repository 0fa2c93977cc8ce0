//! Clients that ask for what never ends, and for the next one whenever the server has
//! ended it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::http;
use super::paced::list;

/// How long a client waits before it asks again.
const PAUSE: Duration = Duration::from_millis(10);

/// Lets so many clients ask for `path` for a while. Returns how the server ended what
/// they asked for, for people.
pub(crate) fn ask(addr: SocketAddr, path: &str, clients: usize, duration: Duration) -> String {
    let end = Instant::now() + duration;
    let mut ends = BTreeMap::new();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|_| scope.spawn(move || ask_until(addr, path, end)))
            .collect();
        for client in clients {
            for how in client.join().expect("asking does not panic") {
                *ends.entry(how).or_default() += 1;
            }
        }
    });
    let ended = if ends.is_empty() {
        "none was ended by the server".to_owned()
    } else {
        format!("ended by the server: {}", list(&ends))
    };
    format!("{clients} at once; {ended}")
}

/// Asks for one after the other. Returns what the server answered in the end.
fn ask_until(addr: SocketAddr, path: &str, end: Instant) -> Vec<String> {
    let mut ends = Vec::new();
    while Instant::now() < end {
        match http::post_until(addr, path, end) {
            Ok(None) => break,
            Ok(Some(answer)) => ends.push(answer.status.to_string()),
            Err(_) => ends.push("broken connection".to_owned()),
        }
        // Where the server refuses, this is no test of how fast it does.
        sleep(PAUSE);
    }
    ends
}
