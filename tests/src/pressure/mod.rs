//! A server in little memory, with guests that take what they can get: `make pressure`.
//!
//! - this file: [`run`], from the start of the server to the [`Report`].
//! - [`group`]: a control group with a limit on memory, and whether the system killed
//!   something in it.
//! - `watch.rs`: the same by watching, where no control group can be made.
//! - `guests.rs`: who sends what.

pub mod group;
pub mod guests;
mod watch;

use std::fmt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use group::Group;
use guests::{Counts, Large};
use watch::Watcher;

use crate::client::Request;
use crate::functions::Folder;
use crate::guests::assemble;
use crate::hostile::GoodClient;
use crate::operators::Operators;
use crate::random::Random;
use crate::{DEADLINE, Setup, TestHost};

/// In how much memory, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What the server and all that it starts may have.
    pub limit_bytes: u64,
    /// How long clients send.
    pub duration: Duration,
    /// What the choices of hostile clients come from.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// What the clients of the good function saw.
    pub good: GoodClient,
    /// What those of large guests saw.
    pub large: Counts,
    /// What those of hostile guests saw.
    pub hostile: Counts,
    /// How often the memory of a guest was not allowed to grow.
    pub refused_growths: f64,
    /// The most that the server had, in MiB.
    pub most_mib: u64,
    /// What must not be.
    pub violations: Vec<String>,
}

/// How long compiling may take on a busy machine.
const COMPILE_TIME: Duration = Duration::from_mins(10);

/// How many requests one after the other must be answered once the server is idle.
const IDLE_REQUESTS: usize = 50;

/// Runs a server within the limits of `plan`, with hostile, large and good guests.
///
/// # Errors
///
/// Fails if the server does not start, or does not come to rest.
pub fn run(plan: &Plan) -> Result<Report, String> {
    let functions = Folder::new();
    let hostile = assemble("hostile", |source| source);
    functions.put("good.wasm", &hostile);
    functions.put("hostile.wasm", &hostile);
    let large_guests = Large::all(&functions);
    let cache = tempfile::tempdir().map_err(|error| error.to_string())?;
    // Compiling is not what is looked at here.
    drop(setup(functions.path(), cache.path()).start_within(COMPILE_TIME));

    let group = Group::new(plan.limit_bytes);
    let setup = setup(functions.path(), cache.path());
    let host = match &group {
        Some(group) => group.contain(setup).start(),
        None => setup
            .flag("--max-total-memory", (plan.limit_bytes / 5 * 4).to_string())
            .start(),
    };
    let operators = Operators::of(&host);
    let watcher = Watcher::start(host.process_id());
    let (good, large, hostile) = send(plan, &host, &large_guests);
    let mut violations = Vec::new();
    violations.extend(idle(&host, &operators, &large_guests).err());
    let most_bytes = watcher.stop();
    let metrics = operators.metrics();
    if let Some(first) = good.losses.first() {
        let count = good.losses.len();
        violations.push(format!("a good client lost {count} requests: {first}"));
    }
    if let Some(first) = &large.first_other {
        let count = large.other;
        let causes = logged(&host, &["large", "script"]);
        violations.push(format!(
            "{count} requests to large guests: {first}; the log says: {causes}"
        ));
    }
    match group.as_ref().map(Group::kills) {
        Some(0) => {}
        Some(kills) => violations.push(format!("the system killed {kills} processes")),
        None if most_bytes <= plan.limit_bytes => {}
        None => violations.push(format!("the server had {} MiB", most_bytes >> 20)),
    }
    Ok(Report {
        good,
        large,
        hostile,
        refused_growths: metrics
            .total("guest_memory_refusals_total")
            .unwrap_or_default(),
        most_mib: most_bytes >> 20,
        violations,
    })
}

