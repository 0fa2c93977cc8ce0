//! The allocator of the program.

/// mimalloc, which is fast for many small allocations that live and die on one thread, as those of
/// a request do.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Returns memory that the current thread has freed to the system. Without it, the allocator keeps
/// the memory of an idle thread for up to 10 s.
pub(crate) fn release_freed() {
    #[expect(unsafe_code, reason = "a C function")]
    // SAFETY: any thread may call it at any time.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    };
}
