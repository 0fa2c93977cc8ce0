//! Which path goes where.

/// One of the two handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// The handler of `/a` and everything below it.
    A,
    /// The handler of `/b` and everything below it.
    B,
}

impl Route {
    /// Where a path goes, if there is something at it. It is compared as it came:
    /// `%61` is not `a`, and `..` is a name like any other.
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
    fn a_path_goes_where_its_first_segment_says() {
        for path in ["/a", "/a/", "/a/b", "/a//"] {
            assert_eq!(Route::of(path), Some(Route::A), "{path}");
        }
        for path in ["/b", "/b/", "/b/a"] {
            assert_eq!(Route::of(path), Some(Route::B), "{path}");
        }
    }

    #[test]
    fn other_paths_go_nowhere() {
        for path in ["", "/", "a", "//a", "/ab", "/A", "/c/a", "/%61", "*"] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }
}