/// The last lines of the server's log that name one of these.
fn logged(host: &TestHost, names: &[&str]) -> String {
    const LINES: usize = 20;

    let text = host.log().text();
    let lines = text.lines().rev();
    let found = lines.filter(|line| names.iter().any(|name| line.contains(name)));
    let found: Vec<_> = found.take(LINES).collect();
    found.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// A server with the defaults, but that hostile guests end sooner, and that no disk matters.
/// A good guest has enough time on a machine that others keep busy.
fn setup(functions: &Path, cache: &Path) -> Setup {
    TestHost::serve_functions(functions)
        .cache(cache)
        .flag("--ops-addr", "127.0.0.1:0")
        .flag("--audit", "none")
        .flag("--request-timeout", "10")
        .flag("--response-idle-timeout", "10")
        .flag("--cpu-timeout", "0.2")
        .flag("--write-timeout", "1")
        .flag("--compile-timeout", "600")
}

/// Lets all clients send at once until the time is over.
fn send(plan: &Plan, host: &TestHost, large: &[Large]) -> (GoodClient, Counts, Counts) {
    const GOOD_CLIENTS: usize = 2;
    const HOSTILE_CLIENTS: u64 = 16;

    let address = host.address();
    let end = Instant::now() + plan.duration;
    thread::scope(|scope| {
        let good: Vec<_> = (0..GOOD_CLIENTS)
            .map(|_| scope.spawn(move || GoodClient::ask_until(address, || Instant::now() >= end)))
            .collect();
        let large: Vec<_> = large
            .iter()
            .map(|guest| scope.spawn(move || guest.send_bursts(address, end)))
            .collect();
        let hostile: Vec<_> = (0..HOSTILE_CLIENTS)
            .map(|client| {
                let random = Random::new(plan.seed.wrapping_add(client));
                scope.spawn(move || guests::send_hostile(address, random, end))
            })
            .collect();
        let mut all = GoodClient::default();
        for client in good {
            let client = client.join().expect("a good client does not panic");
            all.times.extend(client.times);
            all.losses.extend(client.losses);
        }
        let sum = |clients: Vec<thread::ScopedJoinHandle<'_, Counts>>| {
            let counts = clients
                .into_iter()
                .map(|client| client.join().expect("a client does not panic"));
            counts.fold(Counts::default(), Counts::and)
        };
        (all, sum(large), sum(hostile))
    })
}

/// Waits until no guest is left, and checks that then each request is answered.
fn idle(host: &TestHost, operators: &Operators, large: &[Large]) -> Result<(), String> {
    let begin = Instant::now();
    loop {
        let metrics = operators.metrics();
        if metrics.total("instances") == Some(0.0) && metrics.total("requests_queued") == Some(0.0)
        {
            break;
        }
        if begin.elapsed() > DEADLINE {
            return Err(format!(
                "the server does not come to rest: {}",
                metrics.text()
            ));
        }
    }
    for number in 0..IDLE_REQUESTS {
        let small = ["/good/good", "/hostile/good"].map(|path| Request::new("GET", path));
        let large = large.iter().map(|guest| guest.request().clone());
        for request in small.into_iter().chain(large) {
            let response = host.send(&request);
            if response.status != 200 {
                return Err(format!("request {number} to the idle server: {response:?}"));
            }
        }
    }
    let ready = operators.get("/readyz").status;
    if ready == 200 {
        Ok(())
    } else {
        Err(format!("the idle server is not ready: {ready}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            good,
            large,
            hostile,
            refused_growths,
            most_mib,
            ..
        } = self;
        writeln!(
            f,
            "good: {} answered, {} lost, p99 {:.1} ms",
            good.times.len(),
            good.losses.len(),
            good.p99().as_secs_f64() * 1e3
        )?;
        writeln!(f, "large: {large}")?;
        writeln!(f, "hostile: {hostile}")?;
        write!(
            f,
            "{refused_growths} growths refused; at most {most_mib} MiB of anonymous and shared \
             memory"
        )
    }
}
