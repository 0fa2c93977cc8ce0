//! Bodies of 100 B to 10 MiB that stream through a guest.

use anyhow::Result;

use super::{NATIVE, OURS, case, median, mib, range, ratio, rows_of};
use crate::figures::goals::Limit;
use crate::load::job::Job;
use crate::measure::{Bench, Case, Row, Sample};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::programs::guest;

/// Size of a body, and number of connections: few where a body is larger than the kernel's buffers.
const STEPS: [(&str, usize, u32); 6] = [
    ("100 B", 100, 32),
    ("1 KiB", 1 << 10, 32),
    ("10 KiB", 10 << 10, 32),
    ("100 KiB", 100 << 10, 32),
    ("1 MiB", 1 << 20, 4),
    ("10 MiB", 10 << 20, 4),
];

/// Goal for the throughput of ours over that of native, with the largest body.
const OF_NATIVE: f64 = 0.5;

/// Percentage of time from which on a busy load generator may limit the throughput.
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
        "A guest echoes the body of each request while it arrives; native does so within hyper. \
         `wrk` with one thread per two processors is the load generator. {}",
        limit_of_the_generator(&rows)
    );
    let mut report = Report::on(bench, &rows, "echo", about, table)?;
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

/// Mebibytes per second in each direction.
fn flow(bytes: usize) -> impl Fn(&Sample) -> f64 + Copy {
    move |sample| mib(bytes) * sample.answers_per_second
}

/// Processor time per mebibyte in and out, in microseconds.
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

/// Whether the load generator may limit the throughput, in a sentence.
fn limit_of_the_generator(rows: &[Row]) -> String {
    let busy = |row: &&Row| {
        row.summary(generator)
            .is_some_and(|summary| summary.median > GENERATOR_BUSY)
    };
    let count = rows.iter().filter(busy).count();
    if count == 0 {
        return format!("In all {} cases it had idle time.", rows.len());
    }
    format!(
        "In {count} of {} cases it was busy for more than {GENERATOR_BUSY} % of the time and may \
         limit the throughput: there, compare the processor time.",
        rows.len()
    )
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
    fn answers_in_flight_at_the_end_count() {
        assert!((flow(10 << 20)(&sample()) - 1100.0).abs() < 1e-9);
    }

    #[test]
    fn processor_time_is_divided_by_the_flow() {
        // 100 requests of 4,000 µs each, in a second of 1,100 MiB.
        assert!((per_mib(10 << 20)(&sample()) - 400_000.0 / 1100.0).abs() < 1e-9);
    }

    #[test]
    fn a_busy_load_generator_is_reported() {
        let mut rows = [row(OURS, &[1.0]), row(NATIVE, &[1.0])];
        assert!(limit_of_the_generator(&rows).contains("idle time"));
        rows[1].samples[0].generator_busy = 0.97;
        assert!(limit_of_the_generator(&rows).starts_with("In 1 of 2"));
    }
}
