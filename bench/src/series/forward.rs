//! The latency of requests while the audit log is forwarded.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::message;
use crate::figures::goals::{Limit, Verdict};
use crate::load::paced;
use crate::measure::{Bench, Rounds, Target, Turn, take};
use crate::programs::part;
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::folder::Folder;
use crate::servers::nats::Nats;
use crate::servers::running::Running;

/// Number of connections that send a request every 10 ms.
const CONNECTIONS: u32 = 8;

/// Length of a turn in seconds, and interval of the kills.
const SECONDS: u32 = 8;
const KILL_INTERVAL: Duration = Duration::from_millis(400);

/// Goal for the 99th percentile over that without forwarding.
const OVER_ALONE: f64 = 1.1;

/// The cases: name, whether the log is forwarded, and whether the nats-server is killed repeatedly.
/// Those with the same nats-server follow each other: its restarts take processor time that they
/// would not take on another machine.
const CASES: [(&str, bool, bool); 4] = [
    ("not forwarded", false, false),
    ("forwarded", true, false),
    ("not forwarded, a nats-server killed 20 times", false, true),
    ("forwarded, the nats-server killed 20 times", true, true),
];

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let component = part("app")?;
    let turns = Rounds {
        seconds: SECONDS,
        ..bench.turns
    };
    let server = |nats: Option<&Nats>, folder: &Folder| {
        let url = nats.map(Nats::url).unwrap_or_default();
        let mut flags = vec!["--audit", "sqlite:audit.db"];
        if nats.is_some() {
            flags.extend(["--audit-forward", &url]);
        }
        Server::ours(&bench.programs, &flags)
            .serving(&component)
            .within(folder)
    };
    let shown = server(None, &Folder::new("forward")?);
    let mut targets = CASES.map(|(name, ..)| Target::new(name, shown.clone(), &message()));
    take(turns, &mut targets, "p99_us", |index, target| {
        let (_, is_forwarded, is_interrupted) = CASES[index];
        let (mut nats, folder) = (Nats::start()?, Folder::new("forward")?);
        let server = server(Some(&nats).filter(|_| is_forwarded), &folder);
        let running = Running::start(&server)?;
        let run = |seconds| {
            let duration = Duration::from_secs(seconds);
            paced::run(running.addr, &target.job, CONNECTIONS, duration)
        };
        // Warm-up.
        run(1).all_good()?;
        let is_over = AtomicBool::new(false);
        let paced = thread::scope(|scope| {
            if is_interrupted {
                let (is_over, nats) = (&is_over, &mut nats);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) && nats.restart().is_ok() {
                        thread::sleep(KILL_INTERVAL);
                    }
                });
            }
            let paced = run(SECONDS.into());
            is_over.store(true, Ordering::Relaxed);
            paced
        });
        let mut turn = Turn::default();
        turn.set_paced(paced.all_good()?);
        Ok(turn)
    });

    let table = Table::new(
        "audit log",
        &targets,
        &[
            ("p50, µs", &|t| t.median("p50_us")),
            ("p99, µs", &|t| t.median("p99_us")),
        ],
    );
    let verdict = |[kept, forwarded]: [&Target; 2]| {
        let what = format!("p99 when {} over that when {}", forwarded.name, kept.name);
        let ratio = forwarded.over(kept, "p99_us");
        Verdict::new(what, "×", Limit::AtMost(OVER_ALONE), ratio)
    };
    let about = format!(
        "`app.wasm` with a durable audit log, with {CONNECTIONS} connections that send a request \
         every 10 ms. A nats-server on the same processors gets the records (`--audit-forward`), or \
         nothing; it stores every record before it confirms it (`sync_interval: always`). In the last two cases it is \
         killed and restarted every {} ms. It has the lowest priority and a file system in memory, \
         to compete for the processors little more than on another machine.",
        KILL_INTERVAL.as_millis()
    );
    let [kept, forwarded, kept_killed, forwarded_killed] = &targets;
    let pairs = [[kept, forwarded], [kept_killed, forwarded_killed]];
    Ok(Report {
        verdicts: pairs.map(verdict).into(),
        ..Report::new("forward", about, turns, table, &targets)?
    })
}
