//! The allocator of the program.

/// A request makes and drops many small things on one thread, which is what this
/// allocator is best at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives memory that the current thread has freed, and that the allocator keeps for later,
/// back to the system. Without this that takes up to 10 s on a thread that has nothing to do.
pub(crate) fn release_freed() {
    #[expect(unsafe_code, reason = "it is a function of C")]
    // SAFETY: any thread may call it at any time.
    unsafe {
        libmimalloc_sys::mi_collect(true);
    };
}
