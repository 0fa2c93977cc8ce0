//! A whole request: in memory, then through the server on a persistent connection. The difference
//! is the cost of HTTP and the system.

use criterion::Criterion;

use crate::sandbox::{self, Sandbox};
use crate::service::{self, ANSWER, Client, InProcess};

pub(crate) fn time(criterion: &mut Criterion) {
    for name in ["app", "app-closed", "app-fused", "app-0.3"] {
        let mut group = criterion.benchmark_group(name);
        let sandbox = Sandbox::of_component(name);
        group.bench_function("request in memory", |bencher| {
            bencher.iter(|| {
                let (_, body) = sandbox.answer(sandbox.ready(sandbox::encrypt()));
                assert_eq!(body, ANSWER);
            });
        });
        let server = InProcess::serve(&service::component(name));
        let mut client = Client::connect(server.addr);
        group.bench_function("request over loopback", |bencher| {
            bencher.iter(|| client.send(1));
        });
    }
}
