//! Heap allocations of the worker thread.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

use mimalloc::MiMalloc;
use nix::unistd;

use crate::figures::{self, Figures};
use crate::service::{self, Client, InProcess, Quiet};
use crate::{COUNTED, WARM_UP, threads};

/// The allocator of the program with a counter.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The thread whose allocations are counted, or 0.
static COUNTED_THREAD: AtomicI32 = AtomicI32::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The id of this thread, or 0 before the first query.
    static THREAD: Cell<i32> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    let counted = COUNTED_THREAD.load(Relaxed);
    if counted == 0 {
        return;
    }
    if THREAD.get() == 0 {
        THREAD.set(unistd::gettid().as_raw());
    }
    if THREAD.get() == counted {
        ALLOCATIONS.fetch_add(1, Relaxed);
        BYTES.fetch_add(bytes as u64, Relaxed);
    }
}

#[expect(
    unsafe_code,
    reason = "the trait is unsafe; every call is forwarded unchanged"
)]
// SAFETY: `MiMalloc` owns all memory. Counting uses only atomics and a cell that needs neither an
// allocation nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { MiMalloc.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { MiMalloc.dealloc(memory, layout) }
    }
}

/// Serves `component` on one worker and counts its allocations per request.
fn measure(component: &Path) -> Figures {
    let _quiet = Quiet::new();
    let earlier = threads::named("self", "worker-0");
    let server = InProcess::serve(component);

    let mut client = Client::connect(server.addr);
    client.send(WARM_UP);
    let mut workers = threads::named("self", "worker-0");
    // The thread of a stopped server may still exist for a moment.
    workers.retain(|thread| !earlier.contains(thread));
    let [worker] = workers[..] else {
        panic!("expected one worker, found {workers:?}");
    };
    let before = (ALLOCATIONS.load(Relaxed), BYTES.load(Relaxed));
    COUNTED_THREAD.store(worker, Relaxed);
    client.send(COUNTED);
    COUNTED_THREAD.store(0, Relaxed);
    let after = (ALLOCATIONS.load(Relaxed), BYTES.load(Relaxed));

    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let per_request = |count: u64| count as f64 / f64::from(COUNTED);
    Figures::from([
        ("allocations".to_owned(), per_request(after.0 - before.0)),
        ("bytes".to_owned(), per_request(after.1 - before.1)),
    ])
}

fn check(component: &str) {
    let _alone = crate::alone();
    if cfg!(debug_assertions) {
        return figures::say("allocations are NOT COMPARED: this is not a release build");
    }
    let measured = measure(&service::component(component));
    figures::check(component, "allocations", &measured);
}

#[test]
fn a_request_to_the_closed_app_allocates_no_more_than_committed() {
    check("app-closed");
}

#[test]
fn a_request_to_the_fused_app_allocates_no_more_than_committed() {
    check("app-fused");
}

#[test]
fn a_request_to_the_open_app_allocates_no_more_than_committed() {
    check("app");
}
