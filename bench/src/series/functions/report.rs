//! What all turns showed.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::turn::{Latency, Turn};
use super::{Asked, Subject};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::Summary;
use crate::measure::{Bench, Row, Sample};
use crate::plot::{Kind, Line, Panel, Plot};
use crate::report::Report;
use crate::report::table::{Table, figure};
use crate::series::{median, range};

/// How much memory a function may take that nobody asks for anything, in KiB.
const KIB_FOR_EACH: f64 = 300.0;

/// How long the first request to a function may take, in milliseconds.
const FIRST_MS: f64 = 10.0;

/// How much processor time it may take to find the function of a request, in microseconds.
const ROUTING_US: f64 = 1.0;

pub(super) fn report(
    bench: &Bench,
    cold: Duration,
    subjects: &[Subject],
    rows: &[Row],
) -> Result<Report> {
    let cold_s = cold.as_secs_f64();
    let about = format!(
        "Functions of one component, `app.wasm`, each with bytes and compiled code of its own. \
         The first start of all of them, which compiles, took {} s. After that compiled code is \
         there: times are from the start of the process until the first answer, when all are \
         served. Memory is what the server shares with nobody: at rest, before all functions but \
         one were asked for anything, and after each was. What it has not written is compiled \
         code in files, which the system takes back when it needs room. Between the two, up to \
         200 functions are asked for the first time, one after the other on one connection, and \
         each right after that for the second time. In the end, processor time is measured under \
         the load of the main series, on one function or on all in turn.",
        figure(cold_s)
    );
    let plot = Plot::Panels {
        title: "From 1 to 1,000 functions".to_owned(),
        panels: panels(subjects, rows),
    };
    let mut report = Report::on(bench, rows, "functions", about, table(subjects, rows), plot)?;
    report.verdicts = verdicts(subjects, rows);
    let failure = |one: &Subject| Some(format!("`{}`: {}", one.name(), one.failure.as_ref()?));
    report.failures.extend(subjects.iter().filter_map(failure));
    report.commands = subjects
        .iter()
        .map(|one| (one.name(), one.server.shown()))
        .collect();
    report.figures = json!({ "cold_start_s": cold_s, "servers": subjects, "load": rows });
    Ok(report)
}

fn table(subjects: &[Subject], rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        "what is served",
        "first answer, ms: min / median / max",
        "private memory, MiB",
        "of it written, MiB",
        "after each was asked, MiB",
        "of it written, MiB",
        "first request, ms: p50 / p99 / max",
        "second request, ms",
        "CPU per request to one, µs",
        "to all in turn, µs",
    ]);
    for subject in subjects {
        let memory = |figure: fn(&Turn) -> f64| median(subject.summary(|turn| Some(figure(turn))));
        let cpu = |asked| match subject.row(rows, asked) {
            Some(row) => range(row.summary(cpu_us)),
            None => "-".to_owned(),
        };
        table.row([
            subject.name(),
            range(subject.summary(|turn| Some(turn.first_answer_ms))),
            memory(|turn| turn.fresh.all_mib),
            memory(|turn| turn.fresh.dirty_mib),
            memory(|turn| turn.asked.all_mib),
            memory(|turn| turn.asked.dirty_mib),
            latency(subject, |turn| turn.first),
            latency(subject, |turn| turn.second),
            cpu(Asked::One),
            cpu(Asked::All),
        ]);
    }
    table
}

/// The medians of the rounds, for a cell.
fn latency(subject: &Subject, of: fn(&Turn) -> Option<Latency>) -> String {
    let percentile = |which: fn(Latency) -> f64| {
        let summary = subject.summary(|turn| of(turn).map(which));
        summary.map_or_else(|| "-".to_owned(), |summary| figure(summary.median))
    };
    let [p50, p99, max] = [
        percentile(|latency| latency.p50),
        percentile(|latency| latency.p99),
        percentile(|latency| latency.max),
    ];
    format!("{p50} / {p99} / {max}")
}

fn cpu_us(sample: &Sample) -> f64 {
    sample.cpu_us
}

fn verdicts(subjects: &[Subject], rows: &[Row]) -> Vec<Verdict> {
    let with = |count| subjects.iter().find(|one| one.functions == Some(count));
    let Some((one, most)) = with(1).zip(subjects.last()) else {
        return Vec::new();
    };
    let memory = |what: &str, mib: fn(&Turn) -> f64| {
        let each = kib_for_each(one, most, mib);
        let found = each.map(|each| each.median);
        Verdict::new(what, "KiB", Limit::AtMost(KIB_FOR_EACH), found, each)
    };
    let first = most.summary(|turn| Some(turn.first?.p99));
    let routing = more(one.row(rows, Asked::One), most.row(rows, Asked::One));
    vec![
        memory("written by a function that nobody has asked", |turn| {
            turn.fresh.dirty_mib
        }),
        memory("written by one that was asked before", |turn| {
            turn.asked.dirty_mib
        }),
        memory(
            "with compiled code in files, one that nobody has asked",
            |turn| turn.fresh.all_mib,
        ),
        Verdict::new(
            "p99 of the first request to a function",
            "ms",
            Limit::AtMost(FIRST_MS),
            first.map(|first| first.median),
            first,
        ),
        Verdict::new(
            "CPU per request with 1,000 functions beyond that with one",
            "µs",
            Limit::AtMost(ROUTING_US),
            routing.map(|(found, _)| found),
            routing.map(|(_, rounds)| rounds),
        ),
    ]
}

