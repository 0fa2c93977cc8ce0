//! Well-behaved clients next to other load: their latency, compared with that of the same clients
//! alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::{Summary, range};
use crate::load::job::Job;
use crate::load::paced;
use crate::machine::kernel::{PEAK, memory_mib};
use crate::measure::{self, Rounds, Target, Turn, named};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::running::Running;

/// Number of well-behaved clients, each of which sends a request every 10 ms.
pub(super) const GOOD_CLIENTS: u32 = 8;

/// Goal for the 99th percentile over that of the same clients alone.
const OVER_ALONE: f64 = 2.0;

/// Other load on a server for a while. It returns what its clients observed.
pub(super) type Load = Arc<dyn Fn(SocketAddr, Duration) -> Result<String> + Send + Sync>;

/// Well-behaved clients of a server, and the load next to them.
#[derive(Clone)]
pub(super) struct Scenario {
    target: Target,
    /// Name of the scenario with the clients alone.
    alone: String,
    /// `None` for the clients alone.
    load: Option<Load>,
    /// Whether the goals apply.
    has_goals: bool,
}

impl Scenario {
    /// The clients alone.
    pub(super) fn alone(server_name: &str, server: Server, job: &Job) -> Self {
        let name = format!("{server_name}, alone");
        Self {
            target: Target::new(&name, server, job).on(GOOD_CLIENTS),
            alone: name,
            load: None,
            has_goals: false,
        }
    }

    /// The same with other load, which has goals.
    pub(super) fn next_to(&self, load_name: &str, load: Load) -> Self {
        let mut scenario = self.clone();
        let server_name = self.alone.trim_end_matches(", alone");
        scenario.target.name = format!("{server_name}, next to {load_name}");
        scenario.load = Some(load);
        scenario.has_goals = true;
        scenario
    }

    /// The same without goals, as a comparison.
    pub(super) fn without_goals(self) -> Self {
        Self {
            has_goals: false,
            ..self
        }
    }

    /// The goals under other load.
    fn judge(&self, targets: &[Target]) -> Vec<Verdict> {
        let target = named(targets, &self.target.name).filter(|_| self.has_goals);
        let Some(target) = target else {
            return Vec::new();
        };
        let name = &target.name;
        vec![
            Verdict::new(
                format!("requests without a good answer, {name}"),
                "requests",
                Limit::AtMost(0.0),
                target.summary("failures"),
            ),
            Verdict::new(
                format!("p99 over that of the clients alone, {name}"),
                "×",
                Limit::AtMost(OVER_ALONE),
                over(target, targets, &self.alone),
            ),
        ]
    }
}

/// The 99th percentile over that of the clients alone.
fn over(target: &Target, targets: &[Target], alone: &str) -> Option<Summary> {
    target.over(named(targets, alone)?, "p99_us")
}

/// Measures all scenarios in turn, each with a new process.
pub(super) fn run(
    name: &'static str,
    about: String,
    scenarios: &[Scenario],
    turns: Rounds,
) -> Result<Report> {
    let duration = Duration::from_secs(turns.seconds.into());
    let mut targets: Vec<_> = scenarios.iter().map(|one| one.target.clone()).collect();
    measure::take(turns, &mut targets, "p99_us", |index, target| {
        take(target, scenarios[index].load.as_ref(), duration)
    });
    let over_alone = |target: &Target| {
        let scenario = scenarios.iter().find(|one| one.target.name == target.name);
        range(scenario.and_then(|one| over(target, &targets, &one.alone)))
    };
    let verdicts = scenarios.iter().flat_map(|one| one.judge(&targets));
    let table = Table::new(
        "server and other load",
        &targets,
        &[
            ("good answers", &|t| t.range("good")),
            ("other answers", &|t| t.notes("other_answers")),
            ("p50, µs", &|t| t.median("p50_us")),
            ("p99, µs: min / median / max", &|t| t.range("p99_us")),
            ("max, µs", &|t| t.median("max_us")),
            ("p99 over alone: min / median / max", &over_alone),
            ("peak memory, MiB", &|t| t.median("peak_mib")),
            ("observed by the other clients", &|t| t.notes("others")),
        ],
    );
    Ok(Report {
        verdicts: verdicts.collect(),
        ..Report::new(name, about, turns, table, &targets)?
    })
}

/// One turn: a new process, checked, warmed up, and measured under the other load.
fn take(target: &Target, load: Option<&Load>, duration: Duration) -> Result<Turn> {
    let running = Running::start(&target.server)?;
    let (addr, job) = (running.addr, &target.job);
    job.check(addr)?;
    paced::run(addr, job, GOOD_CLIENTS, Duration::from_secs(1)).all_good()?;
    let (paced, others) = thread::scope(|scope| {
        let load = load.map(|load| scope.spawn(move || load(addr, duration)));
        let paced = paced::run(addr, job, GOOD_CLIENTS, duration);
        let others = load.map(|load| load.join().expect("no client panics"));
        (paced, others)
    });
    let mut turn = Turn::of([("peak_mib", memory_mib(running.id(), PEAK)?)]);
    turn.note("others", others.transpose()?.unwrap_or_default());
    turn.set_paced(paced);
    Ok(turn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::target;

    fn scenario() -> Scenario {
        let server = crate::servers::tests::server();
        let load: Load = Arc::new(|_, _| Ok(String::new()));
        Scenario::alone("ours", server, &Job::good()).next_to("others", load)
    }

    /// The verdicts on turns with these ratios to the clients alone, and refused requests.
    fn words(scenario: &Scenario, ratios: &[f64], refused: &[f64]) -> Vec<String> {
        let figures: [(&str, &[f64]); 2] = [("p99_us", ratios), ("failures", refused)];
        let alone = vec![1.0; refused.len()];
        let targets = [
            target("ours, next to others", &figures),
            target("ours, alone", &[("p99_us", &alone)]),
        ];
        scenario.judge(&targets).iter().map(Verdict::word).collect()
    }

    #[test]
    fn the_ratio_is_the_median_of_those_of_the_rounds() {
        let words = words(&scenario(), &[1.1, 5.0, 1.9], &[0.0; 3]);
        assert_eq!(words, ["reached", "reached?"]);
    }

    #[test]
    fn one_refused_request_of_a_good_client_misses_the_goal() {
        let words = words(&scenario(), &[1.1, 1.0], &[0.0, 1.0]);
        assert_eq!(words, ["missed?", "reached"]);
    }

    #[test]
    fn a_round_without_a_good_answer_has_no_ratio() {
        // The second one has none.
        let words = words(&scenario(), &[1.0], &[9.0, 0.0]);
        assert_eq!(words[1], "not measured");
    }

    #[test]
    fn a_scenario_for_comparison_has_no_goals() {
        let peer = scenario().without_goals();
        assert!(words(&peer, &[9.0], &[9.0]).is_empty());
    }
}
