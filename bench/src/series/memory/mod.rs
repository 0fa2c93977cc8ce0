//! The memory of a live instance.
//!
//! - [`turn`]: one server that holds more and more requests.
//! - this file: all servers in turn, and the report.

mod turn;

use anyhow::Result;

use super::target::Target;
use super::{MESSAGE, NATIVE, OURS, PEER, TUNED_PEER};
use crate::figures::goals::{Limit, Verdict};
use crate::load::job::Job;
use crate::machine::rest::Taken;
use crate::measure::Bench;
use crate::plot::{Kind, Line, Panel, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::{LARGE_POOL, TUNED};
use turn::{STEPS, Turn};

/// Goal for the memory of ours at rest.
const AT_REST_MIB: f64 = 30.0;

/// The lines of the picture. One peer is enough: the one that holds all requests.
const LINES: [(&str, Kind); 3] = [
    (OURS, Kind::Ours),
    (TUNED_PEER, Kind::Peer),
    (NATIVE, Kind::Native),
];

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let programs = &bench.programs;
    let large = [TUNED, LARGE_POOL].concat();
    let mut targets = [
        Target::new(OURS, programs.ours(&[])),
        Target::new(PEER, programs.wasmtime(&[])),
        Target::new(TUNED_PEER, programs.wasmtime(&large)),
        Target::new(NATIVE, programs.native(&[])),
    ];
    let job = Job::Encrypt(MESSAGE.to_owned());
    let rounds = bench.turns.rounds;
    for round in 1..=rounds {
        for target in &mut targets {
            let name = target.name.clone();
            if let Some(turn) = target.take(|target| Turn::take(&target.server, &job)) {
                eprintln!("{round}/{rounds} {name}: {} steps", turn.held.len());
            }
        }
    }
    report(&targets, rounds)
}

fn report(targets: &[Target<Turn>], rounds: u32) -> Result<Report> {
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
    for target in targets {
        let mut cells = vec![
            target.name.clone(),
            target.range(|turn| Some(turn.fresh.resident_mib)),
            target.median(|turn| Some(turn.fresh.proportional_mib)),
        ];
        cells.extend((0..STEPS.len()).map(|step| cell(target, step)));
        let each = |figure: fn(&Taken) -> f64| target.median(|turn| turn.kib_for_each(figure));
        cells.push(format!(
            "{} / {}",
            each(|taken| taken.resident_mib),
            each(|taken| taken.proportional_mib)
        ));
        table.row(cells);
    }

    let ours = targets[0].summary(|turn| Some(turn.fresh.resident_mib));
    let verdict = Verdict::new(
        "memory of ours at rest",
        "MiB",
        Limit::AtMost(AT_REST_MIB),
        ours.map(|rest| rest.median),
        ours,
    );
    let line = |&(label, kind): &(&'static str, Kind)| {
        let target = targets.iter().find(|target| target.name == label)?;
        let resident = |step: usize| target.summary(|turn| Some(turn.held.get(step)?.resident_mib));
        Some(Line {
            label,
            kind,
            points: (0..STEPS.len()).map(resident).collect(),
        })
    };
    let panel = Panel {
        heading: "Resident memory, MiB",
        steps: STEPS.map(f64::from).into(),
        lines: LINES.iter().filter_map(line).collect(),
    };
    let about = format!(
        "The resident memory of each server: after its start, and while it holds requests with half \
         of their bodies, so that each has a live instance. `held` includes one request that was \
         answered before; PSS counts shared pages in proportion. The last column is the growth up \
         to the last step. {TUNED_PEER} has a larger pool than its default; where a server \
         answered at once with an error, the table has the number of other requests it held."
    );
    let report = Report::new("memory", about, format!("{rounds} starts"), table);
    Ok(Report {
        verdicts: vec![verdict],
        plot: Some(Plot::Panels {
            title: "Memory with up to 900 requests held",
            panels: vec![panel],
        }),
        ..report.with(targets)?
    })
}

/// The memory at a step, or the number of requests held where the server refused others.
fn cell(target: &Target<Turn>, step: usize) -> String {
    let resident = |turn: &Turn| Some(turn.held.get(step)?.resident_mib);
    if target.summary(resident).is_some() || target.failure.is_some() {
        return target.median(resident);
    }
    let refusing = target.turns.iter().filter(|turn| turn.held.len() == step);
    let held = refusing.filter_map(|turn| turn.only).min();
    held.map_or_else(|| "-".to_owned(), |held| format!("held only {held}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(resident_mib: f64) -> Taken {
        Taken {
            resident_mib,
            proportional_mib: resident_mib,
            private_mib: resident_mib,
        }
    }

    fn target(turns: &[&[f64]]) -> Target<Turn> {
        let turn = |held: &&[f64]| Turn {
            fresh: taken(10.0),
            held: held.iter().copied().map(taken).collect(),
            only: (held.len() < STEPS.len()).then_some(80),
        };
        Target {
            turns: turns.iter().map(turn).collect(),
            ..Target::new(OURS, crate::servers::tests::server())
        }
    }

    #[test]
    fn memory_per_held_request_is_the_growth_from_none() {
        let each = |held: &[f64]| target(&[held]).turns[0].kib_for_each(|t| t.resident_mib);
        assert_eq!(each(&[20.0, 24.0, 28.0, 60.0, 65.0]), Some(51.2));
        assert_eq!(each(&[20.0, 25.0]), Some(102.4));
        assert_eq!(each(&[20.0]), None);
    }

    #[test]
    fn a_server_that_refuses_shows_the_number_of_held_requests() {
        let target = target(&[&[20.0, 25.0]]);
        let cells = [0, 1, 2, 3].map(|step| cell(&target, step));
        assert_eq!(cells, ["20.0", "25.0", "held only 80", "-"]);
    }

    #[test]
    fn a_server_that_refuses_in_one_turn_shows_the_lowest_number() {
        let target = target(&[&[20.0, 25.0, 30.0], &[20.0, 25.0]]);
        assert_eq!(cell(&target, 1), "25.0");
        assert_eq!(cell(&target, 2), "held only 80");
    }

    #[test]
    fn a_server_that_failed_has_no_figures() {
        let mut target = target(&[&[20.0, 25.0]]);
        target.failure = Some("it ended".to_owned());
        assert_eq!(cell(&target, 0), "failed");
    }
}
