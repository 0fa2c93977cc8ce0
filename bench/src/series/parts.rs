//! Compositions of 2 to 20 parts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use compose::Component;
use compose_fuse::fuse;
use serde_json::json;

use super::{OURS, OURS_FUSED, TUNED_PEER, case, median, range, ratio, rows_of};
use crate::composition::{Chains, Contents};
use crate::figures::stats::slope;
use crate::measure::{Bench, Case, Row, Sample};
use crate::plot::{Kind, Line, Panel, Plot};
use crate::report::Report;
use crate::report::table::{Table, figure};
use crate::servers::programs::scratch;
use crate::servers::{LARGE_POOL, TUNED};

/// Numbers of parts in a row; two of them are the adapter and the cipher.
const STEPS: [u32; 8] = [2, 3, 4, 5, 8, 12, 16, 20];

/// The servers, and their lines in the picture.
const LINES: [(&str, Kind); 3] = [
    (OURS, Kind::Ours),
    (OURS_FUSED, Kind::OursFused),
    (TUNED_PEER, Kind::Peer),
];

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let (mut cases, mut contents) = (Vec::new(), Vec::new());
    let chains = Chains::find()?;
    let peer_flags = [TUNED, LARGE_POOL].concat();
    let servers = [
        (OURS, bench.programs.ours(&[]), "parts-N.wasm"),
        (OURS_FUSED, bench.programs.ours(&[]), "fused-N.wasm"),
        (
            TUNED_PEER,
            bench.programs.wasmtime(&peer_flags),
            "parts-N.wasm",
        ),
    ];
    for parts in STEPS {
        let component = chains.compose(parts as usize - 2)?;
        contents.push(Contents::of(&component)?);
        let fused = fuse(&Component::new("composition", component.clone())?)?.bytes;
        for (file, bytes) in [("parts", component), ("fused", fused)] {
            let path = path(file, parts);
            fs::write(&path, bytes)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        for (name, server, file) in &servers {
            let file = file.trim_end_matches("-N.wasm");
            cases.push(case(name, server.clone().serving(&path(file, parts))));
        }
    }
    let mut report = report(bench, &cases, &contents)?;
    // Once for each server, not for each file.
    report.commands = servers
        .map(|(name, server, file)| {
            let server = server.serving(Path::new(file));
            (name.to_owned(), server.shown())
        })
        .into();
    Ok(report)
}

/// The file of a composition of this number of parts.
fn path(file: &str, parts: u32) -> PathBuf {
    scratch().join(format!("{file}-{parts}.wasm"))
}

fn report(bench: &Bench, cases: &[Case], contents: &[Contents]) -> Result<Report> {
    let rows = bench.rounds(cases);
    let mut table = Table::new(&[
        "parts in a row",
        "core instances",
        "memories",
        "ours: CPU per request, µs",
        "ours, fused: CPU per request, µs",
        "wasmtime serve, tuned: CPU per request, µs",
        "wasmtime serve over ours",
        "ours: p50, µs",
        "ours: p99, µs",
        "wasmtime serve: p50, µs",
        "wasmtime serve: p99, µs",
    ]);
    let both = rows_of(&rows, OURS).zip(rows_of(&rows, OURS_FUSED));
    let all = both.zip(rows_of(&rows, TUNED_PEER));
    for ((parts, contents), ((ours, fused), peer)) in STEPS.iter().zip(contents).zip(all) {
        table.row([
            parts.to_string(),
            contents.core_instances.to_string(),
            contents.memories.to_string(),
            range(ours.summary(cpu)),
            range(fused.summary(cpu)),
            range(peer.summary(cpu)),
            ratio(peer.summary(cpu), ours.summary(cpu)),
            median(ours.summary(|sample| sample.p50_us)),
            median(ours.summary(p99)),
            median(peer.summary(|sample| sample.p50_us)),
            median(peer.summary(p99)),
        ]);
    }

    let about = format!(
        "The load of the main series on compositions of 2 to 20 parts in a row: the HTTP adapter, \
         relays that forward each call, and the cipher. Two more parts close each composition (audit \
         log and environment), so that both servers run the same file; {TUNED_PEER} has a larger \
         pool than its default, which has no room for the longer ones on 32 connections. Fused, a \
         composition has 2 core instances. {} {} {}",
        growth(&rows, OURS),
        growth(&rows, OURS_FUSED),
        growth(&rows, TUNED_PEER)
    );
    let line = |&(label, kind): &(&'static str, Kind), value: fn(&Sample) -> f64| Line {
        label,
        kind,
        points: rows_of(&rows, label)
            .map(|row| row.summary(value))
            .collect(),
    };
    let panel = |heading, value| Panel {
        heading,
        steps: STEPS.map(f64::from).into(),
        lines: LINES.iter().map(|server| line(server, value)).collect(),
    };
    let plot = Plot::Panels {
        title: "Compositions of 2 to 20 parts",
        panels: vec![
            panel("Processor time per request, µs", cpu),
            panel("99th percentile of the latency, µs", p99),
        ],
    };
    let mut report = Report::on(bench, &rows, "parts", about, table)?;
    report.plot = Some(plot);
    report.figures = json!({
        "compositions": STEPS.iter().zip(contents).map(|(parts, contents)| json!({
            "parts_in_a_row": parts,
            "core_instances": contents.core_instances,
            "memories": contents.memories,
        })).collect::<Vec<_>>(),
        "rows": report.figures,
    });
    Ok(report)
}

fn cpu(sample: &Sample) -> f64 {
    sample.cpu_us
}

fn p99(sample: &Sample) -> f64 {
    sample.p99_us
}

/// The cost of a further part in a sentence.
fn growth(rows: &[Row], name: &str) -> String {
    let medians = rows_of(rows, name).map(|row| row.summary(cpu).map(|cpu| cpu.median));
    let points: Option<Vec<_>> = STEPS
        .iter()
        .zip(medians)
        .map(|(&parts, median)| Some((f64::from(parts), median?)))
        .collect();
    match points.and_then(|points| slope(&points)) {
        Some(slope) => format!("Each further part costs {name} {} µs.", figure(slope)),
        None => format!("The cost of a further part was not measured for {name}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::row;

    fn rows() -> Vec<Row> {
        let cpu = |&parts: &u32| 30.0 + 7.0 * f64::from(parts);
        STEPS.iter().map(|parts| row(OURS, &[cpu(parts)])).collect()
    }

    #[test]
    fn the_cost_of_a_part_is_the_slope_over_their_number() {
        let expected = "Each further part costs component-runner 7.00 µs.";
        assert_eq!(growth(&rows(), OURS), expected);
    }

    #[test]
    fn a_failed_composition_leaves_the_cost_unmeasured() {
        let mut rows = rows();
        rows[3].failure = Some("it ended".to_owned());
        assert!(growth(&rows, OURS).contains("not measured"));
    }
}
