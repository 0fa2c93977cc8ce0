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
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub use guests::{Claim, FunctionMemory, Hold, INSTANCE_BYTES};
use usage::Gauge;
pub use usage::resident_bytes;

/// The memory that further processes can get: of the machine, and of the control groups that this
/// process is in. None where the system does not say it.
#[must_use]
pub fn unused_bytes() -> Option<u64> {
    let root = Path::new("/");
    let groups = system::groups(root).into_iter().filter_map(|group| {
        let used = Gauge::of_group(&group, group.limit_bytes)?.read()?;
        Some(group.limit_bytes.saturating_sub(used))
    });
    groups.chain(system::machine_unused(root)).min()
}

/// How often the memory of the process is measured.
const TICK: Duration = Duration::from_millis(100);

/// How often it is measured at most beside that, before memory is refused.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// How many measurements in a row have to find too little for a single instance until
/// requests are rejected at once. Before that they wait.
const EXCEEDED_TICKS: u32 = 10;

/// How often the log says at most that memory is refused.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Why a guest got less memory than it requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLack {
    /// The request was above the limits of the guest.
    Limit,
    /// The server had no more, through no fault of the guest.
    Server,
}

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
    /// Lets the allocator give back what the current thread has freed.
    release_freed: fn(),
    gauges: Mutex<Gauges>,
}

/// What the limit is compared with.
#[derive(Debug, Default)]
struct Gauges {
    /// Of the process, and of its control groups.
    all: Vec<Gauge>,
    /// When they were read last because memory was refused.
    checked: Option<Instant>,
}

/// What was refused for lack of memory, since the start.
#[derive(Debug, Default)]
struct Refused {
    requests: AtomicU64,
    growths: AtomicU64,
}

