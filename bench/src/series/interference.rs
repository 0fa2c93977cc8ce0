//! Well-behaved clients next to other load: their latency, compared with that of the same clients
//! alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::target::Target;
use crate::figures::goals::{Limit, Verdict};
use crate::load::job::Job;
use crate::load::paced::{self, Paced, list, percentile};
use crate::machine::kernel::memory;
use crate::machine::rest::mib;
use crate::measure::Bench;
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::running::Running;

/// Number of well-behaved clients, each of which sends a request every 10 ms.
pub(super) const GOOD_CLIENTS: u32 = 8;

/// Goal for the 99th percentile over that of the same clients alone.
const OVER_ALONE: f64 = 2.0;

/// Other load on a server for a while. It returns what its clients observed.
type Load = Box<dyn Fn(SocketAddr, Duration) -> Result<String> + Sync>;

/// Well-behaved clients of a server, and the load next to them.
pub(super) struct Scenario {
    /// Whether the goals apply.
    has_goals: bool,
    /// The server's name.
    server_name: String,
    /// The other load's name.
    load_name: String,
    server: Server,
    job: Job,
    /// `None` for the clients alone.
    load: Option<Load>,
}

impl Scenario {
    /// The clients alone, with which the following scenarios are compared.
    pub(super) fn alone(server_name: &str, server: Server, job: Job) -> Self {
        Self {
            has_goals: true,
            server_name: server_name.to_owned(),
            load_name: "alone".to_owned(),
            server,
            job,
            load: None,
        }
    }

    /// The same with other load.
    pub(super) fn next_to(
        &self,
        load_name: impl Into<String>,
        load: impl Fn(SocketAddr, Duration) -> Result<String> + Sync + 'static,
    ) -> Self {
        Self {
            has_goals: self.has_goals,
            server_name: self.server_name.clone(),
            load_name: load_name.into(),
            server: self.server.clone(),
            job: self.job.clone(),
            load: Some(Box::new(load)),
        }
    }

    /// The same without goals, as a comparison.
    pub(super) fn without_goals(self) -> Self {
        Self {
            has_goals: false,
            ..self
        }
    }

    fn name(&self) -> String {
        match self.load {
            Some(_) => format!("{}, next to {}", self.server_name, self.load_name),
            None => format!("{}, alone", self.server_name),
        }
    }

    /// One turn: a new process, checked, warmed up, and measured under the other load.
    fn take(&self, duration: Duration) -> Result<Turn> {
        let running = Running::start(&self.server)?;
        self.job.check(running.addr)?;
        let warm_up = Duration::from_secs(1);
        paced::run(running.addr, &self.job, GOOD_CLIENTS, warm_up)?;
        let (paced, others) = thread::scope(|scope| {
            let load = self.load.as_ref();
            let load = load.map(|load| scope.spawn(move || load(running.addr, duration)));
            let paced = paced::watch(running.addr, &self.job, GOOD_CLIENTS, duration);
            (
                paced,
                load.map(|load| load.join().expect("no client panics")),
            )
        });
        let Paced {
            mut times_us,
            failures,
        } = paced;
        Ok(Turn {
            good: times_us.len(),
            failures,
            p50_us: percentile(&mut times_us, 50),
            p99_us: percentile(&mut times_us, 99),
            max_us: percentile(&mut times_us, 100),
            over_alone: None,
            peak_mib: mib(memory(running.id())?.peak_kib),
            others: others.transpose()?.unwrap_or_default(),
        })
    }
}

/// What the well-behaved clients observed in one turn.
#[derive(Debug, Serialize)]
struct Turn {
    good: usize,
    failures: BTreeMap<String, u64>,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    max_us: Option<f64>,
    /// The 99th percentile over that of the clients alone, in the same round.
    over_alone: Option<f64>,
    peak_mib: f64,
    /// What the other clients observed.
    others: String,
}

