//! The output of a program, collected while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::DEADLINE;

/// The standard output or the standard error of a program.
#[derive(Debug)]
pub struct Output {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    text: String,
    has_ended: bool,
    /// Whether the next line stays in the pipe.
    is_paused: bool,
}

impl Output {
    /// Collects `source` to its end, on a thread of its own.
    pub fn collect(source: impl Read + Send + 'static) -> Self {
        Self::collect_from(source, false)
    }

    /// Like [`collect`](Self::collect), but reads nothing before [`resume`](Self::resume).
    pub fn collect_later(source: impl Read + Send + 'static) -> Self {
        Self::collect_from(source, true)
    }

    fn collect_from(source: impl Read + Send + 'static, is_paused: bool) -> Self {
        let shared = Arc::new(Shared::default());
        shared.lock().is_paused = is_paused;
        let collector = shared.clone();
        thread::spawn(move || {
            let mut state = collector.lock();
            while state.is_paused {
                state = collector
                    .changed
                    .wait(state)
                    .expect("no thread panics with the lock");
            }
            drop(state);
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            // An error counts as the end.
            while source
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                collector.lock().text += &String::from_utf8_lossy(&line);
                collector.changed.notify_all();
                line.clear();
            }
            collector.lock().has_ended = true;
            collector.changed.notify_all();
        });
        Self { shared }
    }

    /// Starts to read.
    pub fn resume(&self) {
        self.shared.lock().is_paused = false;
        self.shared.changed.notify_all();
    }

    /// Whether reading has not started.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.shared.lock().is_paused
    }

    /// The output so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.shared.lock().text.clone()
    }

    /// Waits for the first log entry that has all of `parts`, and returns it.
    /// An entry may have several lines.
    #[must_use]
    pub fn wait_for_entry(&self, parts: &[&str]) -> String {
        self.wait_until(&format!("an entry with {parts:?}"), |state| {
            state.first_entry(parts)
        })
    }

    /// Like [`wait_for_entry`](Self::wait_for_entry), with another deadline; none if the program
    /// ends without such an entry.
    #[must_use]
    pub fn wait_for_entry_or_end(&self, parts: &[&str], limit: Duration) -> Option<String> {
        self.wait_within(limit, &format!("an entry with {parts:?}"), |state| {
            let entry = state.first_entry(parts);
            (entry.is_some() || state.has_ended).then_some(entry)
        })
    }

    /// Waits for `count` lines with `part`, and returns them; none if the program ends before.
    /// `limit` is the deadline.
    #[must_use]
    pub fn wait_for_lines_or_end(
        &self,
        part: &str,
        count: usize,
        limit: Duration,
    ) -> Option<Vec<String>> {
        self.wait_within(limit, &format!("{count} lines with `{part}`"), |state| {
            let lines = state.text.lines().filter(|line| line.contains(part));
            let lines: Vec<_> = lines.map(ToOwned::to_owned).collect();
            let found = (lines.len() >= count).then_some(lines);
            (found.is_some() || state.has_ended).then_some(found)
        })
    }

    /// Waits until `part` was printed at least `count` times, and returns the output so far.
    #[must_use]
    pub fn wait_for_matches(&self, part: &str, count: usize) -> String {
        self.wait_until(&format!("`{part}`, {count} times"), |state| {
            let found = state.text.matches(part).count();
            (found >= count).then(|| state.text.clone())
        })
    }

    /// Waits until the program has closed this output, as it does when it ends. Returns all of it.
    #[must_use]
    pub fn wait_for_end(&self) -> String {
        self.wait_for_end_within(DEADLINE)
    }

    /// Like [`wait_for_end`](Self::wait_for_end), with another deadline.
    #[must_use]
    pub fn wait_for_end_within(&self, limit: Duration) -> String {
        self.wait_within(limit, "the end", |state| {
            state.has_ended.then(|| state.text.clone())
        })
    }

    fn wait_until<T>(&self, what: &str, find: impl Fn(&State) -> Option<T>) -> T {
        self.wait_within(DEADLINE, what, find)
    }

    fn wait_within<T>(&self, limit: Duration, what: &str, find: impl Fn(&State) -> Option<T>) -> T {
        let start = Instant::now();
        let mut state = self.shared.lock();
        loop {
            if let Some(found) = find(&state) {
                return found;
            }
            let left = limit.saturating_sub(start.elapsed());
            if state.has_ended || left.is_zero() {
                let text = state.text.clone();
                // Unlocked, so that the collector continues after this panic.
                drop(state);
                panic!("timed out waiting for {what}; the output was:\n{text}");
            }
            let (next, _) = self
                .shared
                .changed
                .wait_timeout(state, left)
                .expect("the collector does not panic");
            state = next;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with the lock")
    }
}

impl State {
    fn first_entry(&self, parts: &[&str]) -> Option<String> {
        let has_all = |entry: &String| parts.iter().all(|part| entry.contains(part));
        entries(&self.text).into_iter().find(has_all)
    }
}

/// Splits a log: an entry starts with a time or is a line of JSON; other lines continue the
/// previous entry.
fn entries(text: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in text.lines() {
        let begins = line.starts_with("20") || line.starts_with('{');
        match entries.last_mut() {
            Some(entry) if !begins => {
                entry.push('\n');
                entry.push_str(line);
            }
            _ => entries.push(line.to_owned()),
        }
    }
    entries
}
