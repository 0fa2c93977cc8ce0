//! Servers that take turns.
//!
//! - this file: the servers with their figures, and the turns under the load of `wrk`.
//! - [`noise`]: disturbances by other programs.

pub(crate) mod noise;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::figures::stats::{Summary, count, figure, percentile, range};
use crate::load::job::Job;
use crate::load::paced::{Paced, list};
use crate::load::wrk;
use crate::machine::kernel::{PEAK, machine_time, memory_mib, processor_time};
use crate::process::allow_many_connections;
use crate::programs::Programs;
use crate::servers::Server;
use crate::servers::running::Running;

/// Warm-up of each server in seconds, the shortest duration of `wrk`.
const WARM_UP_SECONDS: u32 = 1;

/// The default number of connections.
pub(crate) const CONNECTIONS: u32 = 32;

/// Number and length of the turns of a server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rounds {
    pub(crate) rounds: u32,
    /// Without warm-up.
    pub(crate) seconds: u32,
}

impl Rounds {
    /// The same with longer turns.
    pub(crate) fn longer(self, times: u32) -> Self {
        Self {
            seconds: self.seconds * times,
            ..self
        }
    }
}

impl From<Rounds> for String {
    fn from(Rounds { rounds, seconds }: Rounds) -> Self {
        format!("{rounds} rounds of {seconds} s")
    }
}

/// The programs, the load generator, and the turns of the current series.
pub(crate) struct Bench {
    pub(crate) programs: Programs,
    pub(crate) wrk_version: String,
    pub(crate) turns: Rounds,
}

/// The figures of one turn by their names, and what else was observed.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Turn {
    #[serde(flatten)]
    figures: BTreeMap<String, f64>,
    #[serde(flatten)]
    notes: BTreeMap<String, String>,
}

impl Turn {
    pub(crate) fn of<const N: usize>(figures: [(&str, f64); N]) -> Self {
        Self {
            figures: figures.map(|(key, figure)| (key.to_owned(), figure)).into(),
            notes: BTreeMap::new(),
        }
    }

    /// Sets a figure, if there is one.
    pub(crate) fn set(&mut self, key: impl Into<String>, figure: impl Into<Option<f64>>) {
        if let Some(figure) = figure.into() {
            self.figures.insert(key.into(), figure);
        }
    }

    pub(crate) fn note(&mut self, key: &str, text: String) {
        self.notes.insert(key.to_owned(), text);
    }

    /// Sets what clients at a fixed rate observed.
    pub(crate) fn set_paced(&mut self, mut paced: Paced) {
        let failures = paced.failures.values().sum::<u64>();
        self.set("failures", u32::try_from(failures).ok().map(f64::from));
        self.set("good", count(paced.times_us.len()));
        self.note("other_answers", list(&paced.failures));
        for (key, percent) in [("p50_us", 50), ("p99_us", 99), ("max_us", 100)] {
            self.set(key, percentile(&mut paced.times_us, percent));
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<f64> {
        self.figures.get(key).copied()
    }
}

/// A server with its load, and the figures of its turns.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) server: Server,
    #[serde(skip)]
    pub(crate) job: Job,
    pub(crate) connections: u32,
    pub(crate) turns: Vec<Turn>,
    /// Why the figures are missing.
    pub(crate) failure: Option<String>,
}

impl Target {
    pub(crate) fn new(name: impl Into<String>, server: Server, job: &Job) -> Self {
        Self {
            name: name.into(),
            server,
            job: job.clone(),
            connections: CONNECTIONS,
            turns: Vec::new(),
            failure: None,
        }
    }

    /// The same with this number of connections.
    pub(crate) fn on(self, connections: u32) -> Self {
        Self {
            connections,
            ..self
        }
    }

    /// A figure over all turns; none if it is missing in one of them, or the server failed.
    pub(crate) fn summary(&self, key: &str) -> Option<Summary> {
        self.paired(self, |turn, _| turn.get(key))
    }

    /// A figure of each turn and that of `other` in the same round, over all rounds.
    pub(crate) fn paired(
        &self,
        other: &Self,
        figure: impl Fn(&Turn, &Turn) -> Option<f64>,
    ) -> Option<Summary> {
        if self.failure.is_some() || other.failure.is_some() {
            return None;
        }
        let pairs = self.turns.iter().zip(&other.turns);
        let figures: Option<Vec<f64>> = pairs.map(|(this, other)| figure(this, other)).collect();
        Summary::of(figures?)
    }

    /// The ratio of a figure to that of `other` in the same round.
    pub(crate) fn over(&self, other: &Self, key: &str) -> Option<Summary> {
        self.paired(other, |this, other| Some(this.get(key)? / other.get(key)?))
    }

    /// The median of a figure for a cell.
    pub(crate) fn median(&self, key: &str) -> String {
        self.cell(self.summary(key).map(|summary| figure(summary.median)))
    }

    /// Minimum, median and maximum of a figure for a cell.
    pub(crate) fn range(&self, key: &str) -> String {
        let summary = self.summary(key);
        self.cell(summary.map(|_| range(summary)))
    }

    /// A note of each turn for a cell, without empty ones.
    pub(crate) fn notes(&self, key: &str) -> String {
        let notes = self.turns.iter().filter_map(|turn| turn.notes.get(key));
        let notes: Vec<_> = notes.filter(|note| !note.is_empty()).cloned().collect();
        notes.join("; ")
    }

