//! How long each part of a request takes, with the engine and the stores of the
//! server. `make microbench` runs them all.
//!
//! - [`instances`]: a store, an instance in it, and dropping both.
//! - [`calls`]: one call from a guest to the host.
//! - [`bodies`]: bytes on their way into a guest, and out of it.
//! - [`requests`]: a whole request, without sockets and with them.
//! - [`routes`]: to which function it belongs.
//! - [`sandbox`]: what they share; the guest that has nothing to do but what is
//!   timed is `parts.wat`.

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
    // Guests write to standard error, so the reason of a failure goes elsewhere.
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
