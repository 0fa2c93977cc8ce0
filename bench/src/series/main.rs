//! Every server, with 32 connections and a short message.

use anyhow::Result;

use super::{MAIN, MESSAGE, NATIVE, OURS, OURS_FUSED, PEER, TUNED_PEER, message};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::range;
use crate::measure::{Bench, CONNECTIONS, Target, named};
use crate::plot::{Group, Kind, Plot};
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::{Server, TUNED};

const REUSE_128: &[&str] = &["--max-instance-reuse-count", "128"];
const REUSE_1000: &[&str] = &["--max-instance-reuse-count", "1000"];

/// Flags that `wasmtime serve` needs for the fused composition.
const SEVERAL_MEMORIES: &[&str] = &[
    "-Opooling-max-memories-per-module=4",
    "-Opooling-max-tables-per-module=4",
];

/// The peers: name, flags, and goal for their processor time over ours.
const PEERS: [(&str, &[&[&str]], f64); 9] = [
    (PEER, &[], 15.0),
    (TUNED_PEER, &[TUNED], 3.5),
    ("wasmtime serve, reuse 128", &[REUSE_128], 1.3),
    ("wasmtime serve, reuse 128, tuned", &[TUNED, REUSE_128], 1.3),
    ("wasmtime serve, reuse 1000", &[REUSE_1000], 1.3),
    (
        "wasmtime serve, reuse 1000, tuned",
        &[TUNED, REUSE_1000],
        1.3,
    ),
    ("wasmtime serve, fused", &[SEVERAL_MEMORIES], 15.0),
    (
        "wasmtime serve, tuned, fused",
        &[TUNED, SEVERAL_MEMORIES],
        3.5,
    ),
    (
        "wasmtime serve, reuse 1000, tuned, fused",
        &[TUNED, REUSE_1000, SEVERAL_MEMORIES],
        1.3,
    ),
];

/// Suffix of the names of servers of the fused composition.
const FUSED: &str = ", fused";

/// Ours with several requests per instance. The goals are for one instance per request, so they do
/// not apply to these.
const OURS_REUSED: [(&str, &str); 2] = [
    ("component-runner, reuse 128", "128"),
    ("component-runner, reuse 1000", "1000"),
];

/// Goal for the figures of ours over those of the native server.
const OVER_NATIVE: Limit = Limit::AtMost(3.0);

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let mut targets = targets(bench);
    bench.load(&mut targets);
    let over_ours =
        |target: &Target| ours(target, &targets).and_then(|one| target.over(one, "cpu_us"));
    let table = Table::new(
        "server",
        &targets,
        &[
            ("CPU per request, µs: min / median / max", &|t| {
                t.range("cpu_us")
            }),
            ("times ours of the same composition", &|t| {
                range(over_ours(t))
            }),
            ("requests/s", &|t| t.median("requests_per_second")),
            ("p50, µs", &|t| t.median("p50_us")),
            ("p90, µs", &|t| t.median("p90_us")),
            ("p99, µs", &|t| t.median("p99_us")),
            ("max, µs", &|t| t.median("max_us")),
            ("peak memory, MiB", &|t| t.median("peak_mib")),
        ],
    );
    let verdicts = targets.iter().filter_map(|one| judge(one, &targets));
    let mut verdicts: Vec<_> = verdicts.collect();
    let over_native = |name, key| {
        let pair = named(&targets, name).zip(named(&targets, NATIVE));
        pair.and_then(|(ours, native)| ours.over(native, key))
    };
    for (what, figure) in [
        (
            "p99 of ours over that of native",
            over_native(OURS, "p99_us"),
        ),
        (
            "CPU of ours, fused, over that of native",
            over_native(OURS_FUSED, "cpu_us"),
        ),
    ] {
        verdicts.push(Verdict::new(what, "×", OVER_NATIVE, figure));
    }
    let about = format!(
        "Every server answers `POST /encrypt` with `{{\"message\": \"{MESSAGE}\"}}` on \
         {CONNECTIONS} connections; standard error goes to /dev/null. `CPU` is the server's time in \
         user and system mode. Without `reuse`, each request has its own instance. `fused` is the \
         same composition with its parts fused into one core module of several memories; a server \
         of it is compared with ours of it."
    );
    Ok(Report {
        verdicts,
        plot: Some(plot(&targets)),
        ..Report::new(MAIN, about, bench.turns, table, &targets)?
    })
}

