//! Connections that are kept and say nothing.

use anyhow::Result;
use serde::Serialize;

use super::{CONNECTIONS, MESSAGE, NATIVE, OURS, median, range};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::load::job::Job;
use crate::load::kept::Kept;
use crate::machine::rest::Taken;
use crate::measure::Bench;
use crate::plot::{Bar, Kind, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;
use crate::servers::running::Running;

/// How many connections there are.
const KEPT: u16 = 10_000;

/// How much memory ours may need for each, in KiB.
const KIB_FOR_EACH: f64 = 24.0;

#[derive(Serialize)]
struct Subject {
    name: &'static str,
    #[serde(skip)]
    kind: Kind,
    #[serde(skip)]
    server: Server,
    turns: Vec<Turn>,
    failure: Option<String>,
}

/// One process, with all connections and without.
#[derive(Debug, Serialize)]
struct Turn {
    before: Taken,
    /// None if the server does not keep as many.
    kept: Option<Taken>,
    /// How many it kept.
    count: usize,
    after: Taken,
}

impl Turn {
    fn take(bench: &Bench, subject: &Subject) -> Result<Self> {
        let Subject { kind, server, .. } = subject;
        let running = Running::start(server)?;
        let job = Job::Encrypt(MESSAGE.to_owned());
        job.check(running.addr)?;
        // What the first requests bring does not belong to connections.
        let addr = running.addr;
        bench.wrk.run(addr, &job, CONNECTIONS, 1)?;
        let before = Taken::at_rest(&running)?;
        let mut connections = Kept::new(addr, &job);
        let kept = match connections.grow_to(KEPT.into()) {
            Ok(()) => {
                let kept = Taken::at_rest(&running)?;
                connections.ask_all()?;
                Some(kept)
            }
            // That it keeps fewer is what there is to say about it.
            Err(_) if *kind == Kind::Peer => None,
            Err(error) => return Err(error),
        };
        let count = connections.count();
        drop(connections);
        let after = Taken::at_rest(&running)?;
        Ok(Self {
            before,
            kept,
            count,
            after,
        })
    }

    /// What each connection adds, in KiB.
    fn kib_for_each(&self, figure: fn(&Taken) -> f64) -> Option<f64> {
        let growth_mib = figure(self.kept.as_ref()?) - figure(&self.before);
        Some(growth_mib * 1024.0 / f64::from(KEPT))
    }
}

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let programs = &bench.programs;
    let mut subjects = [
        (OURS, Kind::Ours, programs.ours(&[])),
        ("wasmtime serve", Kind::Peer, programs.wasmtime(&[])),
        (NATIVE, Kind::Native, programs.native(&[])),
    ]
    .map(|(name, kind, server)| Subject {
        name,
        kind,
        server,
        turns: Vec::new(),
        failure: None,
    });
    let rounds = bench.turns.rounds;
    for round in 1..=rounds {
        for subject in subjects.iter_mut().filter(|one| one.failure.is_none()) {
            match Turn::take(bench, subject) {
                Ok(turn) => {
                    let kib = turn.kib_for_each(|taken| taken.resident_mib);
                    let (name, kept) = (subject.name, turn.count);
                    let kib = kib.unwrap_or_default();
                    eprintln!("{round}/{rounds} {name}: {kept} kept, {kib:.2} KiB for each");
                    subject.turns.push(turn);
                }
                Err(error) => {
                    eprintln!("{round}/{rounds} {} failed: {error:#}", subject.name);
                    subject.failure = Some(format!("{error:#}"));
                }
            }
        }
    }
    report(&subjects, rounds)
}