/// What each function beyond the first takes, in KiB, over all rounds.
fn kib_for_each(one: &Subject, most: &Subject, mib: fn(&Turn) -> f64) -> Option<Summary> {
    if one.failure.is_some() || most.failure.is_some() {
        return None;
    }
    let others = f64::from(most.functions? - one.functions?);
    let pairs = one.turns.iter().zip(&most.turns);
    let growth_mib = pairs.map(|(one, most)| mib(most) - mib(one));
    Summary::of(growth_mib.map(|mib| mib * 1024.0 / others))
}

/// How much more processor time the requests of `most` take than those of `one`: by the
/// medians, and in single rounds.
fn more(one: Option<&Row>, most: Option<&Row>) -> Option<(f64, Summary)> {
    let (one, most) = one.zip(most)?;
    let found = most.summary(cpu_us)?.median - one.summary(cpu_us)?.median;
    let pairs = one.samples.iter().zip(&most.samples);
    let rounds = Summary::of(pairs.map(|(one, most)| most.cpu_us - one.cpu_us))?;
    Some((found, rounds))
}

fn panels(subjects: &[Subject], rows: &[Row]) -> Vec<Panel> {
    let functions = || subjects.iter().filter(|one| one.functions.is_some());
    let line = |label: &str, kind, point: &dyn Fn(&Subject) -> Option<Summary>| Line {
        label: label.to_owned(),
        kind,
        points: functions().map(point).collect(),
    };
    let panel = |heading: &str, logarithmic, lines| Panel {
        heading: heading.to_owned(),
        logarithmic,
        steps: functions()
            .filter_map(|one| Some(one.functions?.to_string()))
            .collect(),
        places: None,
        lines,
    };
    let figure = |of: fn(&Turn) -> Option<f64>| move |one: &Subject| one.summary(of);
    let load = |asked| {
        move |one: &Subject| {
            let asked = if one.jobs.len() == 1 {
                Asked::One
            } else {
                asked
            };
            one.row(rows, asked)?.summary(cpu_us)
        }
    };
    vec![
        panel(
            "From the start to the first answer, ms",
            true,
            vec![line(
                "component-runner",
                Kind::Ours,
                &figure(|turn| Some(turn.first_answer_ms)),
            )],
        ),
        panel(
            "Private memory, MiB",
            true,
            vec![
                line(
                    "asked",
                    Kind::OursFused,
                    &figure(|turn| Some(turn.asked.all_mib)),
                ),
                line(
                    "not asked",
                    Kind::Ours,
                    &figure(|turn| Some(turn.fresh.all_mib)),
                ),
            ],
        ),
        panel(
            "Processor time per request, µs",
            false,
            vec![
                line("all asked in turn", Kind::OursFused, &load(Asked::All)),
                line("one asked", Kind::Ours, &load(Asked::One)),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::turn::Private;
    use super::*;
    use crate::measure::tests::row;
    use crate::servers::tests::server;

    fn subject(functions: u16, private_mib: &[f64]) -> Subject {
        let private = |all_mib| Private {
            all_mib,
            dirty_mib: all_mib,
        };
        let turn = |&mib: &f64| Turn {
            first_answer_ms: 1.0,
            fresh: private(mib),
            asked: private(mib),
            first: None,
            second: None,
        };
        Subject {
            functions: Some(functions),
            server: server(),
            jobs: Vec::new(),
            turns: private_mib.iter().map(turn).collect(),
            failure: None,
        }
    }

    #[test]
    fn what_a_function_takes_is_the_growth_over_all_but_the_first() {
        let (one, most) = (subject(1, &[10.0, 11.0]), subject(1000, &[109.9, 110.9]));
        let each = kib_for_each(&one, &most, |turn| turn.fresh.all_mib).unwrap();
        assert!((each.median - 102.4).abs() < 1e-9, "{each:?}");
    }

    #[test]
    fn a_server_that_failed_says_nothing_of_memory() {
        let failed = Subject {
            failure: Some("it ended".to_owned()),
            ..subject(1000, &[109.9])
        };
        assert_eq!(
            kib_for_each(&subject(1, &[10.0]), &failed, |turn| turn.fresh.all_mib),
            None
        );
    }

    #[test]
    fn more_processor_time_is_a_difference_of_medians_and_of_each_round() {
        let (one, most) = (
            row("one", &[10.0, 12.0, 11.0]),
            row("most", &[11.0, 12.5, 13.0]),
        );
        let (found, rounds) = more(Some(&one), Some(&most)).unwrap();
        assert!((found - 1.5).abs() < 1e-9, "{found}");
        assert_eq!((rounds.min, rounds.max), (0.5, 2.0));
    }
}
