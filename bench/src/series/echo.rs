//! Bodies of 100 B to 10 MiB that stream through a guest.

use anyhow::Result;

use super::{NATIVE, OURS};
use crate::figures::goals::{Limit, Verdict};
use crate::figures::stats::range;
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
    let ours = Server::ours(&bench.programs, &[]).serving(&guest("echo")?);
    let native = Server::native(&bench.programs);
    let mut targets = Vec::new();
    for (size, bytes, connections) in STEPS {
        for (name, server) in [(OURS, &ours), (NATIVE, &native)] {
            let name = format!("{size}, {name}");
            let target = Target::new(name, server.clone(), &Job::echo(bytes));
            targets.push(target.on(connections));
        }
    }
    bench.load(&mut targets);

    let over_native = |size: &str| {
        let [ours, native] = [OURS, NATIVE].map(|name| named(&targets, &format!("{size}, {name}")));
        ours.zip(native)
            .and_then(|(ours, native)| ours.over(native, FLOW))
    };
    let ratio = |target: &Target| match target.name.split_once(", ") {
        Some((size, OURS)) => range(over_native(size)),
        _ => String::new(),
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
                 hyper. `wrk` with one thread per two processors is the load generator: where it is \
                 busy for more than 90 % of the time, it may limit the throughput; there, compare \
                 the processor time.";
    let what = format!("throughput of ours over that of native with {LARGEST}");
    let goal = Limit::AtLeast(OF_NATIVE);
    Ok(Report {
        verdicts: vec![Verdict::new(what, "×", goal, over_native(LARGEST))],
        ..Report::new("echo", about, bench.turns, table, &targets)?
    })
}