/// Measures all scenarios in turn, each with a new process.
pub(super) fn run(
    bench: &Bench,
    name: &'static str,
    about: String,
    scenarios: &[Scenario],
    seconds: u32,
) -> Result<Report> {
    let duration = Duration::from_secs(seconds.into());
    let target = |scenario: &Scenario| Target::new(scenario.name(), scenario.server.clone());
    let mut targets: Vec<Target<Turn>> = scenarios.iter().map(target).collect();
    let rounds = bench.turns.rounds;
    for round in 1..=rounds {
        let mut alone_us = None;
        for (scenario, target) in scenarios.iter().zip(&mut targets) {
            let name = target.name.clone();
            let turn = target.take(|_| {
                let mut turn = scenario.take(duration)?;
                if scenario.load.is_none() {
                    alone_us = turn.p99_us;
                }
                turn.over_alone = turn.p99_us.zip(alone_us).map(|(p99, alone)| p99 / alone);
                Ok(turn)
            });
            if let Some(turn) = turn {
                let p99 = turn.p99_us.unwrap_or_default();
                let (good, bad) = (turn.good, list(&turn.failures));
                eprintln!("{round}/{rounds} {name}: {good} good {bad}, p99 {p99:.0} µs");
                eprintln!("    {}", turn.others);
            }
        }
    }
    let verdicts = scenarios.iter().zip(&targets);
    let verdicts = verdicts.filter(|(scenario, _)| scenario.has_goals && scenario.load.is_some());
    let mut report = Report {
        verdicts: verdicts.flat_map(|(_, target)| judge(target)).collect(),
        ..Report::new(
            name,
            about,
            format!("{rounds} rounds of {seconds} s"),
            table(&targets),
        )
        .with(&targets)?
    };
    let command = |one: &Scenario| (one.server_name.clone(), one.server.shown());
    report.commands = scenarios.iter().map(command).collect();
    report.commands.dedup();
    Ok(report)
}

fn table(targets: &[Target<Turn>]) -> Table {
    let mut table = Table::new(&[
        "server and other load",
        "good answers",
        "other answers",
        "p50, µs",
        "p99, µs: min / median / max",
        "max, µs",
        "p99 over alone: min / median / max",
        "peak memory, MiB",
        "observed by the other clients, in the last round",
    ]);
    for target in targets {
        let ratios = target.summary(|turn| turn.over_alone);
        let good: usize = target.turns.iter().map(|turn| turn.good).sum();
        let mut failures = BTreeMap::new();
        for (failure, times) in target.turns.iter().flat_map(|turn| &turn.failures) {
            *failures.entry(failure.clone()).or_default() += times;
        }
        let others = target.turns.last().map(|turn| turn.others.clone());
        table.row([
            target.name.clone(),
            good.to_string(),
            list(&failures),
            target.median(|turn| turn.p50_us),
            target.range(|turn| turn.p99_us),
            target.median(|turn| turn.max_us),
            ratios.map_or_else(String::new, |_| target.range(|turn| turn.over_alone)),
            target.median(|turn| Some(turn.peak_mib)),
            others.unwrap_or_default(),
        ]);
    }
    table
}

/// The goals under other load.
fn judge(target: &Target<Turn>) -> [Verdict; 2] {
    let ratios = target.summary(|turn| turn.over_alone);
    let missing = target.summary(|turn| {
        let missing: u64 = turn.failures.values().sum();
        u32::try_from(missing).ok().map(f64::from)
    });
    [
        Verdict::new(
            format!("requests without a good answer, {}", target.name),
            "requests",
            Limit::AtMost(0.0),
            missing.map(|missing| missing.max),
            missing,
        ),
        Verdict::new(
            format!("p99 over that of the clients alone, {}", target.name),
            "×",
            Limit::AtMost(OVER_ALONE),
            ratios.map(|ratios| ratios.median),
            ratios,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdicts on turns with these ratios and refused requests.
    fn words(turns: &[(Option<f64>, u64)]) -> [String; 2] {
        let turn = |&(over_alone, refused): &(Option<f64>, u64)| Turn {
            good: 100,
            failures: BTreeMap::from([("503".to_owned(), refused)]),
            p50_us: Some(1.0),
            p99_us: over_alone,
            max_us: over_alone,
            over_alone,
            peak_mib: 1.0,
            others: "503".to_owned(),
        };
        let target = Target {
            turns: turns.iter().map(turn).collect(),
            ..Target::new("server", crate::servers::tests::server())
        };
        judge(&target).map(|verdict| verdict.word())
    }

    #[test]
    fn the_ratio_is_the_median_of_those_of_the_rounds() {
        let turns = [(Some(1.1), 0), (Some(5.0), 0), (Some(1.9), 0)];
        assert_eq!(words(&turns), ["reached", "reached?"]);
    }

    #[test]
    fn one_refused_request_of_a_good_client_misses_the_goal() {
        let turns = [(Some(1.1), 0), (Some(1.0), 1)];
        assert_eq!(words(&turns), ["missed?", "reached"]);
    }

    #[test]
    fn a_round_without_a_good_answer_has_no_ratio() {
        assert_eq!(words(&[(None, 9), (Some(1.0), 0)])[1], "not measured");
    }
}
