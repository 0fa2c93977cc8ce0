//! Kills the server again and again while a function is deployed, and looks what is served
//! after each.

use std::fmt;
use std::fs;
use std::thread;
use std::time::Duration;

use crate::TestHost;
use crate::client::{Connection, Request};
use crate::functions::{Folder, locator};
use crate::operators::Operators;
use crate::process::Signal;
use crate::random::Random;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The longest time from the begin of a deploy to the end of its server, in milliseconds: a
/// little more than a deploy takes.
const MAX_PAUSE_MS: usize = 60;

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How often a server is killed.
    pub rounds: u32,
    /// What all choices come from.
    pub seed: u64,
}

/// What was served after the servers were killed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// How many were killed.
    pub rounds: u32,
    /// How often it was the version of before the deploy.
    pub before: u32,
    /// How often it was that of after it, of which nobody knew.
    pub after: u32,
    /// How often the deploy was over.
    pub done: u32,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds,
            before,
            after,
            done,
        } = self;
        write!(
            f,
            "{rounds} servers were killed: {before} served what was before, {after} what was \
             after, {done} had said that it is done"
        )
    }
}

/// Kills servers, and calls `told` after each.
///
/// # Errors
///
/// Says what was served that should not have been.
pub fn run(plan: &Plan, mut told: impl FnMut(&Summary)) -> Result<Summary, String> {
    let folder = Folder::new();
    folder.put("token", TOKEN);
    fs::create_dir(folder.join("functions")).expect("a folder");
    let mut random = Random::new(plan.seed);
    let mut summary = Summary::default();
    // The version of each number, and the number that must be served.
    let version = |number: u32| format!("{number:07}");
    let mut served = 0;
    {
        let (_host, operators) = serve(&folder);
        if !deploy(&operators, &version(served)) {
            return Err("the first version was not deployed".to_owned());
        }
    }
    for round in 1..=plan.rounds {
        let (mut host, operators) = serve(&folder);
        expect(&host, &[version(served)])?;
        let pause = Duration::from_millis(random.below(MAX_PAUSE_MS) as u64);
        let is_done = thread::scope(|scope| {
            let deploying = scope.spawn(|| deploy(&operators, &version(round)));
            thread::sleep(pause);
            host.signal(Signal::KILL);
            let _ = host.wait();
            deploying.join().expect("a client")
        });
        summary.rounds += 1;
        let (host, _) = serve(&folder);
        if is_done {
            summary.done += 1;
            expect(&host, &[version(round)])?;
            served = round;
        } else {
            let found = expect(&host, &[version(served), version(round)])?;
            if found == version(round) {
                summary.after += 1;
                served = round;
            } else {
                summary.before += 1;
            }
        }
        told(&summary);
    }
    Ok(summary)
}

fn serve(folder: &Folder) -> (TestHost, Operators) {
    let host = TestHost::serve_functions(folder.join("functions"))
        .cache(folder.join("cache"))
        .flag("--state", folder.join("state"))
        .flag("--ops-addr", "127.0.0.1:0")
        .flag("--admin-token", folder.join("token"))
        .start();
    let operators = Operators::of(&host);
    (host, operators)
}

/// Whether the server said that the version is deployed.
fn deploy(operators: &Operators, version: &str) -> bool {
    let request = Request::new("PUT", "/v1/functions/where")
        .header("authorization", &format!("Bearer {TOKEN}"))
        .body(locator(version));
    let Ok(mut connection) = Connection::try_open(operators.address()) else {
        return false;
    };
    if connection.try_write(&request.bytes()).is_err() {
        return false;
    }
    let response = connection.receive_if_any();
    response.is_some_and(|response| response.status == 200 && response.is_complete)
}

/// What is served, if it is one of these versions.
fn expect(host: &TestHost, versions: &[String]) -> Result<String, String> {
    let response = host.send(&Request::new("GET", "/where"));
    let text = response.text();
    let found = versions
        .iter()
        .find(|version| text == format!("{version} / /where {version}"));
    found.cloned().ok_or_else(|| {
        let log = host.log().text();
        format!("expected one of {versions:?}, found {response:?}:\n{log}")
    })
}
