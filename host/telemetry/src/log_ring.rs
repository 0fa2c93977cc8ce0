//! The last lines that a function printed, for those who ask for them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// How many bytes of lines are kept of one function.
const MAX_BYTES: usize = 64 << 10;

/// The last lines of one function, each with its number.
#[derive(Debug, Default)]
pub struct LogRing(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    bytes: usize,
    /// The number of the line that comes next.
    next: u64,
}

impl LogRing {
    /// Adds a line, and the time before it.
    pub fn push(&self, text: impl fmt::Display) {
        let line = format!("{:.3} {text}", Timestamp::now());
        let mut lines = self.lock();
        lines.bytes += line.len();
        lines.kept.push_back(line);
        lines.next += 1;
        while lines.bytes > MAX_BYTES {
            let Some(oldest) = lines.kept.pop_front() else {
                break;
            };
            lines.bytes -= oldest.len();
        }
    }

    /// The lines from this number on, as far as they are kept, and the number of the next.
    pub fn lines_from(&self, number: u64) -> (Vec<String>, u64) {
        let lines = self.lock();
        let oldest = lines.next - lines.kept.len() as u64;
        let skipped = usize::try_from(number.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let kept = lines.kept.iter().skip(skipped).cloned().collect();
        (kept, lines.next)
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_have_numbers() {
        let ring = LogRing::default();
        assert_eq!(ring.lines_from(0), (Vec::new(), 0));
        for number in 0..3 {
            ring.push(format_args!("line {number}"));
        }
        let (lines, next) = ring.lines_from(1);
        assert_eq!((lines.len(), next), (2, 3));
        assert!(lines[0].ends_with(" line 1"), "{lines:?}");
        assert_eq!(ring.lines_from(3), (Vec::new(), 3));
        assert_eq!(ring.lines_from(u64::MAX).0.len(), 0);

        let long = "x".repeat(MAX_BYTES / 2);
        for _ in 0..4 {
            ring.push(&long);
        }
        let (lines, next) = ring.lines_from(0);
        assert_eq!((lines.len(), next), (1, 7));
    }
}
