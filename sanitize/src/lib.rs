//! Sanitizing of untrusted text for output.
//!
//! The name of an import, the file that an auditor verifies and the output of a guest are
//! untrusted text, which may contain terminal escape sequences, forged log entries, or characters
//! that reorder the text. The functions for printing it:
//!
//! - [`line`](fn@line): text on one line, such as a name.
//! - [`text`]: text that may have line feeds, such as a backtrace.
//! - [`lines`]: text in output where each line begins an entry: continuation lines are indented
//!   and marked.
//! - [`error_chain`]: an error with its causes.
//! - [`json`]: a value as JSON on one line, lossless.
//! - [`truncate`]: the first bytes of a text, unchanged.
//!
//! All except [`json`] are bounded, by default to [`MAX_BYTES`], and do not format text beyond the
//! bound.

mod character;
mod display;
mod error_chain;
pub mod json;
mod truncate;

pub use character::is_deceptive;
pub use display::{MAX_BYTES, Sanitized, line, lines, text};
pub use error_chain::error_chain;
pub use truncate::truncate;