impl MemoryLimit {
    /// A limit of so many bytes, or of four fifths of what the system, or a control group
    /// that this process is in, has. It is measured until it is dropped. While requests wait
    /// for memory, each worker calls `release_freed`, by which the allocator gives what it
    /// keeps for later back to the system.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    pub fn start(limit_bytes: Option<usize>, release_freed: fn()) -> io::Result<Arc<Self>> {
        let (limit_bytes, gauges) = gauges(limit_bytes.map(|bytes| bytes as u64));
        let limit = Arc::new(Self {
            release_freed,
            gauges: Mutex::new(Gauges {
                all: gauges,
                checked: None,
            }),
            ..Self::new(limit_bytes)
        });
        let mut watch = Watch::default();
        watch.measure(&limit);
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
            release_freed: || {},
            gauges: Mutex::default(),
        }
    }

    /// A limit of `bytes` for guests alone, without measuring the process. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn of_guests(bytes: u64) -> Arc<Self> {
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
    pub fn count_rejection(&self) {
        self.refused.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a request waits for memory: what is not needed is better given back.
    pub fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Lets the allocator give back what this thread has freed.
    pub fn release_freed(&self) {
        (self.release_freed)();
    }

    /// Waits until a request waits for memory.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Measures what the process has, and how much of the limit that leaves for guests.
    fn measure(&self, gauges: &mut Gauges) {
        let before = self.held_bytes();
        let readings: Vec<_> = gauges.all.iter_mut().map(Gauge::read).collect();
        // An instance may have begun or ended while this was read.
        let held = self.held_bytes().max(before);
        let left = gauges
            .all
            .iter_mut()
            .zip(&readings)
            .map(|(gauge, used)| gauge.left_for_guests(*used, held));
        let left = left.min().unwrap_or(self.limit_bytes);
        self.for_guests.store(left, Ordering::Relaxed);
        let used = readings.first().copied().flatten().unwrap_or_default();
        self.used_bytes.store(used, Ordering::Relaxed);
    }

    /// Measures once more before memory is refused, after the allocator has given back what
    /// this thread has freed: much of what the last measurement found may be gone. Does
    /// nothing if that was done a moment ago.
    fn measure_again(&self) {
        // Another thread that has it does the same.
        let Ok(mut gauges) = self.gauges.try_lock() else {
            return;
        };
        let is_recent = |checked: Instant| checked.elapsed() < CHECK_INTERVAL;
        if gauges.checked.is_some_and(is_recent) {
            return;
        }
        self.release_freed();
        self.measure(&mut gauges);
        gauges.checked = Some(Instant::now());
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

/// The limit in bytes, `given` or found, and the gauges of what counts against it.
fn gauges(given: Option<u64>) -> (u64, Vec<Gauge>) {
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
    let all = process.into_iter().chain(groups.flatten()).collect();
    (limit_bytes, all)
}

/// Measures the memory of the process, and logs what was refused.
#[derive(Debug, Default)]
struct Watch {
    exceeded_ticks: u32,
    /// When the log said last what was refused, and what had been refused until then.
    reported: Option<Instant>,
    requests: u64,
    growths: u64,
}

impl Watch {
    fn run(mut self, limit: &Weak<MemoryLimit>) {
        loop {
            thread::sleep(TICK);
            let Some(limit) = limit.upgrade() else { return };
            self.measure(&limit);
            self.report(&limit);
        }
    }

    fn measure(&mut self, limit: &MemoryLimit) {
        limit.measure(&mut limit.gauges.lock().expect("no thread panics with the lock"));
        self.exceeded_ticks = if limit.for_guests_bytes() < INSTANCE_BYTES {
            self.exceeded_ticks.saturating_add(1)
        } else {
            0
        };
        let was_exceeded = limit.is_exceeded();
        let is_exceeded =
            self.exceeded_ticks >= EXCEEDED_TICKS || (was_exceeded && self.exceeded_ticks > 0);
        limit.is_exceeded.store(is_exceeded, Ordering::Relaxed);
        if limit.is_wanted() {
            limit.freed.notify_waiters();
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
        assert!(MemoryLimit::start(Some(1), || {}).unwrap().is_exceeded());
        assert!(
            !MemoryLimit::start(Some(1 << 40), || {})
                .unwrap()
                .is_exceeded()
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_process_has_beside_its_guests_is_not_for_guests() {
        let limit = MemoryLimit::start(Some(1 << 40), || {}).unwrap();
        let used = limit.used_bytes();
        assert!(used > 100 << 10, "{used}");
        assert_eq!(limit.for_guests_bytes(), (1 << 40) - used);
    }

    fn limit(readings: Vec<Option<u64>>) -> MemoryLimit {
        let limit = MemoryLimit::new(100 << 20);
        limit.gauges.lock().unwrap().all = vec![Gauge::of_readings(100 << 20, readings)];
        limit
    }

    #[test]
    fn a_limit_is_exceeded_after_a_second_and_no_more_once_there_is_room() {
        let over = Some(200 << 20);
        let mut readings = vec![over; EXCEEDED_TICKS as usize];
        readings.push(Some(10 << 20));
        let limit = limit(readings);
        let mut watch = Watch::default();
        for _ in 1..EXCEEDED_TICKS {
            watch.measure(&limit);
            assert!(!limit.is_exceeded());
        }
        watch.measure(&limit);
        assert!(limit.is_exceeded());
        watch.measure(&limit);
        assert!(!limit.is_exceeded());
    }

    #[test]
    fn before_memory_is_refused_it_is_measured_again() {
        let limit = Arc::new(limit(vec![Some(99 << 20), Some(10 << 20)]));
        Watch::default().measure(&limit);
        let function = FunctionMemory::new(limit.clone(), false);
        let hold = function.try_hold(0).unwrap();
        let mut claim = Claim::default();
        claim.set_hold(hold);
        assert!(claim.take(10 << 20));
        assert_eq!(limit.refused_growths(), 0);
        // What was measured a moment ago is not measured once more.
        assert!(!claim.take(100 << 20));
        assert_eq!(limit.used_bytes(), 10 << 20);
    }
}
