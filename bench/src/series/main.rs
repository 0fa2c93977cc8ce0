//! Every server, with 32 connections and a short message.

use anyhow::{Context, Result};

use super::{MESSAGE, NATIVE, OURS, OURS_FUSED, case, median, range, ratio, rows_of};
use crate::figures::goals::{Limit, Verdict};
use crate::measure::{Bench, Case, Row};
use crate::plot::{Bar, Kind, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::TUNED;

/// The peers: name, requests per instance, flags, and goal for their processor time over ours.
const PEERS: [(&str, Option<&str>, &[&str], f64); 9] = [
    ("wasmtime serve", None, &[], 15.0),
    ("wasmtime serve, tuned", None, TUNED, 3.5),
    ("wasmtime serve, reuse 128", Some("128"), &[], 1.3),
    ("wasmtime serve, reuse 128, tuned", Some("128"), TUNED, 1.3),
    ("wasmtime serve, reuse 1000", Some("1000"), &[], 1.3),
    (
        "wasmtime serve, reuse 1000, tuned",
        Some("1000"),
        TUNED,
        1.3,
    ),
    ("wasmtime serve, fused", None, &[], 15.0),
    ("wasmtime serve, tuned, fused", None, TUNED, 3.5),
    (
        "wasmtime serve, reuse 1000, tuned, fused",
        Some("1000"),
        TUNED,
        1.3,
    ),
];

/// Suffix of the names of servers of the fused composition.
const FUSED: &str = ", fused";

/// Flags that `wasmtime serve` needs for it.
const SEVERAL_MEMORIES: [&str; 2] = [
    "-Opooling-max-memories-per-module=4",
    "-Opooling-max-tables-per-module=4",
];

/// Ours with several requests per instance. The goals are for one instance per request, so they do
/// not apply to these.
const OURS_REUSED: [(&str, &str); 2] = [
    ("component-runner, reuse 128", "128"),
    ("component-runner, reuse 1000", "1000"),
];

/// Goal for the figures of ours over those of the native server.
const OVER_NATIVE: f64 = 3.0;

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let rows = bench.rounds(&cases(bench));
    let ours = rows_of(&rows, OURS).next().context("ours is measured")?;
    let fused = rows_of(&rows, OURS_FUSED).next();
    let fused = fused.context("ours is measured with the fused composition")?;
    let mut table = Table::new(&[
        "server",
        "CPU per request, µs: min / median / max",
        "times ours",
        "goal",
        "requests/s",
        "p50, µs",
        "p90, µs",
        "p99, µs",
        "max, µs",
        "peak memory, MiB",
    ]);
    let mut verdicts = Vec::new();
    for row in &rows {
        let cpu = row.summary(|sample| sample.cpu_us);
        // Only servers of the same component are compared.
        let verdict = judge(
            row,
            if row.name.ends_with(FUSED) {
                fused
            } else {
                ours
            },
        );
        let goal = goal(row, verdict.as_ref());
        verdicts.extend(verdict);
        table.row([
            row.name.clone(),
            range(cpu),
            ratio(cpu, ours.summary(|sample| sample.cpu_us)),
            goal,
            median(row.summary(|sample| sample.requests_per_second)),
            median(row.summary(|sample| sample.p50_us)),
            median(row.summary(|sample| sample.p90_us)),
            median(row.summary(|sample| sample.p99_us)),
            median(row.summary(|sample| sample.max_us)),
            median(row.summary(|sample| sample.peak_mib)),
        ]);
    }
    if let Some(native) = rows.iter().find(|row| row.name == NATIVE) {
        let what = "p99 of ours over that of native";
        let goal = Limit::AtMost(OVER_NATIVE);
        verdicts.push(ours.judge(native, |sample| sample.p99_us, goal, what));
        let what = "CPU of ours, fused, over that of native";
        verdicts.push(fused.judge(native, |sample| sample.cpu_us, goal, what));
    }

    let about = format!(
        "Every server answers `POST /encrypt` with `{{\"message\": \"{MESSAGE}\"}}` on {} \
         connections; standard error goes to /dev/null. `CPU` is the server's time in user and \
         system mode. Without `reuse`, each request has its own instance. `fused` is the same \
         composition with its parts fused into one core module of several memories; a server of \
         it is compared with ours of it.",
        ours.connections
    );
    Ok(Report {
        verdicts,
        plot: Some(plot(&rows)),
        ..Report::on(bench, &rows, "main", about, table)?
    })
}

