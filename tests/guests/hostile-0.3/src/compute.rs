//! Processor time and memory.

use core::arch::wasm32::{memory_grow, memory_size};
use core::hint::black_box;

use wit_bindgen::{yield_async, yield_blocking};

use crate::bindings::wasi::cli0_3_0::exit;
use crate::bindings::wasi::http0_3_0::types::Fields;
use crate::{Answer, Call, good, hold, trap};

const PAGE_BYTES: usize = 64 << 10;

pub(crate) async fn respond(call: Call) -> Result<Answer, Call> {
    Ok(match &*call.name {
        "spin" => spin(),
        "spin-with-calls" => loop {
            drop(Fields::new());
        },
        "spin-after-yield" => {
            yield_async().await;
            spin()
        }
        // Tasks that always have something to do.
        "yield-for-ever" => loop {
            yield_async().await;
        },
        "yield-blocking-for-ever" => loop {
            yield_blocking();
        },
        "recurse" => {
            black_box(recurse(1));
            good()
        }
        "trap" => trap(),
        "trap-after-yield" => {
            yield_async().await;
            trap()
        }
        "exit-ok" => {
            exit::exit(Ok(()));
            good()
        }
        "exit-error" => {
            exit::exit(Err(()));
            good()
        }
        "read-outside" => {
            read_outside();
            good()
        }
        "grow-and-touch" => {
            grow_and_touch();
            good()
        }
        "hold-memory" => {
            grow_and_touch();
            hold().await;
            good()
        }
        "grow-for-ever" => loop {
            black_box(memory_grow(0, 1));
        },
        "grow-too-much" => {
            if memory_grow(0, PAGE_BYTES - memory_size(0)) == usize::MAX {
                good()
            } else {
                trap()
            }
        }
        _ => return Err(call),
    })
}

/// Computes for ever.
pub(crate) fn spin() -> ! {
    loop {
        black_box(());
    }
}

/// Computes for some milliseconds.
pub(crate) fn compute() {
    let mut number = 1_u64;
    for _ in 0..5_000_000 {
        number = black_box(
            number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1),
        );
    }
}

/// Uses all of the stack.
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if black_box(true) {
        recurse(depth + 1) + frame[0]
    } else {
        0
    }
}

#[allow(unsafe_code, reason = "it traps")]
fn read_outside() {
    let end = core::ptr::without_provenance::<u8>(memory_size(0) * PAGE_BYTES);
    // SAFETY: beyond the memory, so that this is a trap and reads nothing.
    black_box(unsafe { end.read_volatile() });
}

/// Takes all memory that it gets, and writes to each page.
#[allow(unsafe_code, reason = "no other code knows the new pages")]
fn grow_and_touch() {
    loop {
        let page = memory_grow(0, 1);
        if page == usize::MAX {
            return;
        }
        let start = core::ptr::without_provenance_mut::<u8>(page * PAGE_BYTES);
        for offset in (0..PAGE_BYTES).step_by(4 << 10) {
            // SAFETY: the page exists, and no allocation is in it.
            unsafe { start.add(offset).write_volatile(1) };
        }
    }
}
