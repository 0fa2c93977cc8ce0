//! Good clients beside others: how long they wait for their answers, compared with
//! when they are alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::{median, range};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::load::job::Job;
use crate::load::paced::{self, Paced, list, percentile};
use crate::machine::kernel::memory;
use crate::machine::rest::mib;
use crate::measure::Bench;
use crate::plot::{Bar, Kind, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::running::Running;

/// How many good clients there are, each of which sends a request every 10 ms.
pub(super) const GOOD_CLIENTS: u32 = 8;

/// How many times the 99th percentile may be what it is when the good clients are
/// alone.
const OVER_ALONE: f64 = 2.0;

/// What others do to a server for a while. It returns what they saw.
type Others = Box<dyn Fn(SocketAddr, Duration) -> Result<String> + Sync>;

/// Good clients of a server, and others beside them.
pub(super) struct Scene {
    kind: Kind,
    /// The server, for people.
    whose: String,
    /// Who else is there.
    others: String,
    server: Server,
    job: Job,
    /// None where nobody else is there.
    work: Option<Others>,
}

impl Scene {
    /// Good clients alone: those that come after are compared with this.
    pub(super) fn alone(kind: Kind, whose: &str, server: Server, job: Job) -> Self {
        Self {
            kind,
            whose: whose.to_owned(),
            others: "nobody".to_owned(),
            server,
            job,
            work: None,
        }
    }

    /// The same with others beside them.
    pub(super) fn beside(
        &self,
        others: impl Into<String>,
        work: impl Fn(SocketAddr, Duration) -> Result<String> + Sync + 'static,
    ) -> Self {
        Self {
            kind: self.kind,
            whose: self.whose.clone(),
            others: others.into(),
            server: self.server.clone(),
            job: self.job.clone(),
            work: Some(Box::new(work)),
        }
    }

    /// The same, to compare with: nothing is asked of it.
    pub(super) fn control(self) -> Self {
        Self {
            kind: Kind::Peer,
            ..self
        }
    }

    fn name(&self) -> String {
        format!("{}, beside {}", self.whose, self.others)
    }
}

/// What the good clients saw in one turn.
#[derive(Debug, Serialize)]
struct Turn {
    good: usize,
    failures: BTreeMap<String, u64>,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    max_us: Option<f64>,
    /// How many times the 99th percentile is that of the good clients alone, in the
    /// same round.
    over_alone: Option<f64>,
    peak_mib: f64,
    /// What the others saw.
    others: String,
}

#[derive(Serialize)]
struct Subject {
    name: String,
    #[serde(skip)]
    kind: Kind,
    others: String,
    command: String,
    turns: Vec<Turn>,
    failure: Option<String>,
}

/// Lets all scenes take turns, each with a new process.
pub(super) fn run(
    bench: &Bench,
    name: &'static str,
    about: String,
    scenes: &[Scene],
    seconds: u32,
) -> Result<Report> {
    let duration = Duration::from_secs(seconds.into());
    let subject = |scene: &Scene| Subject {
        name: scene.name(),
        kind: scene.kind,
        others: scene.others.clone(),
        command: scene.server.shown(),
        turns: Vec::new(),
        failure: None,
    };
    let mut subjects: Vec<Subject> = scenes.iter().map(subject).collect();
    let rounds = bench.turns.rounds;
    for round in 1..=rounds {
        let mut alone_us = None;
        for (scene, subject) in scenes.iter().zip(&mut subjects) {
            let name = &subject.name;
            match take(scene, duration) {
                Ok(mut turn) => {
                    if scene.work.is_none() {
                        alone_us = turn.p99_us;
                    }
                    turn.over_alone = turn.p99_us.zip(alone_us).map(|(p99, alone)| p99 / alone);
                    let p99 = turn.p99_us.unwrap_or_default();
                    let (good, bad) = (turn.good, list(&turn.failures));
                    eprintln!("{round}/{rounds} {name}: {good} good {bad}, p99 {p99:.0} µs");
                    eprintln!("    {}", turn.others);
                    subject.turns.push(turn);
                }
                Err(error) => {
                    eprintln!("{round}/{rounds} {name} failed: {error:#}");
                    subject.failure = Some(format!("{error:#}"));
                }
            }
        }
    }
    report(name, about, &subjects, rounds, seconds)
}

/// One turn: a new process, checked, warmed up, and asked while the others are there.
fn take(scene: &Scene, duration: Duration) -> Result<Turn> {
    let running = Running::start(&scene.server)?;
    scene.job.check(running.addr)?;
    paced::run(
        running.addr,
        &scene.job,
        GOOD_CLIENTS,
        Duration::from_secs(1),
    )?;
    let (paced, others) = thread::scope(|scope| {
        let others = scene
            .work
            .as_ref()
            .map(|work| scope.spawn(move || work(running.addr, duration)));
        let paced = paced::watch(running.addr, &scene.job, GOOD_CLIENTS, duration);
        let others = others.map(|others| others.join().expect("they do not panic"));
        (paced, others)
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

fn report(
    name: &'static str,
    about: String,
    subjects: &[Subject],
    rounds: u32,
    seconds: u32,
) -> Result<Report> {
    let mut table = Table::new(&[
        "server and who else was there",
        "good answers",
        "other answers",
        "p50, µs",
        "p99, µs: min / median / max",
        "max, µs",
        "p99 over alone: min / median / max",
        "peak memory, MiB",
        "what the others saw, in the last round",
    ]);
    for subject in subjects {
        let others = subject.turns.last().map(|turn| turn.others.clone());
        table.row([
            subject.name.clone(),
            subject.good().to_string(),
            list(&subject.failures()),
            median(subject.summary(|turn| turn.p50_us)),
            range(subject.summary(|turn| turn.p99_us)),
            median(subject.summary(|turn| turn.max_us)),
            subject.ratios(),
            median(subject.summary(|turn| Some(turn.peak_mib))),
            others.unwrap_or_default(),
        ]);
    }
    let bars = subjects.iter().map(|subject| Bar {
        label: subject.name.clone(),
        kind: subject.kind,
        summary: subject.summary(|turn| turn.p99_us),
    });
    let failure = |one: &Subject| Some(format!("`{}`: {}", one.name, one.failure.as_ref()?));
    let mut commands = Vec::new();
    for subject in subjects {
        let whose = subject.name.split(", beside").next().unwrap_or_default();
        let command = (whose.to_owned(), subject.command.clone());
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    Ok(Report {
        name,
        about,
        turns: format!("{rounds} rounds of {seconds} s"),
        table,
        verdicts: subjects.iter().flat_map(Subject::verdicts).collect(),
        warnings: Vec::new(),
        failures: subjects.iter().filter_map(failure).collect(),
        commands,
        figures: serde_json::to_value(subjects)?,
        plot: Plot::Bars {
            title: "99th percentile of the latency of good clients".to_owned(),
            unit: "µs, median and range of the rounds; less is better",
            bars: bars.collect(),
        },
    })
}

impl Subject {
    fn good(&self) -> usize {
        self.turns.iter().map(|turn| turn.good).sum()
    }

    fn failures(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (how, times) in self.turns.iter().flat_map(|turn| &turn.failures) {
            *all.entry(how.clone()).or_default() += times;
        }
        all
    }

    /// A figure over all turns; none if one of them does not have it.
    fn summary(&self, figure: impl Fn(&Turn) -> Option<f64>) -> Option<Summary> {
        let figures: Option<Vec<f64>> = self.turns.iter().map(figure).collect();
        Summary::of(figures.filter(|_| self.failure.is_none())?)
    }

    fn ratios(&self) -> String {
        let ratios = self.summary(|turn| turn.over_alone);
        ratios.map_or_else(String::new, |_| range(ratios))
    }

    /// What has to be true of ours where others are there.
    fn verdicts(&self) -> Vec<Verdict> {
        if self.kind != Kind::Ours || self.turns.iter().all(|turn| turn.others.is_empty()) {
            return Vec::new();
        }
        let ratios = self.summary(|turn| turn.over_alone);
        let missing = self.summary(|turn| {
            let missing: u64 = turn.failures.values().sum();
            u32::try_from(missing).ok().map(f64::from)
        });
        vec![
            Verdict::new(
                format!("requests without a good answer, {}", self.name),
                "requests",
                Limit::AtMost(0.0),
                missing.map(|missing| missing.max),
                missing,
            ),
            Verdict::new(
                format!("p99 over that of good clients alone, {}", self.name),
                "×",
                Limit::AtMost(OVER_ALONE),
                ratios.map(|ratios| ratios.median),
                ratios,
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(turns: &[(Option<f64>, u64)]) -> Subject {
        let turn = |&(over_alone, refused): &(Option<f64>, u64)| Turn {
            good: 100,
            failures: BTreeMap::from([("503".to_owned(), refused)]),
            p50_us: Some(1.0),
            p99_us: over_alone,
            max_us: over_alone,
            over_alone,
            peak_mib: 1.0,
            others: "they were there".to_owned(),
        };
        Subject {
            name: "component-runner, beside others".to_owned(),
            kind: Kind::Ours,
            others: "others".to_owned(),
            command: String::new(),
            turns: turns.iter().map(turn).collect(),
            failure: None,
        }
    }

    fn words(turns: &[(Option<f64>, u64)]) -> Vec<String> {
        let verdicts = subject(turns).verdicts();
        verdicts.iter().map(Verdict::word).collect()
    }

    #[test]
    fn the_ratio_is_the_median_of_those_of_the_rounds() {
        let turns = [(Some(1.1), 0), (Some(5.0), 0), (Some(1.9), 0)];
        assert_eq!(words(&turns), ["reached", "reached?"]);
    }

    #[test]
    fn one_refused_request_of_a_good_client_is_one_too_many() {
        let turns = [(Some(1.1), 0), (Some(1.0), 1)];
        assert_eq!(words(&turns), ["missed?", "reached"]);
    }

    #[test]
    fn a_round_without_a_good_answer_has_no_ratio() {
        assert_eq!(words(&[(None, 9), (Some(1.0), 0)])[1], "not measured");
    }

    #[test]
    fn nothing_is_asked_of_peers() {
        let mut peer = subject(&[(Some(9.0), 9)]);
        peer.kind = Kind::Peer;
        assert!(peer.verdicts().is_empty());
    }
}