fn cases(bench: &Bench) -> Vec<Case> {
    let programs = &bench.programs;
    let mut cases = vec![
        case(OURS, programs.ours(&[])),
        case(OURS_FUSED, programs.ours(&[]).serving(&programs.fused)),
    ];
    if programs.ours_can_reuse {
        for (name, count) in OURS_REUSED {
            cases.push(case(name, programs.ours(&["--reuse", count])));
        }
    }
    for (name, reuse, flags, _) in PEERS {
        let mut flags = flags.to_vec();
        flags.extend(
            reuse
                .iter()
                .flat_map(|count| ["--max-instance-reuse-count", count]),
        );
        let server = if name.ends_with(FUSED) {
            flags.extend(SEVERAL_MEMORIES);
            programs.wasmtime(&flags).serving(&programs.fused)
        } else {
            programs.wasmtime(&flags)
        };
        cases.push(case(name, server));
    }
    cases.push(case(NATIVE, programs.native(&[])));
    cases
}

/// The verdict on a row, if it has a goal.
fn judge(row: &Row, ours: &Row) -> Option<Verdict> {
    if row.name == NATIVE {
        let goal = Limit::AtMost(OVER_NATIVE);
        let what = "CPU of ours over that of native";
        return Some(ours.judge(row, |sample| sample.cpu_us, goal, what));
    }
    let (.., times) = PEERS.iter().find(|(name, ..)| row.name == *name)?;
    let ours_is = if row.name.ends_with(FUSED) {
        "ours, fused"
    } else {
        "ours"
    };
    let what = format!("CPU of `{}` over that of {ours_is}", row.name);
    Some(row.judge(ours, |sample| sample.cpu_us, Limit::AtLeast(*times), what))
}

/// The cell with the goal of a row.
fn goal(row: &Row, verdict: Option<&Verdict>) -> String {
    match verdict {
        Some(verdict) => {
            let whose = if row.name == NATIVE { "ours " } else { "" };
            format!("{whose}{}: {}", verdict.wanted(), verdict.word())
        }
        None if row.name == OURS || row.name == OURS_FUSED => String::new(),
        None => "not counted".to_owned(),
    }
}

fn plot(rows: &[Row]) -> Plot {
    let bar = |row: &Row| Bar {
        label: row.name.clone(),
        kind: match row.name.as_str() {
            NATIVE => Kind::Native,
            OURS_FUSED => Kind::OursFused,
            name if name.starts_with(OURS) => Kind::Ours,
            _ => Kind::Peer,
        },
        summary: row.summary(|sample| sample.cpu_us),
    };
    Plot::Bars {
        title: "Processor time per request",
        unit: "µs, median and range of the rounds; less is better",
        bars: rows.iter().map(bar).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::row;

    #[test]
    fn a_peer_has_the_goal_of_its_row() {
        let (ours, peer) = (row(OURS, &[10.0]), row("wasmtime serve", &[149.0]));
        assert_eq!(judge(&peer, &ours).unwrap().word(), "missed");
        let peer = row("wasmtime serve, tuned", &[149.0]);
        assert_eq!(judge(&peer, &ours).unwrap().word(), "reached");
    }

    #[test]
    fn the_goal_of_native_limits_ours() {
        let ours = row(OURS, &[29.0]);
        let verdict = judge(&row(NATIVE, &[10.0]), &ours).unwrap();
        assert_eq!(verdict.word(), "reached");
        assert!(verdict.to_string().contains("2.90 ×"), "{verdict}");
    }

    #[test]
    fn ours_has_no_goal_of_its_own() {
        let ours = row(OURS, &[29.0]);
        assert!(judge(&ours, &ours).is_none());
        assert_eq!(goal(&ours, None), "");
    }

    #[test]
    fn ours_with_reuse_has_no_goal() {
        let ours = row(OURS, &[29.0]);
        for (name, _) in OURS_REUSED {
            let reused = row(name, &[1.0]);
            let verdict = judge(&reused, &ours);
            assert!(verdict.is_none());
            assert_eq!(goal(&reused, verdict.as_ref()), "not counted");
        }
    }
}
