//! What an instance takes that is alive.
//!
//! - [`turn`]: one server that holds more and more requests.
//! - this file: all servers in turn, and what they showed.

mod turn;

use anyhow::Result;
use serde::Serialize;

use super::{MESSAGE, NATIVE, OURS, TUNED_PEER, median, range};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::load::job::Job;
use crate::machine::rest::Taken;
use crate::measure::Bench;
use crate::plot::{Kind, Line, Panel, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::{LARGE_POOL, Server, TUNED};
use turn::{STEPS, Turn};

/// How much memory ours may need at rest.
const AT_REST_MIB: f64 = 30.0;

/// A server and what all of its turns showed.
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

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let programs = &bench.programs;
    let large = [TUNED, LARGE_POOL].concat();
    let mut subjects = [
        (OURS, Kind::Ours, programs.ours(&[])),
        ("wasmtime serve", Kind::Peer, programs.wasmtime(&[])),
        (TUNED_PEER, Kind::Peer, programs.wasmtime(&large)),
        (NATIVE, Kind::Native, programs.native(&[])),
    ]
    .map(|(name, kind, server)| Subject {
        name,
        kind,
        server,
        turns: Vec::new(),
        failure: None,
    });
    let job = Job::Encrypt(MESSAGE.to_owned());
    let rounds = bench.turns.rounds;
    for round in 1..=rounds {
        for subject in subjects.iter_mut().filter(|one| one.failure.is_none()) {
            match Turn::take(&subject.server, &job) {
                Ok(turn) => {
                    eprintln!(
                        "{round}/{rounds} {}: {} steps",
                        subject.name,
                        turn.held.len()
                    );
                    subject.turns.push(turn);
                }
                Err(error) => subject.failure = Some(format!("{error:#}")),
            }
        }
    }
    report(&subjects, rounds)
}

fn report(subjects: &[Subject], rounds: u32) -> Result<Report> {
    let mut headings = [
        "server",
        "after the start, MiB: min / median / max",
        "PSS, MiB",
    ]
    .map(str::to_owned)
    .to_vec();
    headings.extend(STEPS.map(|count| format!("{count} held, MiB")));
    headings.push("KiB for each, resident / PSS".to_owned());
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = Table::new(&headings);
    for subject in subjects {
        let mut cells = vec![
            subject.name.to_owned(),
            range(subject.summary(|turn| Some(turn.fresh.resident_mib))),
            median(subject.summary(|turn| Some(turn.fresh.proportional_mib))),
        ];
        cells.extend((0..STEPS.len()).map(|step| subject.cell(step)));
        let each =
            |figure: fn(&Taken) -> f64| median(subject.summary(|turn| turn.kib_for_each(figure)));
        let (resident, proportional) = (
            each(|taken| taken.resident_mib),
            each(|taken| taken.proportional_mib),
        );
        cells.push(format!("{resident} / {proportional}"));
        table.row(cells);
    }

    let ours = subjects[0].summary(|turn| Some(turn.fresh.resident_mib));
    let verdict = Verdict::new(
        "memory of ours at rest",
        "MiB",
        Limit::AtMost(AT_REST_MIB),
        ours.map(|rest| rest.median),
        ours,
    );
    let panel = Panel {
        heading: "Resident memory, MiB".to_owned(),
        logarithmic: false,
        steps: STEPS.map(|count| count.to_string()).into(),
        places: Some(STEPS.map(f64::from).into()),
        // One grey line is enough: the peer that holds all of them.
        lines: subjects
            .iter()
            .filter(|subject| subject.kind != Kind::Peer || subject.name == TUNED_PEER)
            .map(Subject::line)
            .collect(),
    };
    let failure = |one: &Subject| Some(format!("`{}`: {}", one.name, one.failure.as_ref()?));
    Ok(Report {
        name: "memory",
        about: format!(
            "The resident memory of each server: after its start, and while it holds requests \
             that have sent half of their bodies, so that an instance lives for each. `held` \
             includes one request that was answered before; PSS counts shared pages only in \
             part. The last column is the growth up to the last step. {TUNED_PEER} has a \
             larger pool than it comes with; where a server answered at once with an error, the \
             table says how many others it held."
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
        plot: Plot::Panels {
            title: "Memory with up to 900 requests held".to_owned(),
            panels: vec![panel],
        },
    })
}

impl Subject {
    /// A figure over all turns; none if one of them does not have it.
    fn summary(&self, figure: impl Fn(&Turn) -> Option<f64>) -> Option<Summary> {
        let figures: Option<Vec<f64>> = self.turns.iter().map(figure).collect();
        Summary::of(figures.filter(|_| self.failure.is_none())?)
    }

    fn resident(&self, step: usize) -> Option<Summary> {
        self.summary(|turn| Some(turn.held.get(step)?.resident_mib))
    }

    /// The memory at a step, or how many the server held where it refused others.
    fn cell(&self, step: usize) -> String {
        let summary = self.resident(step);
        if summary.is_some() || self.failure.is_some() {
            return median(summary);
        }
        let refusing = self.turns.iter().filter(|turn| turn.held.len() == step);
        let held = refusing.filter_map(|turn| turn.only).min();
        held.map_or_else(|| "-".to_owned(), |held| format!("held only {held}"))
    }

    fn line(&self) -> Line {
        Line {
            label: self.name.to_owned(),
            kind: self.kind,
            points: (0..STEPS.len()).map(|step| self.resident(step)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(resident_mib: f64) -> Taken {
        Taken {
            resident_mib,
            proportional_mib: resident_mib,
            private_mib: resident_mib,
            descriptors: 20,
        }
    }

    fn subject(turns: &[&[f64]]) -> Subject {
        let turn = |held: &&[f64]| Turn {
            fresh: taken(10.0),
            held: held.iter().copied().map(taken).collect(),
            only: (held.len() < STEPS.len()).then_some(80),
        };
        Subject {
            name: OURS,
            kind: Kind::Ours,
            server: crate::servers::tests::server(),
            turns: turns.iter().map(turn).collect(),
            failure: None,
        }
    }

    #[test]
    fn what_each_held_request_takes_is_the_growth_since_none_was_held() {
        let each = |held: &[f64]| subject(&[held]).turns[0].kib_for_each(|t| t.resident_mib);
        assert_eq!(each(&[20.0, 24.0, 28.0, 60.0, 65.0]), Some(51.2));
        assert_eq!(each(&[20.0, 25.0]), Some(102.4));
        assert_eq!(each(&[20.0]), None);
    }

    #[test]
    fn a_server_that_refuses_is_shown_with_how_many_it_held() {
        let subject = subject(&[&[20.0, 25.0]]);
        let cells = [0, 1, 2, 3].map(|step| subject.cell(step));
        assert_eq!(cells, ["20.0", "25.0", "held only 80", "-"]);
    }

    #[test]
    fn a_server_that_refuses_in_one_turn_of_several_has_refused() {
        let subject = subject(&[&[20.0, 25.0, 30.0], &[20.0, 25.0]]);
        assert_eq!(subject.cell(1), "25.0");
        assert_eq!(subject.cell(2), "held only 80");
    }

    #[test]
    fn a_server_that_failed_has_no_figures() {
        let mut subject = subject(&[&[20.0, 25.0]]);
        subject.failure = Some("it ended".to_owned());
        assert_eq!(subject.cell(0), "failed");
    }
}
