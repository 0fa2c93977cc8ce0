//! Names of logs.

/// Whether `text` is a valid name of a log: 1 to 64 letters, digits, `-` and `_`.
///
/// The name is part of file names and message subjects, so a log with another name was not
/// written by a server.
#[must_use]
pub fn is_node_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_name_cannot_be_a_path() {
        for text in ["web-1", "a", "A_9", &"n".repeat(64)] {
            assert!(is_node_name(text), "{text}");
        }
        let long = "n".repeat(65);
        for text in [
            "", ".", "..", "../x", "/x", "a/b", "a.b", "ä", "a b", "a\n", &long,
        ] {
            assert!(!is_node_name(text), "{text}");
        }
    }
}
