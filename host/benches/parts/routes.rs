//! Routing: the function of a request, and the rest of the path for its guest.

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use functions::{Route, Routes, without_prefix};
use http::Request;
use http::header::HOST;

pub(crate) fn time(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("routes");
    for count in [1, 1000] {
        let path = |number| format!("/f{number:04}");
        find(
            &mut group,
            &format!("find one of {count} paths"),
            count,
            path,
        );
        let host = |number| format!("f{number:04}.example");
        find(
            &mut group,
            &format!("find one of {count} hosts"),
            count,
            host,
        );
    }
    let request = request("/f0500");
    group.bench_function("the rest of the path", |bencher| {
        bencher.iter(|| without_prefix(black_box(request.uri()), "/f0500"));
    });
}

/// Times the search for a function in the middle of `count` functions.
fn find(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    count: usize,
    route: impl Fn(usize) -> String,
) {
    let mut routes = Routes::default();
    for number in 0..count {
        let route: Route = route(number).parse().expect("a route");
        assert_eq!(routes.add(&route, number), None);
    }
    let wanted = count / 2;
    let request = request(&route(wanted));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let found = routes.find(black_box(&request));
            assert_eq!(found, Some(wanted));
        });
    });
}

/// A request to the function with this route.
fn request(route: &str) -> Request<()> {
    let (host, prefix) = route.split_at(route.find('/').unwrap_or(route.len()));
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    let request = Request::post(format!("{prefix}/encrypt")).header(HOST, format!("{host}:3000"));
    request.body(()).expect("a request")
}
