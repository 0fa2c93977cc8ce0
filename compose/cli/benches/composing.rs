//! The time of composition, from bytes to bytes: the app of this project, and chains of 10 and
//! 100 middlewares, which should take linear time.
//!
//! The app is also measured as a process, including file access.
//!
//! `make build experiments` builds the parts.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use compose::{Component, LinkOptions, chain, link};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// The bytes of a built part.
fn part(path: &str) -> Vec<u8> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let path = target.join(path);
    std::fs::read(&path)
        .unwrap_or_else(|_| panic!("`{}` is not there; run `make experiments`", path.display()))
}

fn component(name: &str, bytes: &[u8]) -> Component {
    Component::new(name, bytes).expect("a component")
}

/// From the bytes of two parts to those of `app.wasm`.
fn app(criterion: &mut Criterion) {
    let adapter = part("components/http-adapter.wasm");
    let cipher = part("components/cipher.wasm");
    criterion.bench_function("link app.wasm", |bencher| {
        bencher.iter(|| {
            let root = component("http-adapter", black_box(&adapter));
            let parts = [component("cipher", &cipher)];
            let plan = link(&root, &parts, &LinkOptions::default()).expect("fits");
            plan.encode(parts.iter().chain([&root])).expect("fits")
        });
    });
}

/// The same as a process.
fn app_as_a_process(criterion: &mut Criterion) {
    let folder = tempfile::TempDir::new().expect("a folder");
    for name in ["http-adapter.wasm", "cipher.wasm"] {
        let bytes = part(&format!("components/{name}"));
        std::fs::write(folder.path().join(name), bytes).expect("can write");
    }
    criterion.bench_function("link app.wasm, as a process", |bencher| {
        bencher.iter(|| {
            let link = [
                "link",
                "http-adapter.wasm",
                "--with",
                "cipher.wasm",
                "-o",
                "app.wasm",
            ];
            let output = Command::new(env!("CARGO_BIN_EXE_component-compose"))
                .args(link)
                .current_dir(folder.path())
                .output()
                .expect("the program starts");
            assert!(output.status.success());
        });
    });
}

/// Middlewares that differ by a byte, so that each is embedded.
fn middlewares(count: u8) -> Vec<Vec<u8>> {
    let logger = part("experiments/parts/request-logger.wasm");
    // A custom section with a name of one byte and one byte of data.
    (0..count)
        .map(|number| [logger.as_slice(), &[0, 3, 1, b'n', number]].concat())
        .collect()
}

/// From the bytes of middlewares and app to those of the chain.
fn chains(criterion: &mut Criterion) {
    let app = part("components/app-closed.wasm");
    let mut group = criterion.benchmark_group("chain");
    group.sample_size(10);
    for count in [10, 100] {
        let middlewares = middlewares(count);
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_with_input(
            BenchmarkId::from_parameter(count),
            &middlewares,
            |bencher, bytes| {
                bencher.iter(|| {
                    let middlewares: Vec<Component> = (1..)
                        .zip(bytes)
                        .map(|(number, bytes)| component(&format!("logger-{number}"), bytes))
                        .collect();
                    let app = component("app", &app);
                    let plan = chain(
                        "wasi:http/incoming-handler",
                        &middlewares,
                        &app,
                        &[],
                        &LinkOptions::default(),
                    );
                    let components = middlewares.iter().chain([&app]);
                    plan.expect("fits").encode(components).expect("fits")
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, app, app_as_a_process, chains);
criterion_main!(benches);
