//! Ring buffer of the last log lines of a function, for the admin API.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// Maximum size of the retained lines of one function, in bytes.
const MAX_BYTES: usize = 64 << 10;

/// The last log lines of one function, which are numbered.
#[derive(Debug, Default)]
pub struct LogRing(Mutex<Lines>);

#[derive(Debug, Default)]
struct Lines {
    retained: VecDeque<String>,
    bytes: usize,
    /// The number of the next line.
    next: u64,
}

impl LogRing {
    /// Appends a line with its timestamp, and drops the oldest lines beyond the limit.
    pub fn push(&self, text: impl fmt::Display) {
        let line = format!("{:.3} {text}", Timestamp::now());
        let mut lines = self.lock();
        lines.bytes += line.len();
        lines.retained.push_back(line);
        lines.next += 1;
        while lines.bytes > MAX_BYTES {
            let Some(oldest) = lines.retained.pop_front() else {
                break;
            };
            lines.bytes -= oldest.len();
        }
    }

    /// The retained lines from `number` on, and the number of the next line.
    pub fn lines_from(&self, number: u64) -> (Vec<String>, u64) {
        let lines = self.lock();
        let oldest = lines.next - lines.retained.len() as u64;
        let skipped = usize::try_from(number.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let retained = lines.retained.iter().skip(skipped).cloned().collect();
        (retained, lines.next)
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_64_kib_of_lines_are_retained_and_numbered() {
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
