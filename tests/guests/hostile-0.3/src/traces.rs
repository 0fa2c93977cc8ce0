//! Looks for traces of other requests in everything that an instance has, and then leaves as many as
//! it can. The status of the answer says what it found: it is 200 for nothing, and otherwise 500 and
//! the sum of
//!
//! - 1: the memory has grown
//! - 2: bytes of another request anywhere in the memory
//! - 4: a static variable has changed
//! - 8: handles
//!
//! At `/look-and-trap` it traps after all of that. At `/look-and-close` it leaves no open stream,
//! which would prevent the reuse of its instance.

use core::arch::wasm32::{memory_grow, memory_size};
use core::mem;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use alloc::vec;

use crate::bindings::wasi::http0_3_0::types::Fields;
use crate::streams::{pipe, promise};
use crate::{Answer, Call, good, trap};

/// What a request leaves is this number, of which the code has only the complement.
const MARK_COMPLEMENT: u64 = !0x5d3a_91c7_e20f_846b;

static CHANGED: AtomicU32 = AtomicU32::new(7);
static PAGES: AtomicUsize = AtomicUsize::new(0);

const PAGE_BYTES: usize = 64 << 10;

pub(crate) fn respond(call: Call) -> Result<Answer, Call> {
    let (leaves_streams, traps) = match &*call.name {
        "look" => (true, false),
        "look-and-close" => (false, false),
        "look-and-trap" => (true, true),
        _ => return Err(call),
    };
    drop(call);
    let found = look();
    leave();
    if leaves_streams {
        for _ in 0..50 {
            mem::forget((pipe(), promise()));
        }
    }
    if traps {
        trap();
    }
    let response = match good() {
        Ok(response) => response,
        answer => return Ok(answer),
    };
    if found > 0 && response.set_status_code(500 + found).is_err() {
        trap();
    }
    Ok(Ok(response))
}

fn look() -> u16 {
    let mut found = 0;
    // Its own allocations of this request fit into the initial memory.
    if memory_size(0) != initial_pages() {
        found += 1;
    }
    if marks() > 0 {
        found += 2;
    }
    if CHANGED.load(Ordering::Relaxed) != 7 || PAGES.load(Ordering::Relaxed) != 0 {
        found += 4;
    }
    // Handles of resources and of streams have one table.
    let map = Fields::new();
    let (writer, reader) = pipe();
    if map.handle().max(writer.handle()) > MAX_FIRST_HANDLE {
        found += 8;
    }
    drop((map, writer, reader));
    found
}

/// Above the handles of one request, far below those that each request leaves.
const MAX_FIRST_HANDLE: u32 = 20;

/// The size of the memory that the module declares.
fn initial_pages() -> usize {
    #[allow(
        unsafe_code,
        reason = "a symbol of the linker, whose address is the value"
    )]
    unsafe extern "C" {
        static __heap_end: u8;
    }
    // The linker rounds the initial memory up to whole pages.
    (&raw const __heap_end).addr().div_ceil(PAGE_BYTES)
}

/// The number of marks in the memory.
#[allow(unsafe_code, reason = "it reads all of the memory, whatever is there")]
fn marks() -> usize {
    let mark = mark();
    let words = memory_size(0) * (PAGE_BYTES / 8);
    let is_mark = |index: &usize| {
        let word = core::ptr::without_provenance::<u64>(index * 8);
        // SAFETY: within the memory, and aligned. A local copy of the mark is one, too, so that
        // those on the stack are not counted: see `mark`.
        unsafe { word.read_volatile() == mark }
    };
    (1..words).filter(is_mark).count().saturating_sub(OWN_MARKS)
}

/// Copies of the mark that the search itself has on its stack, at most.
const OWN_MARKS: usize = 4;

fn mark() -> u64 {
    !core::hint::black_box(MARK_COMPLEMENT)
}

/// Leaves traces of every kind.
#[allow(unsafe_code, reason = "no other code knows the new page")]
fn leave() {
    let mark = mark();
    // Blocks of the heap, one of which is free again.
    mem::forget(vec![mark; 1000]);
    drop(core::hint::black_box(vec![mark; 1000]));
    core::hint::black_box([mark; 1000]);
    let page = memory_grow(0, 1);
    if page == usize::MAX {
        trap();
    }
    let start = core::ptr::without_provenance_mut::<u64>(page * PAGE_BYTES);
    for index in 0..PAGE_BYTES / 8 {
        // SAFETY: the page exists, and no allocation is in it.
        unsafe { start.add(index).write_volatile(mark) };
    }
    CHANGED.fetch_add(1, Ordering::Relaxed);
    PAGES.store(page, Ordering::Relaxed);
    for _ in 0..50 {
        mem::forget(Fields::new());
    }
}
