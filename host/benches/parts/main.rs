//! Micro-benchmarks of the parts of a request, with the engine and the stores of the server.
//! `make microbench` runs them all.
//!
//! - [`instances`]: creation and dropping of a store and an instance.
//! - [`calls`]: one call from a guest to the host.
//! - [`bodies`]: request and response bodies.
//! - [`requests`]: a whole request, without sockets and with them.
//! - [`routes`]: the router.
//! - [`sandbox`]: shared code; `parts.wat` is a guest with the timed calls only.

mod bodies;
mod calls;
mod instances;
mod requests;
mod routes;
mod sandbox;
#[path = "../../tests/service/mod.rs"]
mod service;

use std::time::Duration;

use criterion::Criterion;

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    // Guests write to standard error, which is closed, so panics go to standard output.
    std::panic::set_hook(Box::new(|panic| println!("{panic}")));
    let quiet = service::Quiet::new();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    instances::time(&mut criterion);
    calls::time(&mut criterion);
    bodies::time(&mut criterion);
    requests::time(&mut criterion);
    routes::time(&mut criterion);
    drop(quiet);
    criterion.final_summary();
}
