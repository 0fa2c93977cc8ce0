//! A wall around code of others that answers some inputs with a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// `wac`, a parser of WIT or wasmtime's translation met what it cannot represent.
///
/// They convert and encode types with assertions where they expect what common
/// toolchains emit. A valid component that is unusual
/// (an `own` of a resource that was never named, a value import) breaks them.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be represented ({reason})")]
pub(crate) struct Unrepresentable {
    /// What the assertion said.
    pub(crate) reason: String,
}

/// Runs `work`; a panic inside it becomes an error.
pub(crate) fn guard<T>(work: impl FnOnce() -> T) -> Result<T, Unrepresentable> {
    // Unwind safety: whatever `work` changed is dropped with it or, on an error,
    // not looked at again by any caller.
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let reason = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Unrepresentable {
            reason: reason.to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_that_says_what_the_panic_said() {
        let error = guard(|| -> u32 { panic!("expected a {}", "resource") }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it cannot be represented (expected a resource)"
        );
    }
}
