//! The allocator and the panic handler of a guest, and the allocation function of the canonical
//! ABI.
#![allow(
    unsafe_code,
    reason = "an allocator is an unsafe contract, and `malloc` is foreign code"
)]

use alloc::alloc::{alloc, handle_alloc_error, realloc};
use core::alloc::{GlobalAlloc, Layout};
use core::ptr;

mod libc {
    use core::ffi::c_void;

    // The C library of the target. It also provides `memcpy` and `memcmp`, which the compiler
    // requires.
    #[link(name = "c")]
    unsafe extern "C" {
        pub(super) fn malloc(size: usize) -> *mut c_void;
        pub(super) fn realloc(pointer: *mut c_void, size: usize) -> *mut c_void;
        pub(super) fn free(pointer: *mut c_void);
        pub(super) fn aligned_alloc(align: usize, size: usize) -> *mut c_void;
    }
}

/// The alignment of blocks from `malloc` on wasm32.
const MALLOC_ALIGN: usize = 16;

/// The allocator of the C library.
///
/// It starts with the initial memory of the module. The allocator of `std` starts with a growth
/// of the memory, which costs the host a system call per request.
struct Libc;

#[global_allocator]
static ALLOCATOR: Libc = Libc;

// SAFETY: each method forwards to the C function with the same contract. A
// block from `aligned_alloc` may be given to `free` like any other. `realloc`
// keeps only `MALLOC_ALIGN`, so larger alignments take the default path, which
// allocates, copies and frees.
unsafe impl GlobalAlloc for Libc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= MALLOC_ALIGN {
            unsafe { libc::malloc(layout.size()).cast() }
        } else {
            // C requires a size that is a multiple of the alignment.
            let size = layout.pad_to_align().size();
            unsafe { libc::aligned_alloc(layout.align(), size).cast() }
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, _layout: Layout) {
        unsafe { libc::free(pointer.cast()) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if layout.align() <= MALLOC_ALIGN {
            return unsafe { libc::realloc(pointer.cast(), new_size).cast() };
        }
        // SAFETY: the caller guarantees that the new size does not overflow
        // when it is rounded up to the alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let new_pointer = unsafe { self.alloc(new_layout) };
        if !new_pointer.is_null() {
            let kept = layout.size().min(new_size);
            unsafe {
                ptr::copy_nonoverlapping(pointer, new_pointer, kept);
                self.dealloc(pointer, layout);
            }
        }
        new_pointer
    }
}

/// Allocates memory for values that the host or another component writes to this guest, as the
/// canonical ABI requires.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    old: *mut u8,
    old_size: usize,
    align: usize,
    new_size: usize,
) -> *mut u8 {
    if new_size == 0 {
        // An aligned pointer is sufficient.
        return ptr::without_provenance_mut(align);
    }
    // SAFETY: the canonical ABI passes a power of two as the alignment, and as
    // `old` and `old_size` either zeros or a block that came from here.
    unsafe {
        let layout = Layout::from_size_align_unchecked(new_size, align);
        let new = if old_size == 0 {
            alloc(layout)
        } else {
            realloc(
                old,
                Layout::from_size_align_unchecked(old_size, align),
                new_size,
            )
        };
        if new.is_null() {
            handle_alloc_error(layout);
        }
        new
    }
}

/// A guest without `std` cannot print, so a panic is a trap: the host logs the stack of the
/// guest and aborts the request.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
