//! Maximum lengths of texts.

/// The first `max_bytes` of `text`, cut at a character boundary.
#[must_use]
pub fn truncate(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_kept_whole_or_not_at_all() {
        assert_eq!(truncate("aé", 3), "aé");
        assert_eq!(truncate("aé", 2), "a");
        assert_eq!(truncate("aé", 0), "");
        assert_eq!(truncate("", 5), "");
    }
}
