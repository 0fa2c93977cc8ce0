//! The run queue of offloaded guests: fair queueing among functions by processor time.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

/// Identifies a function in the queue.
pub(crate) type Key = usize;

/// A queue with a lane for each function, first in, first out. The lane whose function has used the
/// least processor time is served next, so a guest waits for at most one slice of each other
/// function, however many guests those have.
///
/// A function that is new, or that was idle for long, starts at the virtual time of the
/// queue: it gets its share from then on, and none for the time before. A function that
/// has used more than the others keeps that debt while it is idle, until the others have
/// caught up.
pub(crate) struct FairQueue<T> {
    lanes: HashMap<Key, Lane<T>>,
    /// All lanes, by the processor time that their function has used.
    by_used: BTreeSet<(Duration, Key)>,
    /// The virtual time: the processor time of the lane that was served last.
    now: Duration,
}

struct Lane<T> {
    used: Duration,
    waiting: VecDeque<T>,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self {
            lanes: HashMap::new(),
            by_used: BTreeSet::new(),
            now: Duration::ZERO,
        }
    }
}

impl<T> FairQueue<T> {
    /// Appends an item to the lane of `function`.
    pub(crate) fn push(&mut self, function: Key, item: T) {
        self.lane(function).waiting.push_back(item);
    }

    /// Takes the next item, with its function.
    pub(crate) fn pop(&mut self) -> Option<(Key, T)> {
        while let Some(&(used, function)) = self.by_used.first() {
            let next = self.lane(function).waiting.pop_front();
            if let Some(item) = next {
                self.now = used;
                return Some((function, item));
            }
            // An idle lane without a debt.
            self.by_used.pop_first();
            self.lanes.remove(&function);
        }
        None
    }

    /// Adds to the processor time that `function` has used.
    pub(crate) fn charge(&mut self, function: Key, time: Duration) {
        let lane = self.lane(function);
        let before = lane.used;
        lane.used += time;
        let used = lane.used;
        self.by_used.remove(&(before, function));
        self.by_used.insert((used, function));
    }

    fn lane(&mut self, function: Key) -> &mut Lane<T> {
        self.lanes.entry(function).or_insert_with(|| {
            self.by_used.insert((self.now, function));
            Lane {
                used: self.now,
                waiting: VecDeque::new(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLICE: Duration = Duration::from_millis(5);

    /// Serves the queue as one thread does, and returns which functions had a slice of
    /// this length. Each guest is queued again after its slice.
    fn slices(
        queue: &mut FairQueue<&'static str>,
        count: usize,
        length: impl Fn(&str) -> Duration,
    ) -> Vec<&'static str> {
        let next = |_| {
            let (function, guest) = queue.pop().unwrap();
            queue.charge(function, length(guest));
            queue.push(function, guest);
            guest
        };
        (0..count).map(next).collect()
    }

    fn count(slices: &[&str], guest: &str) -> usize {
        slices.iter().filter(|slice| **slice == guest).count()
    }

    #[test]
    fn a_function_with_one_guest_gets_as_much_as_one_with_a_hundred() {
        let mut queue = FairQueue::default();
        for _ in 0..100 {
            queue.push(1, "many");
        }
        queue.push(2, "one");
        let slices = slices(&mut queue, 20, |_| SLICE);
        assert_eq!(count(&slices, "one"), 10, "{slices:?}");
    }

    #[test]
    fn guests_of_one_function_take_turns() {
        let mut queue = FairQueue::default();
        for guest in ["a", "b", "c"] {
            queue.push(1, guest);
        }
        let slices = slices(&mut queue, 6, |_| SLICE);
        assert_eq!(slices, ["a", "b", "c", "a", "b", "c"]);
    }

    #[test]
    fn shares_are_of_processor_time_and_not_of_slices() {
        let mut queue = FairQueue::default();
        queue.push(1, "long");
        queue.push(2, "short");
        let length = |guest: &str| if guest == "long" { SLICE * 9 } else { SLICE };
        let slices = slices(&mut queue, 100, length);
        assert_eq!(count(&slices, "long"), 10, "{slices:?}");
    }

    #[test]
    fn a_function_gets_nothing_for_the_time_in_which_it_was_idle() {
        let mut queue = FairQueue::default();
        queue.push(1, "busy");
        slices(&mut queue, 1000, |_| SLICE);
        queue.push(2, "new");
        let slices = slices(&mut queue, 100, |_| SLICE);
        assert_eq!(count(&slices, "new"), 50, "{slices:?}");
    }

    #[test]
    fn an_idle_function_keeps_its_debt_until_the_others_have_caught_up() {
        let mut queue = FairQueue::default();
        queue.push(1, "other");
        queue.push(2, "long");
        // One guest after the other, each of which keeps its thread for long.
        let mut served = Vec::new();
        for _ in 0..100 {
            let (function, guest) = queue.pop().unwrap();
            let length = if guest == "long" { SLICE * 9 } else { SLICE };
            queue.charge(function, length);
            served.push(guest);
            queue.push(function, guest);
        }
        assert_eq!(count(&served, "long"), 10, "{served:?}");
    }

    #[test]
    fn idle_functions_without_a_debt_are_forgotten() {
        let mut queue = FairQueue::default();
        for function in 0..1000 {
            queue.push(function, "guest");
            let (function, _) = queue.pop().unwrap();
            queue.charge(function, SLICE);
        }
        queue.push(1000, "last");
        for _ in 0..2 {
            let (function, guest) = queue.pop().unwrap();
            queue.charge(function, SLICE * 1001);
            queue.push(function, guest);
        }
        assert_eq!(queue.lanes.len(), 1);
        assert_eq!(queue.by_used.len(), 1);
    }
}
