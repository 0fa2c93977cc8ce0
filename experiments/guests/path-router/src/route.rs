//! The handler of a path.

/// One of the two handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// The handler of `/a` and all paths below it.
    A,
    /// The handler of `/b` and all paths below it.
    B,
}

impl Route {
    /// The handler of `path`, if it has one. Paths are compared without normalization: `%61` is
    /// not `a`, and `..` is an ordinary segment.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let below = path.strip_prefix('/')?;
        match below.split('/').next()? {
            "a" => Some(Self::A),
            "b" => Some(Self::B),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_segment_selects_the_handler() {
        for path in ["/a", "/a/", "/a/b", "/a//"] {
            assert_eq!(Route::of(path), Some(Route::A), "{path}");
        }
        for path in ["/b", "/b/", "/b/a"] {
            assert_eq!(Route::of(path), Some(Route::B), "{path}");
        }
    }

    #[test]
    fn other_paths_have_no_handler() {
        for path in ["", "/", "a", "//a", "/ab", "/A", "/c/a", "/%61", "*"] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }
}
