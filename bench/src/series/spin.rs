//! Good clients beside guests that compute for ever.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::{self, available_parallelism, sleep};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::OURS;
use super::beside::{self, GOOD_CLIENTS, Scene};
use crate::load::http;
use crate::load::job::Job;
use crate::load::paced::list;
use crate::measure::Bench;
use crate::plot::Kind;
use crate::report::Report;
use crate::servers::programs::guest;

/// How many times the length of an ordinary turn one lasts: a server needs time to
/// lose its patience.
const LONGER: u32 = 6;

/// How long a client waits before it asks again.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let server = bench.programs.ours(&[]).serving(&guest("toil")?);
    let spinners = available_parallelism().map_or(1, usize::from);
    let alone = Scene::alone(Kind::Ours, OURS, server, Job::good());
    let beside = alone.beside(
        format!("{spinners} guests that spin"),
        move |addr, duration| Ok(spin(addr, spinners, duration)),
    );
    let about = format!(
        "{GOOD_CLIENTS} good clients send a request every 10 ms each, at first alone, and then \
         beside one guest for each processor ({spinners}) that computes for ever. Where the \
         server ends such a guest, its client asks for the next one."
    );
    beside::run(
        bench,
        "spin",
        about,
        &[alone, beside],
        bench.turns.seconds * LONGER,
    )
}

/// Keeps so many guests busy. Returns how the server ended them.
fn spin(addr: SocketAddr, spinners: usize, duration: Duration) -> String {
    let end = Instant::now() + duration;
    let mut ends = BTreeMap::new();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..spinners)
            .map(|_| scope.spawn(move || ask_again_and_again(addr, end)))
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
    format!("{spinners} at once; {ended}")
}

/// Asks for one guest after the other. Returns what the server answered in the end.
fn ask_again_and_again(addr: SocketAddr, end: Instant) -> Vec<String> {
    let mut ends = Vec::new();
    while Instant::now() < end {
        match http::post_until(addr, "/spin", end) {
            Ok(None) => break,
            Ok(Some(answer)) => ends.push(answer.status.to_string()),
            Err(_) => ends.push("broken connection".to_owned()),
        }
        // Where the server refuses, this is no test of how fast it does.
        sleep(PAUSE);
    }
    ends
}
