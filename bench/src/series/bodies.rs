//! Messages from 100 bytes to a mebibyte.

use anyhow::Result;

use super::{NATIVE, OURS, lines, median, mib, ours_and_native, range, ratio, rows_of};
use crate::load::job::Job;
use crate::measure::{Bench, Case, Sample};
use crate::plot::{Panel, Plot};
use crate::report::Report;
use crate::report::table::Table;

/// The longest is the longest that the component takes.
const STEPS: [(&str, usize); 5] = [
    ("100 B", 100),
    ("1 KiB", 1 << 10),
    ("10 KiB", 10 << 10),
    ("100 KiB", 100 << 10),
    ("1 MiB", 1 << 20),
];

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let cases: Vec<Case> = STEPS
        .iter()
        .flat_map(|&(_, length)| {
            ours_and_native(bench).map(|case| Case {
                job: Job::Encrypt(text(length)),
                ..case
            })
        })
        .collect();
    let rows = bench.rounds(&cases);

    let mut table = Table::new(&[
        "message",
        "ours: CPU per request, µs",
        "native: CPU per request, µs",
        "ours over native",
        "ours: MiB/s each way",
        "native: MiB/s each way",
        "ours: p99, µs",
        "ours: peak memory, MiB",
    ]);
    let pairs = rows_of(&rows, OURS).zip(rows_of(&rows, NATIVE));
    for ((label, length), (ours, native)) in STEPS.iter().zip(pairs) {
        let (our_cpu, native_cpu) = (ours.summary(cpu), native.summary(cpu));
        let flow = |sample: &Sample| mib(*length) * sample.requests_per_second;
        table.row([
            (*label).to_owned(),
            range(our_cpu),
            range(native_cpu),
            ratio(our_cpu, native_cpu),
            median(ours.summary(flow)),
            median(native.summary(flow)),
            median(ours.summary(|sample| sample.p99_us)),
            median(ours.summary(|sample| sample.peak_mib)),
        ]);
    }

    let about = "Ours and native encrypt messages of 100 bytes to 1 MiB on 32 connections. The \
                 component reads a message whole, looks at it as JSON and answers it whole.";
    let panel = Panel {
        heading: "Processor time per request, µs".to_owned(),
        logarithmic: true,
        steps: STEPS.map(|(label, _)| label.to_owned()).into(),
        places: None,
        lines: lines(&rows, cpu),
    };
    let title = "Messages of 100 B to 1 MiB".to_owned();
    let plot = Plot::Panels {
        title,
        panels: vec![panel],
    };
    Report::on(bench, &rows, "bodies", about, table, plot)
}

fn cpu(sample: &Sample) -> f64 {
    sample.cpu_us
}

/// A message of so many bytes.
fn text(length: usize) -> String {
    "the quick brown fox jumps over the lazy dog "
        .chars()
        .cycle()
        .take(length)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_it_should_be() {
        for (_, length) in STEPS {
            assert_eq!(text(length).len(), length);
        }
    }
}
