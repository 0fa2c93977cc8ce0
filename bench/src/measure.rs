//! Servers under load, in turn.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::load::job::Job;
use crate::load::wrk::{Wrk, threads};
use crate::machine::kernel::{MachineTime, ProcessorTime, machine_time, memory, processor_time};
use crate::servers::Server;
use crate::servers::process::allow_many_connections;
use crate::servers::programs::Programs;
use crate::servers::running::Running;
use crate::settings::{Settings, Turns};

/// Warm-up of each server in seconds, the shortest duration of `wrk`.
const WARM_UP_SECONDS: u32 = 1;

/// The programs, the load generator and the settings.
pub(crate) struct Bench {
    pub(crate) programs: Programs,
    pub(crate) wrk: Wrk,
    pub(crate) settings: Settings,
    /// Turns of the current series.
    pub(crate) turns: Turns,
}

/// A server and its load.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) server: Server,
    pub(crate) connections: u32,
    pub(crate) job: Job,
}

/// The figures of one turn.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    /// Processor time of the server per request, user and system, in microseconds; and its system
    /// part.
    pub(crate) cpu_us: f64,
    pub(crate) system_us: f64,
    pub(crate) requests: u64,
    pub(crate) requests_per_second: f64,
    /// The same by the received bytes, so that a part of an answer counts.
    pub(crate) answers_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// Memory of the server at its peak, and right after the load.
    pub(crate) peak_mib: f64,
    pub(crate) resident_mib: f64,
    /// Share of the time in which the load generator was busy, over its threads.
    pub(crate) generator_busy: f64,
    /// Processors that were busy with other programs.
    pub(crate) foreign_processors: f64,
    /// Share of the machine's time that a hypervisor took away.
    pub(crate) stolen: f64,
}

/// A case with the figures of all turns.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) command: String,
    pub(crate) connections: u32,
    pub(crate) message_bytes: usize,
    /// One per round.
    pub(crate) samples: Vec<Sample>,
    /// Why there are no figures.
    pub(crate) failure: Option<String>,
}

impl Row {
    /// Range and median of one figure, unless the server failed.
    pub(crate) fn summary(&self, figure: impl Fn(&Sample) -> f64) -> Option<Summary> {
        match self.failure {
            Some(_) => None,
            None => Summary::of(self.samples.iter().map(figure)),
        }
    }

    /// Judges the figure of this row over that of `other`, by the medians and the single rounds.
    pub(crate) fn judge(
        &self,
        other: &Self,
        figure: impl Fn(&Sample) -> f64,
        goal: Limit,
        what: impl Into<String>,
    ) -> Verdict {
        let medians = self.summary(&figure).zip(other.summary(&figure));
        let found = medians.map(|(this, other)| this.median / other.median);
        let pairs = self.samples.iter().zip(&other.samples);
        let rounds = Summary::of(pairs.map(|(this, other)| figure(this) / figure(other)));
        Verdict::new(what, "×", goal, found, rounds.filter(|_| found.is_some()))
    }
}

impl Bench {
    /// Finds all programs.
    pub(crate) fn new(settings: Settings) -> Result<Self> {
        allow_many_connections()?;
        Ok(Self {
            programs: Programs::find()?,
            wrk: Wrk::find()?,
            turns: settings.main,
            settings,
        })
    }

    /// Measures all cases in turn, so that changes of the machine affect all of them.
    pub(crate) fn rounds(&self, cases: &[Case]) -> Vec<Row> {
        let mut rows: Vec<Row> = cases.iter().map(Case::row).collect();
        let rounds = self.turns.rounds;
        for round in 1..=rounds {
            for (case, row) in cases.iter().zip(&mut rows) {
                if row.failure.is_some() {
                    continue;
                }
                match self.measure(case) {
                    Ok(sample) => {
                        eprintln!("{round}/{rounds} {}: {:.1} µs", case.name, sample.cpu_us);
                        row.samples.push(sample);
                    }
                    Err(error) => {
                        eprintln!("{round}/{rounds} {} failed: {error:#}", case.name);
                        row.failure = Some(format!("{error:#}"));
                    }
                }
            }
        }
        rows
    }