fn report(subjects: &[Subject], rounds: u32) -> Result<Report> {
    let mut table = Table::new(&[
        "server",
        "before, MiB",
        "10,000 kept, MiB",
        "KiB for each: min / median / max",
        "of it private, KiB",
        "descriptors before",
        "with 10,000",
        "after",
        "after, MiB",
    ]);
    for subject in subjects {
        table.row([
            subject.name.to_owned(),
            median(subject.summary(|turn| Some(turn.before.resident_mib))),
            subject.kept(),
            subject.cell(range, |turn| turn.kib_for_each(|taken| taken.resident_mib)),
            subject.cell(median, |turn| turn.kib_for_each(|taken| taken.private_mib)),
            subject.descriptors(|turn| Some(turn.before)),
            subject.descriptors(|turn| turn.kept),
            subject.descriptors(|turn| Some(turn.after)),
            median(subject.summary(|turn| Some(turn.after.resident_mib))),
        ]);
    }
    let each =
        |subject: &Subject| subject.summary(|turn| turn.kib_for_each(|taken| taken.resident_mib));
    let ours = each(&subjects[0]);
    let verdict = Verdict::new(
        "memory of ours for an idle connection",
        "KiB",
        Limit::AtMost(KIB_FOR_EACH),
        ours.map(|each| each.median),
        ours,
    );
    let failure = |one: &Subject| Some(format!("`{}`: {}", one.name, one.failure.as_ref()?));
    Ok(Report {
        name: "idle",
        about: format!(
            "{KEPT} connections, on each of which one request was answered, and which then say \
             nothing; all of them are answered once more at the end. Memory is what is resident: \
             before, after the load of the main series for a second; with all of them, when the \
             server has come to rest; and after all have gone. What the kernel keeps for a \
             connection is not in it. Where a server answered nothing on a further connection, the \
             table says how many it kept."
        ),
        turns: format!("{rounds} starts"),
        table,
        verdicts: vec![verdict],
        warnings: Vec::new(),
        failures: subjects.iter().filter_map(failure).collect(),
        commands: subjects
            .iter()
            .map(|one| (one.name.to_owned(), one.server.shown()))
            .collect(),
        figures: serde_json::to_value(subjects)?,
        plot: Plot::Bars {
            title: "Memory for each of 10,000 idle connections".to_owned(),
            unit: "KiB, median and range; less is better",
            bars: subjects
                .iter()
                .map(|subject| Bar {
                    label: subject.name.to_owned(),
                    kind: subject.kind,
                    summary: each(subject),
                })
                .collect(),
        },
    })
}

impl Subject {
    /// A figure over all turns; none if one of them does not have it.
    fn summary(&self, figure: impl Fn(&Turn) -> Option<f64>) -> Option<Summary> {
        let figures: Option<Vec<f64>> = self.turns.iter().map(figure).collect();
        Summary::of(figures.filter(|_| self.failure.is_none())?)
    }

    /// A figure that there is only where all connections were kept.
    fn cell(
        &self,
        show: fn(Option<Summary>) -> String,
        figure: impl Fn(&Turn) -> Option<f64>,
    ) -> String {
        let summary = self.summary(figure);
        if summary.is_none() && self.failure.is_none() {
            return "-".to_owned();
        }
        show(summary)
    }

    /// The memory with all connections, or how many were kept where not all were.
    fn kept(&self) -> String {
        let fewest = self.turns.iter().map(|turn| turn.count).min();
        match fewest {
            Some(fewest) if fewest < KEPT.into() => format!("kept only {fewest}"),
            _ => median(self.summary(|turn| Some(turn.kept.as_ref()?.resident_mib))),
        }
    }

    /// How many descriptors there were at most.
    fn descriptors(&self, at: fn(&Turn) -> Option<Taken>) -> String {
        let all = self.turns.iter().filter_map(at);
        let most = all.map(|taken| taken.descriptors).max();
        most.map_or_else(|| "-".to_owned(), |most| most.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_connection_takes_is_the_growth_since_there_was_none() {
        let taken = |resident_mib| Taken {
            resident_mib,
            proportional_mib: resident_mib,
            private_mib: resident_mib,
            descriptors: 10,
        };
        let turn = Turn {
            before: taken(20.0),
            kept: Some(taken(120.0)),
            count: KEPT.into(),
            after: taken(30.0),
        };
        let each = turn.kib_for_each(|taken| taken.resident_mib).unwrap();
        assert!((each - 10.24).abs() < 1e-9, "{each}");
    }
}
