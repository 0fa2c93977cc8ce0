//! Panics of third-party code, turned into errors.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A panic of `wac`, a WIT parser or wasmtime's translation.
///
/// These convert and encode types with assertions where they expect the output of common
/// toolchains. A valid but unusual component (an `own` of an unnamed resource, a value
/// import) violates them.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be represented ({reason})")]
pub struct CaughtPanic {
    /// The panic message.
    pub reason: String,
}

/// Runs `work`, and returns a panic inside it as an error.
///
/// # Errors
///
/// Returns a [`CaughtPanic`] with the panic message.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, CaughtPanic> {
    // Unwind safety: what `work` changed is dropped with it or, after an error, not read by
    // any caller.
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let reason = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        CaughtPanic {
            reason: reason.to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let error = catch_panic(|| -> u32 { panic!("expected a {}", "resource") }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it cannot be represented (expected a resource)"
        );
    }
}
