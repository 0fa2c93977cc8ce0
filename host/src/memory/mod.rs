//! The limit on the memory of this process, and the memory of its guests.
//!
//! - this file: [`MemoryLimit`], which says how much guests may have at the moment.
//! - `guests.rs`: [`FunctionMemory`], the account of one function, and [`Hold`], that of one
//!   instance.
//! - `usage.rs`: what the system says of this process and its control groups.
//! - `system.rs`: how much there is.
//!
//! A page of a guest counts from the moment at which the guest may write to it, and not
//! only when it has done so. So no two readings of the system's figures lie so far apart
//! that many guests could write to more than there is in between. What else the process
//! has, which is measured ten times a second, is taken off the limit; the rest is for
//! guests.

mod guests;
mod system;
mod usage;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub(crate) use guests::Claim;
pub use guests::{FunctionMemory, Hold, INSTANCE_BYTES};
use usage::Gauge;
pub(crate) use usage::resident_bytes;

/// How often the memory of the process is measured.
const TICK: Duration = Duration::from_millis(100);

/// How many measurements in a row have to find too little for a single instance until
/// requests are rejected at once. Before that they wait.
const EXCEEDED_TICKS: u32 = 10;

/// How often the log says at most that memory is refused.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The limit on the memory of this process.
///
/// What counts is what the process alone holds: anonymous memory, and the images of the
/// memories of components, each once. Where a control group has a limit, what the group
/// has without pages of files counts as well, against that limit. On other systems than
/// Linux only the memory of guests counts.
pub struct MemoryLimit {
    limit_bytes: u64,
    /// What the process alone holds.
    used_bytes: AtomicU64,
    /// What guests may have together: the limit less what else the process has.
    for_guests: AtomicU64,
    /// What they have.
    held: AtomicU64,
    is_exceeded: AtomicBool,
    refused: Refused,
    waiting: AtomicUsize,
    /// What requests wait for to functions that have nothing.
    reserved: AtomicU64,
    /// Memory was given back.
    freed: Notify,
    /// A request began to wait.
    wanted: Notify,
}

/// What was refused for lack of memory, since the start.
#[derive(Debug, Default)]
struct Refused {
    requests: AtomicU64,
    growths: AtomicU64,
}

impl MemoryLimit {
    /// A limit of so many bytes, or of four fifths of what the system, or a control group
    /// that this process is in, has. It is measured until it is dropped.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    pub fn start(limit_bytes: Option<usize>) -> io::Result<Arc<Self>> {
        let mut watch = Watch::new(limit_bytes.map(|bytes| bytes as u64));
        let limit = Arc::new(Self::new(watch.limit_bytes));
        limit.measure(&mut watch);
        // A server that has too much when it starts need not wait to know it.
        let is_exceeded = limit.for_guests.load(Ordering::Relaxed) < INSTANCE_BYTES;
        limit.is_exceeded.store(is_exceeded, Ordering::Relaxed);
        let weak = Arc::downgrade(&limit);
        thread::Builder::new()
            .name("memory".to_owned())
            .spawn(move || watch.run(&weak))?;
        Ok(limit)
    }

    /// A limit of so many bytes, all of which are for guests until it is measured.
    fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes,
            used_bytes: AtomicU64::new(0),
            for_guests: AtomicU64::new(limit_bytes),
            held: AtomicU64::new(0),
            is_exceeded: AtomicBool::new(false),
            refused: Refused::default(),
            waiting: AtomicUsize::new(0),
            reserved: AtomicU64::new(0),
            freed: Notify::new(),
            wanted: Notify::new(),
        }
    }

    /// A limit of so many bytes, all of which are for guests.
    #[cfg(test)]
    pub(crate) fn of_guests(bytes: u64) -> Arc<Self> {
        Arc::new(Self::new(bytes))
    }

    /// The limit in bytes.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// What the process alone held at the last measurement, in bytes.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// What guests may have together at the moment, in bytes.
    #[must_use]
    pub fn for_guests_bytes(&self) -> u64 {
        self.for_guests.load(Ordering::Relaxed)
    }

    /// What guests have, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether not a single instance has had room for a second: requests do not wait then.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.is_exceeded.load(Ordering::Relaxed)
    }

    /// How often the memory of a guest was not allowed to grow because of this limit.
    #[must_use]
    pub fn refused_growths(&self) -> u64 {
        self.refused.growths.load(Ordering::Relaxed)
    }

    /// How many requests were rejected because of this limit.
    #[must_use]
    pub fn refused_requests(&self) -> u64 {
        self.refused.requests.load(Ordering::Relaxed)
    }

    /// Counts a request that was rejected because of this limit.
    pub(crate) fn refuse_request(&self) {
        self.refused.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a request waits for memory: what is not needed is better given back.
    pub(crate) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits until a request waits for memory.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Measures what the process has, and how much of the limit that leaves for guests.
    fn measure(&self, watch: &mut Watch) {
        let before = self.held_bytes();
        let readings: Vec<_> = watch.gauges.iter_mut().map(Gauge::read).collect();
        // An instance may have begun or ended while this was read.
        let held = self.held_bytes().max(before);
        let left = watch
            .gauges
            .iter_mut()
            .zip(&readings)
            .map(|(gauge, used)| gauge.left_for_guests(*used, held));
        let left = left.min().unwrap_or(self.limit_bytes);
        self.for_guests.store(left, Ordering::Relaxed);
        let used = readings.first().copied().flatten().unwrap_or_default();
        self.used_bytes.store(used, Ordering::Relaxed);
        watch.exceeded_ticks = if left < INSTANCE_BYTES {
            watch.exceeded_ticks.saturating_add(1)
        } else {
            0
        };
        let was_exceeded = self.is_exceeded();
        let is_exceeded =
            watch.exceeded_ticks >= EXCEEDED_TICKS || (was_exceeded && watch.exceeded_ticks > 0);
        self.is_exceeded.store(is_exceeded, Ordering::Relaxed);
        if self.is_wanted() {
            self.freed.notify_waiters();
        }
    }
}

