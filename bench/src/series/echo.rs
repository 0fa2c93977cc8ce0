//! Bodies of 100 B to 10 MiB that stream through a guest.

use anyhow::Result;

use super::{NATIVE, OURS, servers_03};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::{Summary, range};
use crate::load::job::Job;
use crate::measure::{Bench, Target, named};
use crate::programs::guest;
use crate::report::Report;
use crate::report::table::Table;
use crate::servers::Server;

/// Size of a body, and number of connections: few where a body is larger than the kernel's buffers.
const STEPS: [(&str, usize, u32); 6] = [
    ("100 B", 100, 32),
    ("1 KiB", 1 << 10, 32),
    ("10 KiB", 10 << 10, 32),
    ("100 KiB", 100 << 10, 32),
    ("1 MiB", 1 << 20, 4),
    (LARGEST, 10 << 20, 4),
];
const LARGEST: &str = "10 MiB";

/// Goal for the throughput of ours over that of native, with the largest body.
const OF_NATIVE: f64 = 0.5;

/// The figure that is compared.
const FLOW: &str = "mib_per_second";

pub(super) fn run(bench: &Bench) -> Result<Report> {
    let programs = &bench.programs;
    let echo_03 = guest("echo_03")?;
    let mut servers = vec![(OURS, Server::ours(programs, &[]).serving(&guest("echo")?))];
    servers.extend(servers_03(programs, &[], &[]).map(|(name, one)| (name, one.serving(&echo_03))));
    servers.push((NATIVE, Server::native(programs)));
    let mut targets = Vec::new();
    for (size, bytes, connections) in STEPS {
        for (name, server) in &servers {
            let name = format!("{size}, {name}");
            let target = Target::new(name, server.clone(), &Job::echo(bytes));
            targets.push(target.on(connections));
        }
    }
    bench.load(&mut targets);

    let ratio = |target: &Target| match target.name.split_once(", ") {
        Some((_, NATIVE)) => String::new(),
        _ => range(over_native(target, &targets)),
    };
    let table = Table::new(
        "body, server",
        &targets,
        &[
            ("connections", &|t| t.connections.to_string()),
            ("MiB/s each way: min / median / max", &|t| t.range(FLOW)),
            ("over native", &ratio),
            ("CPU per request, µs", &|t| t.median("cpu_us")),
            ("peak memory, MiB", &|t| t.median("peak_mib")),
            ("load generator busy, %", &|t| {
                t.median("generator_busy_percent")
            }),
        ],
    );
    let about = "A guest echoes the body of each request while it arrives; native does so within \
                 hyper. The bytes stay in the host: a guest for WASI 0.2 splices the streams, and one \
                 for 0.3 responds with the stream of the request. With 0.3, `wasmtime serve` sends \
                 up to 128 requests to an instance, 16 at a time, unless it is `fresh`. `wrk` with \
                 one thread per two processors is the load generator: where it is busy for more than \
                 90 % of the time, it may limit the throughput; there, compare the processor time.";
    let what = format!("throughput of ours over that of native with {LARGEST}");
    let goal = Limit::AtLeast(OF_NATIVE);
    let largest = named(&targets, &format!("{LARGEST}, {OURS}"));
    let ratio = largest.and_then(|ours| over_native(ours, &targets));
    Ok(Report {
        verdicts: vec![Verdict::new(what, "×", goal, ratio)],
        ..Report::new("echo", about, bench.turns, table, &targets)?
    })
}

/// The throughput of a guest over that of native with bodies of the same size.
fn over_native(target: &Target, targets: &[Target]) -> Option<Summary> {
    let (size, server) = target.name.split_once(", ")?;
    let native = named(targets, &format!("{size}, {NATIVE}"))?;
    (server != NATIVE).then(|| target.over(native, FLOW))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::tests::target;
    use crate::series::OURS_03;

    #[test]
    fn a_guest_is_compared_with_native_on_bodies_of_the_same_size() {
        let targets = [
            ("1 KiB", OURS_03, 30.0),
            ("1 KiB", NATIVE, 60.0),
            ("1 MiB", NATIVE, 90.0),
        ]
        .map(|(size, server, flow)| target(&format!("{size}, {server}"), &[(FLOW, &[flow])]));
        let ratio = over_native(&targets[0], &targets).unwrap();
        assert!((ratio.median - 0.5).abs() < 1e-9, "{ratio:?}");
        assert_eq!(over_native(&targets[1], &targets), None);
    }
}
