//! Bodies that stream through a guest, from 100 bytes to ten mebibytes.

use anyhow::Result;

use super::{NATIVE, OURS, case, lines, median, mib, range, ratio, rows_of};
use crate::figures::goals::Limit;
use crate::load::job::Job;
use crate::measure::{Bench, Case, Row, Sample};
use crate::plot::{Kind, Line, Panel, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::programs::guest;

/// A body in bytes, and on how many connections it is sent: few, where a body is
/// more than the system keeps for a connection.
const STEPS: [(&str, usize, u32); 6] = [
    ("100 B", 100, 32),
    ("1 KiB", 1 << 10, 32),
    ("10 KiB", 10 << 10, 32),
    ("100 KiB", 100 << 10, 32),
    ("1 MiB", 1 << 20, 4),
    ("10 MiB", 10 << 20, 4),
];

/// How much of native's throughput ours should reach with the longest body.
const OF_NATIVE: f64 = 0.5;

/// From how many per cent on the load generator may be what limits the throughput.
const GENERATOR_BUSY: f64 = 90.0;

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let component = guest("echo")?;
    let cases: Vec<Case> = STEPS
        .iter()
        .flat_map(|&(_, bytes, connections)| {
            [
                case(OURS, bench.programs.ours(&[]).serving(&component)),
                case(NATIVE, bench.programs.native(&[])),
            ]
            .map(|case| Case {
                connections,
                job: Job::Echo(bytes),
                ..case
            })
        })
        .collect();
    let rows = bench.rounds(&cases);

    let mut table = Table::new(&[
        "body",
        "connections",
        "ours: MiB/s each way",
        "native: MiB/s each way",
        "ours over native",
        "ours: CPU per request, µs",
        "native: CPU per request, µs",
        "ours: CPU per MiB, µs",
        "native: CPU per MiB, µs",
        "ours: peak memory, MiB",
        "native: peak memory, MiB",
        "load generator busy, %: ours / native",
    ]);
    let pairs = rows_of(&rows, OURS).zip(rows_of(&rows, NATIVE));
    for ((label, bytes, connections), (ours, native)) in STEPS.iter().zip(pairs) {
        let flow = flow(*bytes);
        let per_mib = per_mib(*bytes);
        table.row([
            (*label).to_owned(),
            connections.to_string(),
            range(ours.summary(flow)),
            range(native.summary(flow)),
            ratio(ours.summary(flow), native.summary(flow)),
            median(ours.summary(cpu)),
            median(native.summary(cpu)),
            median(ours.summary(per_mib)),
            median(native.summary(per_mib)),
            median(ours.summary(peak)),
            median(native.summary(peak)),
            format!(
                "{} / {}",
                median(ours.summary(generator)),
                median(native.summary(generator))
            ),
        ]);
    }

    let about = format!(
        "A guest sends the body of each request back while it still comes; native passes it on \
         within hyper. `wrk`, with one thread for two processors, sends and counts. {}",
        limit_of_the_generator(&rows)
    );
    let mut report = Report::on(bench, &rows, "echo", about, table, plot(&rows))?;
    let longest = rows_of(&rows, OURS).zip(rows_of(&rows, NATIVE)).last();
    report.verdicts = longest
        .map(|(ours, native)| {
            let (label, bytes, _) = STEPS[STEPS.len() - 1];
            let what = format!("throughput of ours over that of native with {label}");
            ours.judge(native, flow(bytes), Limit::AtLeast(OF_NATIVE), what)
        })
        .into_iter()
        .collect();
    Ok(report)
}

/// Mebibytes a second in each direction.
fn flow(bytes: usize) -> impl Fn(&Sample) -> f64 + Copy {
    move |sample| mib(bytes) * sample.answers_per_second
}

/// Processor time for each mebibyte that went in and out, in microseconds.
fn per_mib(bytes: usize) -> impl Fn(&Sample) -> f64 + Copy {
    move |sample| sample.cpu_us * sample.requests_per_second / flow(bytes)(sample)
}

fn cpu(sample: &Sample) -> f64 {
    sample.cpu_us
}

fn peak(sample: &Sample) -> f64 {
    sample.peak_mib
}

fn generator(sample: &Sample) -> f64 {
    sample.generator_busy * 100.0
}

/// Says where the throughput is perhaps that of the load generator.
fn limit_of_the_generator(rows: &[Row]) -> String {
    let busy = |row: &&Row| {
        row.summary(generator)
            .is_some_and(|summary| summary.median > GENERATOR_BUSY)
    };
    let count = rows.iter().filter(busy).count();
    if count == 0 {
        return format!("In all {} cases it had time to spare.", rows.len());
    }
    format!(
        "In {count} of {} cases it was busy for more than {GENERATOR_BUSY} % of the time and may \
         be what limited the throughput: there, compare the processor time.",
        rows.len()
    )
}

fn plot(rows: &[Row]) -> Plot {
    let panel = |heading: &str| Panel {
        heading: heading.to_owned(),
        logarithmic: true,
        steps: STEPS.map(|(label, ..)| label.to_owned()).into(),
        places: None,
        lines: Vec::new(),
    };
    let flow_of = |(name, kind): (&str, Kind)| Line {
        label: name.to_owned(),
        kind,
        points: rows_of(rows, name)
            .map(|row| row.summary(flow(row.message_bytes)))
            .collect(),
    };
    Plot::Panels {
        title: "Bodies of 100 B to 10 MiB that stream through".to_owned(),
        panels: vec![
            Panel {
                lines: [(OURS, Kind::Ours), (NATIVE, Kind::Native)]
                    .map(flow_of)
                    .into(),
                ..panel("Throughput, MiB/s each way")
            },
            Panel {
                lines: lines(rows, cpu),
                ..panel("Processor time per request, µs")
            },
            Panel {
                logarithmic: false,
                lines: lines(rows, peak),
                ..panel("Peak memory, MiB")
            },
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::row;

    fn sample() -> Sample {
        let row = row(OURS, &[4000.0]);
        Sample {
            requests_per_second: 100.0,
            answers_per_second: 110.0,
            ..row.samples[0].clone()
        }
    }

    #[test]
    fn answers_that_were_under_way_at_the_end_count_as_well() {
        assert!((flow(10 << 20)(&sample()) - 1100.0).abs() < 1e-9);
    }

    #[test]
    fn the_time_of_all_requests_is_divided_among_all_that_flowed() {
        // 100 times 4,000 µs, in a second of 1,000 MiB and of 1,100.
        assert!((per_mib(10 << 20)(&sample()) - 400_000.0 / 1100.0).abs() < 1e-9);
    }

    #[test]
    fn a_load_generator_at_its_limit_is_named() {
        let mut rows = [row(OURS, &[1.0]), row(NATIVE, &[1.0])];
        assert!(limit_of_the_generator(&rows).contains("time to spare"));
        rows[1].samples[0].generator_busy = 0.97;
        assert!(limit_of_the_generator(&rows).starts_with("In 1 of 2"));
    }
}
