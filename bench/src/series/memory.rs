//! The time from process start to the first answer, and the memory of a live instance.

use anyhow::Result;

use super::{NATIVE, OURS, OURS_03, PEER, TUNED_PEER, message, servers_03};
use crate::figures::goals::{Limit, Verdict};
use crate::load::held::Held;
use crate::machine::kernel::{PROPORTIONAL, RESIDENT, memory_mib, wait_until_idle};
use crate::measure::{self, Bench, Target, Turn, named};
use crate::plot::{Group, Kind, Plot};
use crate::report::Report;
use crate::report::table::{Column, Table};
use crate::servers::running::Running;
use crate::servers::{LARGE_POOL, Server, TUNED};

/// Numbers of requests that are held at the same time, and the headings of their columns. The
/// default pool of `wasmtime serve` has room for fewer than 100 of this component, ours for 1,000.
const STEPS: [(u16, &str); 5] = [
    (0, "0 held, MiB"),
    (50, "50 held, MiB"),
    (100, "100 held, MiB"),
    (500, "500 held, MiB"),
    (900, "900 held, MiB"),
];

/// Ours starts a guest before the body is there, as the others do: otherwise a request whose body is
/// incomplete has no instance.
const UNBUFFERED: &[&str] = &["--body-buffer", "0"];

/// Goals for the first answer of ours, in milliseconds, and for its memory at rest.
const FIRST_ANSWER_MS: f64 = 50.0;
const AT_REST_MIB: f64 = 30.0;

/// The servers in the picture. One peer is enough: the one that holds all requests.
const SHOWN: [(&str, Kind); 4] = [
    (OURS, Kind::Ours),
    (OURS_03, Kind::Ours),
    (TUNED_PEER, Kind::Peer),
    (NATIVE, Kind::Native),
];

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let programs = &bench.programs;
    let mut servers = vec![
        (OURS, Server::ours(programs, UNBUFFERED)),
        (PEER, Server::wasmtime(programs, &[])),
        (TUNED_PEER, Server::wasmtime(programs, &[TUNED, LARGE_POOL])),
        (NATIVE, Server::native(programs)),
    ];
    servers.extend(servers_03(programs, UNBUFFERED, LARGE_POOL));
    let target = |(name, server)| Target::new(name, server, &message());
    let mut targets: Vec<_> = servers.into_iter().map(target).collect();
    for target in &targets {
        // Fills the cache of compiled code, also after the server listens. A failure is reported by
        // the first turn.
        let _ = Running::start(&target.server).and_then(|running| wait_until_idle(running.id()));
    }
    measure::take(bench.turns, &mut targets, "held", |_, target| take(target));

    let cells = STEPS.map(|(_, heading)| move |target: &Target| target.median(heading));
    let mut columns: Vec<Column> = vec![("first answer, ms: min / median / max", &|t| {
        t.range("first_answer_ms")
    })];
    for ((_, heading), cell) in STEPS.iter().zip(&cells) {
        columns.push((heading, cell));
    }
    columns.push(("held at once", &|t| t.range("held")));
    columns.push(("KiB for each", &|t| t.median("kib_each")));
    columns.push(("KiB for each, PSS", &|t| t.median("kib_each_pss")));
    let table = Table::new("server", &targets, &columns);

    let bars = STEPS.iter().flat_map(|(count, heading)| {
        SHOWN.map(|(name, kind)| {
            let resident = named(&targets, name).and_then(|one| one.summary(heading));
            (format!("{count} held, {name}"), kind, resident)
        })
    });
    let group = Group {
        heading: "Resident memory, MiB",
        bars: bars.collect(),
    };
    let verdict = |what: &str, unit, limit, key| {
        Verdict::new(what, unit, Limit::AtMost(limit), targets[0].summary(key))
    };
    let about = format!(
        "The time from the start of the process to the first answer, with a cache that has the \
         compiled component. Then the resident memory of the idle server while it holds requests \
         with half of their bodies. Guests read the bodies themselves (`--body-buffer 0` of ours), \
         so each request has a live instance. The last columns are the growth up to the last step \
         without a refusal; PSS counts shared pages in proportion. {TUNED_PEER} has a larger pool \
         than its default, and so has `wasmtime serve` with the component for WASI 0.3; that one \
         holds up to 16 requests in an instance, unless it is `fresh`."
    );
    let turns = format!("{} starts", bench.turns.rounds);
    Ok(Report {
        verdicts: vec![
            verdict(
                "first answer of ours",
                "ms",
                FIRST_ANSWER_MS,
                "first_answer_ms",
            ),
            verdict("memory of ours at rest", "MiB", AT_REST_MIB, STEPS[0].1),
        ],
        plot: Some(Plot {
            title: "Memory with up to 900 requests held",
            groups: vec![group],
        }),
        ..Report::new("memory", about, turns, table, &targets)?
    })
}

/// Starts a server and makes it hold more and more requests, until it refuses some.
fn take(target: &Target) -> Result<Turn> {
    let running = Running::start(&target.server)?;
    target.job.check(running.addr)?;
    let mut turn = Turn::of([("first_answer_ms", running.age().as_secs_f64() * 1e3)]);
    let at_rest = |key| {
        wait_until_idle(running.id())?;
        memory_mib(running.id(), key)
    };
    let mut held = Held::new(running.addr, &target.job);
    let mut points = Vec::new();
    for (count, heading) in STEPS {
        held.grow_to(count.into())?;
        let taken = (at_rest(RESIDENT)?, at_rest(PROPORTIONAL)?);
        let refused = u16::try_from(held.refused()?)?;
        turn.set("held", f64::from(count - refused));
        if refused > 0 {
            break;
        }
        turn.set(heading, taken.0);
        points.push((count, taken));
    }
    turn.set("kib_each", kib_each(&points, |taken| taken.0));
    turn.set("kib_each_pss", kib_each(&points, |taken| taken.1));
    if points.len() == STEPS.len() {
        // Only if all of them answer were their instances alive.
        held.finish()?;
    }
    Ok(turn)
}

/// Growth per held request from the first point to the last one, in KiB.
fn kib_each<T>(points: &[(u16, T)], mib: impl Fn(&T) -> f64) -> Option<f64> {
    let ((from, first), (to, last)) = (points.first()?, points.last()?);
    let count = Some(to - from).filter(|&count| count > 0)?;
    Some((mib(last) - mib(first)) * 1024.0 / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_per_held_request_is_the_growth_from_none() {
        let each = |points: &[(u16, f64)]| kib_each(points, |mib| *mib);
        assert_eq!(each(&[(0, 20.0), (50, 24.0), (900, 65.0)]), Some(51.2));
        assert_eq!(each(&[(0, 20.0), (50, 25.0)]), Some(102.4));
        assert_eq!(each(&[(0, 20.0)]), None);
    }
}