    fn cell(&self, text: Option<String>) -> String {
        let missing = self.failure.as_ref().map_or("-", |_| "failed");
        text.unwrap_or_else(|| missing.to_owned())
    }
}

/// The target of this name.
pub(crate) fn named<'a>(targets: &'a [Target], name: &str) -> Option<&'a Target> {
    targets.iter().find(|target| target.name == name)
}

/// Measures all targets in turn, so that changes of the machine affect all of them, and prints the
/// figure `shown` of each turn. A server is not measured again after a failure.
pub(crate) fn take(
    Rounds { rounds, .. }: Rounds,
    targets: &mut [Target],
    shown: &str,
    mut turn: impl FnMut(usize, &Target) -> Result<Turn>,
) {
    for round in 1..=rounds {
        for (index, target) in targets.iter_mut().enumerate() {
            if target.failure.is_some() {
                continue;
            }
            let outcome = turn(index, target);
            let name = &target.name;
            match outcome {
                Ok(turn) => {
                    let found = turn.get(shown).map_or_else(|| "-".to_owned(), figure);
                    eprintln!("{round}/{rounds} {name}: {shown} {found}");
                    target.turns.push(turn);
                }
                Err(error) => {
                    eprintln!("{round}/{rounds} {name} failed: {error:#}");
                    target.failure = Some(format!("{error:#}"));
                }
            }
        }
    }
}

impl Bench {
    /// Finds all programs.
    pub(crate) fn new(turns: Rounds) -> Result<Self> {
        allow_many_connections()?;
        Ok(Self {
            programs: Programs::find()?,
            wrk_version: wrk::find()?,
            turns,
        })
    }

    /// Measures all targets in turn under the load of `wrk`.
    pub(crate) fn load(&self, targets: &mut [Target]) {
        take(self.turns, targets, "cpu_us", |_, target| {
            self.turn(&target.server, &target.job, target.connections)
        });
    }

    /// One turn: a new process, warmed up, and measured under load.
    ///
    /// - `cpu_us`: processor time of the server per request, user and system.
    /// - `mib_per_second`: bodies in each direction, by the received bytes, so that a part of an
    ///   answer counts.
    /// - `generator_busy_percent`: the share of the time in which the load generator was busy, over
    ///   its threads.
    /// - `foreign_processors`: processors that were busy with other programs; `stolen`: share of
    ///   the machine's time that a hypervisor took away.
    pub(crate) fn turn(&self, server: &Server, job: &Job, connections: u32) -> Result<Turn> {
        let server = Running::start(server)?;
        let load = |seconds| wrk::run(server.addr, job, connections, seconds);
        load(WARM_UP_SECONDS).context("during the warm-up")?;

        // `wrk` is a child of this process.
        let pids = [std::process::id(), server.id()];
        let (machine_before, before) = (machine_time()?, pids.map(processor_time));
        let counted = load(self.turns.seconds)?;
        let machine = machine_time()?.since(&machine_before);
        let [generator, cpu] = pids.map(processor_time);
        let [generator_before, cpu_before] = before;
        let generator = generator?.saturating_sub(generator_before?).as_secs_f64();
        let cpu = cpu?.saturating_sub(cpu_before?).as_secs_f64();

        let seconds = counted.duration_us / 1e6;
        let foreign = machine.busy.as_secs_f64() - cpu - generator;
        let body_mib = count(job.body.len()) / f64::from(1 << 20);
        let generator_busy = generator / seconds / f64::from(wrk::threads(connections));
        Ok(Turn::of([
            ("cpu_us", cpu / counted.requests * 1e6),
            ("requests_per_second", counted.per_second()),
            ("mib_per_second", counted.answers * body_mib / seconds),
            ("p50_us", counted.p50_us),
            ("p90_us", counted.p90_us),
            ("p99_us", counted.p99_us),
            ("max_us", counted.max_us),
            ("peak_mib", memory_mib(server.id(), PEAK)?),
            ("generator_busy_percent", generator_busy * 100.0),
            ("foreign_processors", foreign.max(0.0) / seconds),
            ("stolen", machine.stolen_share()),
        ]))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::servers::tests::server;

    /// A target with these figures in its turns.
    pub(crate) fn target(name: &str, figures: &[(&str, &[f64])]) -> Target {
        let mut target = Target::new(name, server(), &Job::good());
        for (key, rounds) in figures {
            target.turns.resize_with(rounds.len(), Turn::default);
            for (turn, &figure) in target.turns.iter_mut().zip(*rounds) {
                turn.set(*key, figure);
            }
        }
        target
    }

    /// A target with these processor times.
    pub(crate) fn cpu(name: &str, cpu_us: &[f64]) -> Target {
        target(name, &[("cpu_us", cpu_us)])
    }

    /// The same after a failure.
    pub(crate) fn failed(target: Target) -> Target {
        let failure = Some("it ended".to_owned());
        Target { failure, ..target }
    }

    #[test]
    fn a_ratio_is_the_median_of_those_of_the_rounds() {
        let ours = cpu("ours", &[10.0, 20.0, 30.0]);
        let ratios = cpu("peer", &[60.0, 80.0, 90.0])
            .over(&ours, "cpu_us")
            .unwrap();
        assert_eq!((ratios.min, ratios.median, ratios.max), (3.0, 4.0, 6.0));
    }

    #[test]
    fn a_target_that_failed_has_no_figures() {
        let (ours, peer) = (cpu("ours", &[1.0]), failed(cpu("peer", &[1.0])));
        assert_eq!(peer.summary("cpu_us"), None);
        assert_eq!(peer.over(&ours, "cpu_us"), None);
        assert_eq!(peer.median("cpu_us"), "failed");
        assert_eq!(ours.median("p50_us"), "-");
    }
}
