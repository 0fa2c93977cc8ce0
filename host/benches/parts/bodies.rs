//! Request and response bodies. The first case, without bodies, is the baseline.

use bytes::Bytes;
use criterion::{BatchSize, Criterion};
use http::Request;

use crate::sandbox::{Chunks, Sandbox};

/// Size of a body, and of the chunks that hyper usually yields.
const BODY_BYTES: usize = 64 << 10;
const CHUNK_BYTES: usize = 16 << 10;

pub(crate) fn time(criterion: &mut Criterion) {
    let sandbox = Sandbox::of_parts();
    let mut group = criterion.benchmark_group("parts");
    for (name, path, bytes_in, bytes_out) in [
        ("no body in, none out", "/", 0, 0),
        ("64 KiB in", "/", BODY_BYTES, 0),
        // The path makes the guest write 64 KiB.
        ("64 KiB out", "/out", 0, BODY_BYTES),
    ] {
        let chunk = Bytes::from_static(&[b'x'; CHUNK_BYTES]);
        let ready = || {
            let body = Chunks::new(chunk.clone(), bytes_in / CHUNK_BYTES);
            let request = Request::post(path).header("host", "localhost").body(body);
            sandbox.ready(request.expect("a request"))
        };
        let (_, body) = sandbox.answer(ready());
        assert_eq!(body.len(), bytes_out);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                ready,
                |ready| sandbox.answer(ready),
                BatchSize::PerIteration,
            );
        });
    }
}
