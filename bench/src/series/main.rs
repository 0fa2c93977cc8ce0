//! Every server, with 32 connections and a short message.

use anyhow::Result;

use super::{
    FRESH_PEER_03, MAIN, MESSAGE, NATIVE, OURS, OURS_03, OURS_FUSED, PEER, PEER_03, TUNED_PEER,
    is_03, message, servers_03,
};
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
    (FUSED_PEER, &[SEVERAL_MEMORIES], 15.0),
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

const FUSED_PEER: &str = "wasmtime serve, fused";

/// Suffix of the names of servers of the fused composition.
const FUSED: &str = ", fused";

/// Ours with several requests per instance. The goals are for one instance per request, so they do
/// not apply to these.
const OURS_REUSED: [(&str, &str); 2] = [
    ("component-runner, reuse 128", "128"),
    ("component-runner, reuse 1000", "1000"),
];

/// A figure in words, and its key.
type Figure = (&'static str, &'static str);

const CPU: Figure = ("CPU", "cpu_us");
const P99: Figure = ("p99", "p99_us");

/// The goals for a figure of ours over that of another server: at most this ratio.
const RATIOS: [(Figure, &str, &str, f64); 6] = [
    (CPU, OURS, NATIVE, 3.0),
    (P99, OURS, NATIVE, 3.0),
    (CPU, OURS_FUSED, NATIVE, 3.0),
    (CPU, OURS_03, PEER_03, 0.9),
    (CPU, OURS_03, FRESH_PEER_03, 0.25),
    (CPU, OURS_03, OURS, 1.5),
];

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
    let about = format!(
        "Every server answers `POST /encrypt` with `{{\"message\": \"{MESSAGE}\"}}` on \
         {CONNECTIONS} connections; standard error goes to /dev/null. `CPU` is the server's time in \
         user and system mode. Without `reuse`, each request has its own instance. `fused` is the \
         same composition with its parts fused into one core module of several memories. `0.3` is \
         the same cipher behind the adapter for WASI 0.3; with it, `wasmtime serve` sends up to 128 \
         requests to an instance, 16 at a time, unless it is `fresh`. A server is compared with \
         ours of the same composition."
    );
    Ok(Report {
        verdicts: verdicts(&targets),
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
    let of_03 = servers_03(programs, &[], &[]);
    targets.extend(of_03.map(|(name, server)| target(name, server)));
    targets.push(target(NATIVE, Server::native(programs)));
    targets
}

/// Ours with the composition of this target: only servers of the same one are compared.
fn ours<'a>(target: &Target, targets: &'a [Target]) -> Option<&'a Target> {
    let name = match target.name.as_str() {
        name if is_03(name) => OURS_03,
        name if name.ends_with(FUSED) => OURS_FUSED,
        _ => OURS,
    };
    named(targets, name)
}

/// The verdicts on all pairs of servers that were measured.
fn verdicts(targets: &[Target]) -> Vec<Verdict> {
    let over_ours = PEERS.iter().filter_map(|(name, _, times)| {
        let target = named(targets, name)?;
        let ours = ours(target, targets)?;
        Some((CPU, target, ours, Limit::AtLeast(*times)))
    });
    let of_ours = RATIOS.iter().filter_map(|(figure, ours, other, times)| {
        let (ours, other) = named(targets, ours).zip(named(targets, other))?;
        Some((*figure, ours, other, Limit::AtMost(*times)))
    });
    let verdict = |((word, key), one, other, limit): (Figure, &Target, &Target, _)| {
        let what = format!("{word} of `{}` over that of `{}`", one.name, other.name);
        Verdict::new(what, "×", limit, one.over(other, key))
    };
    over_ours.chain(of_ours).map(verdict).collect()
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

    /// The verdicts on servers of these names and processor times.
    fn judge(servers: &[(&str, f64)]) -> Vec<Verdict> {
        let target = |&(name, cpu_us): &(&str, f64)| cpu(name, &[cpu_us]);
        let targets: Vec<_> = servers.iter().map(target).collect();
        verdicts(&targets)
    }

    /// Those with a figure, in words: the targets have no latencies.
    fn words(servers: &[(&str, f64)]) -> Vec<String> {
        let words = judge(servers).iter().map(Verdict::word).collect::<Vec<_>>();
        words
            .into_iter()
            .filter(|word| word != "not measured")
            .collect()
    }

    #[test]
    fn a_peer_has_the_goal_of_its_name() {
        assert_eq!(words(&[(OURS, 10.0), (PEER, 149.0)]), ["missed"]);
        assert_eq!(words(&[(OURS, 10.0), (TUNED_PEER, 149.0)]), ["reached"]);
    }

    #[test]
    fn a_peer_of_the_fused_composition_is_compared_with_ours_of_it() {
        let servers = [(OURS, 10.0), (OURS_FUSED, 5.0), (FUSED_PEER, 76.0)];
        assert_eq!(words(&servers), ["reached"]);
    }

    #[test]
    fn the_goal_of_native_limits_ours() {
        let verdicts = judge(&[(OURS, 29.0), (NATIVE, 10.0)]);
        assert_eq!(verdicts[0].word(), "reached");
        let text = verdicts[0].to_string();
        assert!(text.contains("2.90 ×"), "{text}");
    }

    #[test]
    fn ours_of_wasi_0_3_is_limited_by_ours_of_0_2_and_by_both_peers() {
        let limits = [(OURS, 10.0), (PEER_03, 16.0), (FRESH_PEER_03, 58.8)];
        let words = |ours| words(&[limits.as_slice(), &[(OURS_03, ours)]].concat());
        assert_eq!(words(14.4), ["reached"; 3]);
        assert_eq!(words(14.6), ["missed", "reached", "reached"]);
        assert_eq!(words(14.8), ["missed", "missed", "reached"]);
        assert_eq!(words(15.1), ["missed"; 3]);
    }

    #[test]
    fn ours_has_no_goal_of_its_own() {
        assert!(judge(&[(OURS, 29.0)]).is_empty());
    }

    #[test]
    fn ours_with_reuse_has_no_goal() {
        for (name, _) in OURS_REUSED {
            assert!(judge(&[(OURS, 29.0), (name, 1.0)]).is_empty());
        }
    }
}
