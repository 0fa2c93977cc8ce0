//! Sends SIGKILL while a function is deployed, and verifies which version the next server serves.

use std::fmt;
use std::fs;
use std::thread;
use std::time::Duration;

use crate::TestHost;
use crate::client::{Connection, Request};
use crate::functions::{Folder, locator, locator_response};
use crate::operators::{Operators, TOKEN};
use crate::process::Signal;
use crate::random::Random;
use crate::stress::harness::Rounds;

/// Longest time from the start of a deploy to the kill, in milliseconds: a little more than a
/// deploy takes.
const MAX_DELAY_MS: usize = 60;

/// Counts of the versions that were served after the kills.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// Kills.
    pub rounds: u32,
    /// Restarts with the previous version.
    pub previous: u32,
    /// Restarts with the new version, whose deploy was not acknowledged.
    pub unacknowledged: u32,
    /// Restarts after an acknowledged deploy.
    pub acknowledged: u32,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds,
            previous,
            unacknowledged,
            acknowledged,
        } = self;
        write!(
            f,
            "{rounds} kills: {previous} restarts served the previous version, {unacknowledged} the \
             new one without acknowledgement, {acknowledged} deploys were acknowledged"
        )
    }
}

/// Kills a server in each round, and calls `progress` after each.
///
/// # Errors
///
/// Fails if a version answers that was neither active nor being deployed.
pub fn run(rounds: Rounds, mut progress: impl FnMut(u32)) -> Result<Summary, String> {
    let folder = Folder::new();
    folder.put("token", TOKEN);
    fs::create_dir(folder.join("functions")).expect("a folder");
    let mut random = Random::new(rounds.seed);
    let mut summary = Summary::default();
    let version = |number: u32| format!("{number:07}");
    let mut active = 0;
    {
        let (_host, operators) = serve(&folder);
        if !deploy(&operators, &version(active)) {
            return Err("the first version was not deployed".to_owned());
        }
    }
    for round in 1..=rounds.count {
        let (mut host, operators) = serve(&folder);
        expect(&host, &[version(active)])?;
        let delay = Duration::from_millis(random.below(MAX_DELAY_MS) as u64);
        let is_acknowledged = thread::scope(|scope| {
            let deploying = scope.spawn(|| deploy(&operators, &version(round)));
            thread::sleep(delay);
            host.signal(Signal::KILL);
            let _ = host.wait();
            deploying.join().expect("a client")
        });
        summary.rounds += 1;
        let (host, _) = serve(&folder);
        if is_acknowledged {
            summary.acknowledged += 1;
            expect(&host, &[version(round)])?;
            active = round;
        } else if expect(&host, &[version(active), version(round)])? == version(round) {
            summary.unacknowledged += 1;
            active = round;
        } else {
            summary.previous += 1;
        }
        progress(round);
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

/// Whether the server acknowledged the deploy of this version.
fn deploy(operators: &Operators, version: &str) -> bool {
    let request = Request::new("PUT", "/v1/functions/where")
        .bearer(TOKEN)
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

/// The version that answers, if it is one of these.
fn expect(host: &TestHost, versions: &[String]) -> Result<String, String> {
    let response = host.send(&Request::new("GET", "/where"));
    let text = response.text();
    let is_it = |version: &&String| text == locator_response(version, "/", "/where");
    let found = versions.iter().find(is_it);
    found.cloned().ok_or_else(|| {
        let log = host.log().text();
        format!("expected one of {versions:?}, found {response:?}:\n{log}")
    })
}
