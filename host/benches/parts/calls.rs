//! One call from a guest to the host, timed in a loop.

use std::time::Instant;

use criterion::Criterion;

use crate::sandbox::Sandbox;

/// The functions of `parts.wat` that call the host, and the names of their benchmarks.
const CALLS: [(&str, &str); 4] = [
    ("clock", "call to the host (the clock)"),
    ("random", "call to the host (a random number)"),
    ("write", "call to an async host function (an empty write)"),
    ("append", "call to another thread (an audit record)"),
];

pub(crate) fn time(criterion: &mut Criterion) {
    let sandbox = Sandbox::of_parts();
    let mut group = criterion.benchmark_group("parts");
    for (function, name) in CALLS {
        group.bench_function(name, |bencher| {
            let (mut store, instance) = sandbox.instance();
            let function = instance
                .get_typed_func::<(u32,), ()>(&mut store, function)
                .expect("the guest has it");
            bencher.iter_custom(|count| {
                let count = u32::try_from(count).expect("a few seconds' worth");
                sandbox.block_on(async {
                    let begin = Instant::now();
                    let called = function.call_async(&mut store, (count,)).await;
                    called.expect("the guest does not trap");
                    begin.elapsed()
                })
            });
        });
    }
}