    /// One turn: a new process, checked, warmed up, and measured under load.
    fn measure(&self, case: &Case) -> Result<Sample> {
        let server = Running::start(&case.server)?;
        let answer_bytes = case.job.check(server.addr)?;
        let load = |seconds| {
            let (addr, connections) = (server.addr, case.connections);
            let counted = self.wrk.run(addr, &case.job, connections, seconds)?;
            counted.check(answer_bytes, connections)?;
            Ok::<_, anyhow::Error>(counted)
        };
        load(WARM_UP_SECONDS).context("during the warm-up")?;

        let before = Snapshot::take(&server)?;
        let counted = load(self.turns.seconds)?;
        let used = Snapshot::take(&server)?.since(&before);
        let memory = memory(server.id())?;

        let cpu = used.server.total().as_secs_f64();
        let system = used.server.system.as_secs_f64();
        // `wrk` is a child of this process.
        let generator = used.myself.total().as_secs_f64();
        let known = cpu + generator;
        let seconds = counted.duration_us / 1e6;
        let requests = precise(counted.requests);
        let mib = |kib| precise(kib) / 1024.0;
        Ok(Sample {
            cpu_us: cpu / requests * 1e6,
            system_us: system / requests * 1e6,
            requests: counted.requests,
            requests_per_second: counted.per_second(),
            answers_per_second: precise(counted.bytes) / precise(answer_bytes as u64) / seconds,
            p50_us: counted.p50_us,
            p90_us: counted.p90_us,
            p99_us: counted.p99_us,
            max_us: counted.max_us,
            peak_mib: mib(memory.peak_kib),
            resident_mib: mib(memory.resident_kib),
            generator_busy: generator / seconds / f64::from(threads(case.connections)),
            foreign_processors: (used.machine.busy.as_secs_f64() - known).max(0.0) / seconds,
            stolen: used.machine.stolen_share(),
        })
    }
}

/// The kernel's accounting at one time.
struct Snapshot {
    machine: MachineTime,
    myself: ProcessorTime,
    server: ProcessorTime,
}

impl Snapshot {
    fn take(server: &Running) -> Result<Self> {
        Ok(Self {
            machine: machine_time()?,
            myself: processor_time(std::process::id())?,
            server: processor_time(server.id())?,
        })
    }

    fn since(&self, then: &Self) -> Self {
        Self {
            machine: self.machine.since(&then.machine),
            myself: self.myself.since(&then.myself),
            server: self.server.since(&then.server),
        }
    }
}

impl Case {
    fn row(&self) -> Row {
        Row {
            name: self.name.clone(),
            command: self.server.shown(),
            connections: self.connections,
            message_bytes: self.job.size_bytes(),
            samples: Vec::new(),
            failure: None,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn precise(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A row with these processor times.
    pub(crate) fn row(name: &str, cpu_us: &[f64]) -> Row {
        let sample = |&cpu_us| Sample {
            cpu_us,
            system_us: 0.0,
            requests: 1,
            requests_per_second: 1.0,
            answers_per_second: 1.0,
            p50_us: 1.0,
            p90_us: 1.0,
            p99_us: 1.0,
            max_us: 1.0,
            peak_mib: 1.0,
            resident_mib: 1.0,
            generator_busy: 0.0,
            foreign_processors: 0.0,
            stolen: 0.0,
        };
        Row {
            name: name.to_owned(),
            command: name.to_owned(),
            connections: 32,
            message_bytes: 11,
            samples: cpu_us.iter().map(sample).collect(),
            failure: None,
        }
    }

    fn failed() -> Row {
        Row {
            failure: Some("it ended".to_owned()),
            ..row("peer", &[1.0])
        }
    }

    #[test]
    fn a_ratio_is_that_of_the_medians() {
        let (ours, peer) = (
            row("ours", &[10.0, 20.0, 30.0]),
            row("peer", &[60.0, 70.0, 90.0]),
        );
        let verdict = peer.judge(&ours, |s| s.cpu_us, Limit::AtLeast(3.2), "CPU");
        assert_eq!(verdict.word(), "reached?");
        assert!(
            verdict.to_string().contains("3.50 × (3.00 to 6.00)"),
            "{verdict}"
        );
    }

    #[test]
    fn a_row_that_failed_has_no_figures() {
        assert_eq!(failed().summary(|s| s.cpu_us), None);
        let verdict = failed().judge(&row("ours", &[1.0]), |s| s.cpu_us, Limit::AtMost(9.0), "");
        assert_eq!(verdict.word(), "not measured");
    }
}
