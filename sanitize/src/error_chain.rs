//! Errors with their causes.

use std::error::Error;

use crate::text;

/// The size limit of an error with all its causes, in bytes.
const MAX_BYTES: usize = 16 << 10;

/// `error` with all its causes, safe to print and bounded.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let shown = |error: &dyn Error| text(error).at_most(MAX_BYTES).to_string();
    let mut text = shown(error);
    let mut source = error.source();
    while let Some(error) = source
        && text.len() < MAX_BYTES
    {
        let cause = shown(error);
        // Some messages contain that of their cause.
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it failed{0}")]
    struct Failed(&'static str, #[source] io::Error);

    #[test]
    fn a_cause_is_printed_once() {
        let error = Failed("", io::Error::other("no\u{1b}[31m disk"));
        assert_eq!(error_chain(&error), "it failed: no\u{fffd}[31m disk");
        let error = Failed(": no disk", io::Error::other("no disk"));
        assert_eq!(error_chain(&error), "it failed: no disk");
    }

    #[test]
    fn an_error_of_any_length_is_bounded() {
        let error = Failed("", io::Error::other("x".repeat(100 << 20)));
        assert!(error_chain(&error).len() <= 2 * MAX_BYTES);
    }
}
