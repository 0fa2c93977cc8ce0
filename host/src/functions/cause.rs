//! Errors as the logs have them.

use std::error::Error;

/// The longest cause that a record has, in bytes.
const MAX_RECORDED_BYTES: usize = 4096;

/// An error with all its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        // Some say themselves what caused them.
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    // Names of a component are somebody else's words: they must not steer a terminal.
    text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

/// As much of a cause as a record has.
pub(super) fn cut(cause: &str) -> &str {
    &cause[..cause.floor_char_boundary(MAX_RECORDED_BYTES)]
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("it failed{0}")]
    struct Failed(&'static str, #[source] io::Error);

    #[test]
    fn a_cause_is_said_once() {
        let error = Failed("", io::Error::other("no\u{1b}[31m disk"));
        assert_eq!(chain(&error), "it failed: no\u{fffd}[31m disk");
        let error = Failed(": no disk", io::Error::other("no disk"));
        assert_eq!(chain(&error), "it failed: no disk");
    }
}
