//! What a greeter says.

use alloc::format;
use alloc::string::String;

/// The environment variable that holds the greeting.
const VARIABLE: &str = "GREETING";

/// The greeting where the environment names none.
const DEFAULT: &str = "hello";

/// Writes the greeting, and what was asked for, as one line of text. Where the
/// variable is set twice, the last one counts, as in a shell.
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
    fn the_greeting_is_that_of_the_environment() {
        let set = |value: &str| (VARIABLE.to_string(), value.to_string());
        assert_eq!(render(&[set("hi")], "/a"), "hi: /a\n");
        assert_eq!(render(&[set("hi"), set("ho")], "/a"), "ho: /a\n");
    }

    #[test]
    fn without_an_environment_it_says_hello() {
        assert_eq!(render(&[], "/"), "hello: /\n");
    }
}
