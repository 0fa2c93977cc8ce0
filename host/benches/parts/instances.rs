//! Creation of a store and an instance, and dropping both after a request.

use criterion::{BatchSize, Criterion};

use crate::sandbox::{self, Sandbox};

pub(crate) fn time(criterion: &mut Criterion) {
    for name in ["app", "app-closed", "app-fused", "app-0.3"] {
        let sandbox = Sandbox::of_component(name);
        let mut group = criterion.benchmark_group(name);
        group.bench_function("store, made and dropped", |bencher| {
            bencher.iter(|| sandbox.store());
        });
        group.bench_function("store and instance", |bencher| {
            bencher.iter_batched(|| (), |()| sandbox.handler(), BatchSize::PerIteration);
        });
        group.bench_function("drop after a request", |bencher| {
            bencher.iter_batched(
                || sandbox.answer(sandbox.ready(sandbox::encrypt())).0,
                drop,
                BatchSize::PerIteration,
            );
        });
    }
}
