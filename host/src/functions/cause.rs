//! Errors as the logs have them.

use std::error::Error;

use sanitize::text;

/// The longest cause that a record has, in bytes.
const MAX_RECORDED_BYTES: usize = 4096;

/// The longest error that a log or an answer has, in bytes.
const MAX_BYTES: usize = 16 << 10;

/// An error with all its causes. The names of a component in it are foreign: they must not
/// steer a terminal or fill a log.
pub(crate) fn chain(error: &dyn Error) -> String {
    let shown = |error: &dyn Error| text(error).at_most(MAX_BYTES).to_string();
    let mut text = shown(error);
    let mut source = error.source();
    while let Some(error) = source
        && text.len() < MAX_BYTES
    {
        let cause = shown(error);
        // Some say themselves what caused them.
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
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

    #[test]
    fn a_cause_of_any_length_is_bounded() {
        let error = Failed("", io::Error::other("x".repeat(100 << 20)));
        assert!(chain(&error).len() <= 2 * MAX_BYTES);
    }
}
