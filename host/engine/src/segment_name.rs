//! Names of segments, for messages.

use std::fmt;

use sanitize::line;

/// The parts of a segment of a function: of its middleware and its component, those that run in one
/// store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentName {
    /// Names of its middleware, the outermost first.
    middleware: Vec<String>,
    /// Whether it has the component of the function.
    has_component: bool,
}

impl SegmentName {
    pub(crate) fn new(middleware: Vec<String>, has_component: bool) -> Self {
        Self {
            middleware,
            has_component,
        }
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_component {
            f.write_str("component")?;
        }
        if self.middleware.is_empty() {
            return Ok(());
        }
        f.write_str(if self.has_component {
            " behind middleware "
        } else {
            "middleware "
        })?;
        let mut separator = "";
        for name in &self.middleware {
            write!(f, "{separator}`{}`", line(name))?;
            separator = ", ";
        }
        Ok(())
    }
}
