//! The text of the greeting.

use alloc::format;
use alloc::string::String;

/// The environment variable of the greeting.
const VARIABLE: &str = "GREETING";

/// The default greeting.
const DEFAULT: &str = "hello";

/// Renders greeting and path as one line of text. The last setting of a duplicate variable
/// wins, as in a shell.
pub(crate) fn render(variables: &[(String, String)], path: &str) -> String {
    let set = variables.iter().rev().find(|(name, _)| name == VARIABLE);
    let greeting = set.map_or(DEFAULT, |(_, value)| value);
    format!("{greeting}: {path}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_last_setting_of_greeting_wins() {
        let set = |value: &str| (VARIABLE.to_string(), value.to_string());
        assert_eq!(render(&[set("hi")], "/a"), "hi: /a\n");
        assert_eq!(render(&[set("hi"), set("ho")], "/a"), "ho: /a\n");
    }

    #[test]
    fn greeting_defaults_to_hello() {
        assert_eq!(render(&[], "/"), "hello: /\n");
    }
}