fn targets(bench: &Bench) -> Vec<Target> {
    let programs = &bench.programs;
    let ours = |flags: &[&str]| Server::ours(programs, flags);
    let target = |name: &str, server| Target::new(name, server, &message());
    let mut targets = vec![
        target(OURS, ours(&[])),
        target(OURS_FUSED, ours(&[]).serving(&programs.fused)),
    ];
    for (name, count) in OURS_REUSED {
        targets.push(target(name, ours(&["--reuse", count])));
    }
    for (name, flags, _) in PEERS {
        let server = Server::wasmtime(programs, flags);
        let is_fused = name.ends_with(FUSED);
        let component = if is_fused {
            &programs.fused
        } else {
            &programs.component
        };
        targets.push(target(name, server.serving(component)));
    }
    targets.push(target(NATIVE, Server::native(programs)));
    targets
}

/// Ours with the composition of this target: only servers of the same one are compared.
fn ours<'a>(target: &Target, targets: &'a [Target]) -> Option<&'a Target> {
    let is_fused = target.name.ends_with(FUSED);
    named(targets, if is_fused { OURS_FUSED } else { OURS })
}

/// The verdict on a target, if it has a goal.
fn judge(target: &Target, targets: &[Target]) -> Option<Verdict> {
    let ours = ours(target, targets)?;
    if target.name == NATIVE {
        let what = "CPU of ours over that of native";
        return Some(Verdict::new(
            what,
            "×",
            OVER_NATIVE,
            ours.over(target, "cpu_us"),
        ));
    }
    let (name, _, times) = PEERS.iter().find(|(name, ..)| target.name == *name)?;
    let what = format!("CPU of `{name}` over that of `{}`", ours.name);
    let ratio = target.over(ours, "cpu_us");
    Some(Verdict::new(what, "×", Limit::AtLeast(*times), ratio))
}

fn plot(targets: &[Target]) -> Plot {
    let bar = |target: &Target| {
        let kind = match target.name.as_str() {
            NATIVE => Kind::Native,
            OURS_FUSED => Kind::OursFused,
            name if name.starts_with(OURS) => Kind::Ours,
            _ => Kind::Peer,
        };
        (target.name.clone(), kind, target.summary("cpu_us"))
    };
    let group = Group {
        heading: "µs, median and range of the rounds; less is better",
        bars: targets.iter().map(bar).collect(),
    };
    Plot {
        title: "Processor time per request",
        groups: vec![group],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::cpu;

    /// The verdict on a target of this name next to ours.
    fn verdict(name: &str, cpu_us: f64, ours_us: f64) -> Option<Verdict> {
        let targets = [cpu(OURS, &[ours_us]), cpu(name, &[cpu_us])];
        judge(&targets[1], &targets)
    }

    #[test]
    fn a_peer_has_the_goal_of_its_name() {
        let word = |name| verdict(name, 149.0, 10.0).unwrap().word();
        assert_eq!(word(PEER), "missed");
        assert_eq!(word(TUNED_PEER), "reached");
    }

    #[test]
    fn the_goal_of_native_limits_ours() {
        let verdict = verdict(NATIVE, 10.0, 29.0).unwrap();
        assert_eq!(verdict.word(), "reached");
        assert!(verdict.to_string().contains("2.90 ×"), "{verdict}");
    }

    #[test]
    fn ours_has_no_goal_of_its_own() {
        assert!(verdict(OURS, 29.0, 29.0).is_none());
    }

    #[test]
    fn ours_with_reuse_has_no_goal() {
        for (name, _) in OURS_REUSED {
            assert!(verdict(name, 1.0, 29.0).is_none());
        }
    }
}
