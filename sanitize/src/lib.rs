//! Foreign text, made safe to print.
//!
//! The name of an import, the file that an auditor verifies and the output of a guest are
//! foreign text: its author may want a terminal to execute it, a reader of a log to take it
//! for several entries, or an editor to show it in another order. Whatever prints foreign
//! text prints it through this crate:
//!
//! - [`line`]: text that stays on one line, such as a name.
//! - [`text`]: text that may have line feeds, such as a backtrace.
//! - [`lines`]: the same for output where each line begins an entry: continuation lines are
//!   indented and marked.
//! - [`json`]: a value as JSON on one line, where nothing is lost.
//!
//! All but [`json`] are bounded, by [`MAX_BYTES`] where the caller names no other limit, and
//! do no more work than the limit is long.

mod character;
mod display;
mod error_chain;
pub mod json;

pub use character::is_deceptive;
pub use display::{MAX_BYTES, Sanitized, line, lines, text};
pub use error_chain::error_chain;