impl fmt::Debug for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLimit")
            .field("limit_bytes", &self.limit_bytes)
            .field("used_bytes", &self.used_bytes())
            .field("held_bytes", &self.held_bytes())
            .finish_non_exhaustive()
    }
}

/// Measures the memory of the process, and logs what was refused.
struct Watch {
    limit_bytes: u64,
    /// Of the process, and of its control groups.
    gauges: Vec<Gauge>,
    exceeded_ticks: u32,
    /// When the log said last what was refused, and what had been refused until then.
    reported: Option<Instant>,
    requests: u64,
    growths: u64,
}

impl Watch {
    fn new(given: Option<u64>) -> Self {
        let root = Path::new("/");
        let available = system::available(root);
        let limit_bytes = given.or_else(|| Some(available? / 5 * 4));
        let limit_bytes = limit_bytes.unwrap_or(u64::MAX);
        let process = Gauge::of_process(limit_bytes);
        let groups = system::groups(root).into_iter().map(|group| {
            // Who names a limit may come closer to that of the group.
            let share = if given.is_some() { 19 } else { 16 };
            let limit = group.limit_bytes / 20 * share;
            Gauge::of_group(&group, limit)
        });
        Self {
            limit_bytes,
            gauges: process.into_iter().chain(groups.flatten()).collect(),
            exceeded_ticks: 0,
            reported: None,
            requests: 0,
            growths: 0,
        }
    }

    fn run(mut self, limit: &Weak<MemoryLimit>) {
        loop {
            thread::sleep(TICK);
            let Some(limit) = limit.upgrade() else { return };
            limit.measure(&mut self);
            self.report(&limit);
        }
    }

    /// Logs what was refused since the last time, at most once in [`REPORT_INTERVAL`].
    fn report(&mut self, limit: &MemoryLimit) {
        let requests = limit.refused_requests() - self.requests;
        let growths = limit.refused_growths() - self.growths;
        let is_recent = self
            .reported
            .is_some_and(|reported| reported.elapsed() < REPORT_INTERVAL);
        if requests + growths == 0 || is_recent {
            return;
        }
        self.reported = Some(Instant::now());
        (self.requests, self.growths) = (limit.refused_requests(), limit.refused_growths());
        tracing::warn!(
            requests,
            growths,
            limit = limit.limit_bytes,
            used = limit.used_bytes(),
            guests = limit.held_bytes(),
            for_guests = limit.for_guests_bytes(),
            "refused for lack of memory: requests, and growths of the memories of guests; the \
             limit is `--max-total-memory`"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_limit_below_what_the_process_has_is_exceeded_at_once() {
        assert!(MemoryLimit::start(Some(1)).unwrap().is_exceeded());
        assert!(!MemoryLimit::start(Some(1 << 40)).unwrap().is_exceeded());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_process_has_beside_its_guests_is_not_for_guests() {
        let limit = MemoryLimit::start(Some(1 << 40)).unwrap();
        let used = limit.used_bytes();
        assert!(used > 100 << 10, "{used}");
        assert_eq!(limit.for_guests_bytes(), (1 << 40) - used);
    }

    fn watch(readings: Vec<Option<u64>>) -> Watch {
        Watch {
            limit_bytes: 100 << 20,
            gauges: vec![Gauge::of_readings(100 << 20, readings)],
            exceeded_ticks: 0,
            reported: None,
            requests: 0,
            growths: 0,
        }
    }

    #[test]
    fn a_limit_is_exceeded_after_a_second_and_no_more_once_there_is_room() {
        let over = Some(200 << 20);
        let mut readings = vec![over; EXCEEDED_TICKS as usize];
        readings.push(Some(10 << 20));
        let mut watch = watch(readings);
        let limit = MemoryLimit::new(watch.limit_bytes);
        for _ in 1..EXCEEDED_TICKS {
            limit.measure(&mut watch);
            assert!(!limit.is_exceeded());
        }
        limit.measure(&mut watch);
        assert!(limit.is_exceeded());
        limit.measure(&mut watch);
        assert!(!limit.is_exceeded());
    }
}
