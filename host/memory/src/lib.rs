//! Memory limit of the process, and accounting of its guests' memory.
//!
//! - this file: [`MemoryLimit`], which derives the memory that guests may hold.
//! - `guests.rs`: accounting per function ([`FunctionMemory`]), instance ([`InstanceMemory`]) and
//!   store ([`StoreMemory`]).
//! - `waiting.rs`: the requests that wait, and what is reserved for them.
//! - `sampler.rs`: the thread that measures the process.
//! - `usage.rs`: memory in use, of the process and its control groups.
//! - `system.rs`: total and available memory, of the machine and the control groups.
//!
//! A page of a guest counts from the moment at which the guest may write to it, not from its
//! first write. So guests cannot exceed the limit between two measurements, however many pages
//! they write to. The sampler measures ten times a second how much memory the rest of the process
//! uses; the limit less that is the limit of the guests.

mod guests;
mod sampler;
mod system;
mod usage;
mod waiting;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fmt, io};

use tokio::sync::Notify;

pub use guests::{FunctionMemory, INSTANCE_BYTES, InstanceMemory, StoreMemory};
use sampler::Sampler;
use usage::Gauge;
pub use usage::resident_bytes;
use waiting::WaitingRequests;

/// Memory that is available to further processes, within the limits of the machine and of the
/// control groups of this process. None where the system does not report it.
#[must_use]
pub fn available_bytes() -> Option<u64> {
    let root = Path::new("/");
    let groups = system::groups(root).into_iter().filter_map(|group| {
        let used = Gauge::of_group(&group, group.limit_bytes)?.read()?;
        Some(group.limit_bytes.saturating_sub(used))
    });
    groups.chain(system::machine_available(root)).min()
}

/// Minimum interval of the additional measurements before memory is denied.
const REMEASURE_INTERVAL: Duration = Duration::from_millis(20);

/// Why a guest got less memory than it requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryShortage {
    /// The guest's own limits.
    GuestLimit,
    /// The limit of the server, which is not the guest's fault.
    ServerLimit,
}

/// The memory limit of this process.
///
/// What counts is memory that the process alone holds: anonymous memory, and the memory images
/// of components, each once. If a control group has a limit, the memory of the group without
/// file pages counts as well, against that limit. On systems other than Linux, only guest memory
/// counts.
pub struct MemoryLimit {
    limit_bytes: u64,
    /// Memory that the process alone holds.
    used_bytes: AtomicU64,
    /// The limit of all guests together: `limit_bytes` less the memory of the rest.
    guest_limit: AtomicU64,
    /// Memory that guests hold.
    held: AtomicU64,
    is_exceeded: AtomicBool,
    rejections: Rejections,
    waiting: WaitingRequests,
    /// Notified when a request starts to wait.
    contention: Notify,
    /// Makes the allocator return the memory that the current thread has freed.
    release_freed: fn(),
    gauges: Mutex<Gauges>,
}

/// The measured figures.
#[derive(Debug, Default)]
struct Gauges {
    /// Of the process, and of its control groups.
    all: Vec<Gauge>,
    /// The last additional measurement.
    remeasured: Option<Instant>,
}

/// Number of rejections for lack of memory, since the start.
#[derive(Debug, Default)]
struct Rejections {
    requests: AtomicU64,
    growths: AtomicU64,
}

impl MemoryLimit {
    /// Starts the sampler of a limit of `limit_bytes`, by default four fifths of the memory of the
    /// machine or of the control group of this process. The sampler runs until the limit is
    /// dropped. While requests wait for memory, each worker calls `release_freed`, which makes
    /// the allocator return unused memory to the system.
    ///
    /// # Errors
    ///
    /// Fails if the thread cannot be started.
    pub fn start(limit_bytes: Option<usize>, release_freed: fn()) -> io::Result<Arc<Self>> {
        let (limit_bytes, gauges) = gauges(limit_bytes.map(|bytes| bytes as u64));
        let limit = Arc::new(Self {
            release_freed,
            gauges: Mutex::new(Gauges {
                all: gauges,
                remeasured: None,
            }),
            ..Self::new(limit_bytes)
        });
        let mut sampler = Sampler::default();
        sampler.measure(&limit);
        // At the start, a single measurement decides.
        let is_exceeded = limit.guest_limit.load(Ordering::Relaxed) < INSTANCE_BYTES;
        limit.is_exceeded.store(is_exceeded, Ordering::Relaxed);
        sampler.start(Arc::downgrade(&limit))?;
        Ok(limit)
    }

    /// A limit of `limit_bytes`, all of which guests may hold until the first measurement.
    fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes,
            used_bytes: AtomicU64::new(0),
            guest_limit: AtomicU64::new(limit_bytes),
            held: AtomicU64::new(0),
            is_exceeded: AtomicBool::new(false),
            rejections: Rejections::default(),
            waiting: WaitingRequests::default(),
            contention: Notify::new(),
            release_freed: || {},
            gauges: Mutex::default(),
        }
    }

    /// A limit of `bytes` for guests, without a sampler. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn unmeasured(bytes: u64) -> Arc<Self> {
        Arc::new(Self::new(bytes))
    }

    /// The limit in bytes.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Memory that the process alone held at the last measurement, in bytes.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Current memory limit of all guests together, in bytes.
    #[must_use]
    pub fn guest_limit_bytes(&self) -> u64 {
        self.guest_limit.load(Ordering::Relaxed)
    }

    /// Memory that guests hold, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether the guest limit has been below the size of one instance for a second. Requests are
    /// rejected then instead of queued.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.is_exceeded.load(Ordering::Relaxed)
    }

    /// Number of growths of guest memory that this limit denied.
    #[must_use]
    pub fn denied_growths(&self) -> u64 {
        self.rejections.growths.load(Ordering::Relaxed)
    }

    /// Number of requests that were rejected because of this limit.
    #[must_use]
    pub fn rejected_requests(&self) -> u64 {
        self.rejections.requests.load(Ordering::Relaxed)
    }

    /// Counts a request that was rejected because of this limit.
    pub fn count_rejection(&self) {
        self.rejections.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a request waits for memory, so that idle instances should release theirs.
    pub fn is_contended(&self) -> bool {
        self.waiting.any()
    }

    /// Makes the allocator return the memory that this thread has freed.
    pub fn release_freed(&self) {
        (self.release_freed)();
    }

    /// Resolves when a request starts to wait for memory.
    pub async fn contended(&self) {
        self.contention.notified().await;
    }

    /// Measures the process, and derives the guest limit.
    fn measure(&self, gauges: &mut Gauges) {
        let before = self.held_bytes();
        let readings: Vec<_> = gauges.all.iter_mut().map(Gauge::read).collect();
        // An instance may have started or ended during the measurement.
        let held = self.held_bytes().max(before);
        let left = gauges
            .all
            .iter_mut()
            .zip(&readings)
            .map(|(gauge, used)| gauge.guest_limit(*used, held));
        let left = left.min().unwrap_or(self.limit_bytes);
        self.guest_limit.store(left, Ordering::Relaxed);
        let used = readings.first().copied().flatten().unwrap_or_default();
        self.used_bytes.store(used, Ordering::Relaxed);
    }

    /// Measures once more before memory is denied, after the allocator has returned the memory
    /// that this thread has freed. Does nothing within [`REMEASURE_INTERVAL`].
    fn remeasure(&self) {
        // A thread that holds the lock is measuring.
        let Ok(mut gauges) = self.gauges.try_lock() else {
            return;
        };
        let is_recent = |last: Instant| last.elapsed() < REMEASURE_INTERVAL;
        if gauges.remeasured.is_some_and(is_recent) {
            return;
        }
        self.release_freed();
        self.measure(&mut gauges);
        gauges.remeasured = Some(Instant::now());
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

/// The limit in bytes, `given` or derived from the system, and the gauges that count against it.
fn gauges(given: Option<u64>) -> (u64, Vec<Gauge>) {
    let root = Path::new("/");
    let total = system::total_bytes(root);
    let limit_bytes = given.or_else(|| Some(total? / 5 * 4));
    let limit_bytes = limit_bytes.unwrap_or(u64::MAX);
    let process = Gauge::of_process(limit_bytes);
    let groups = system::groups(root).into_iter().map(|group| {
        // An explicit limit may come closer to that of the group.
        let share = if given.is_some() { 19 } else { 16 };
        let limit = group.limit_bytes / 20 * share;
        Gauge::of_group(&group, limit)
    });
    let all = process.into_iter().chain(groups.flatten()).collect();
    (limit_bytes, all)
}

#[cfg(test)]
mod tests {
    use super::sampler::EXCEEDED_MEASUREMENTS;
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_limit_below_the_use_of_the_process_is_exceeded_at_once() {
        assert!(MemoryLimit::start(Some(1), || {}).unwrap().is_exceeded());
        assert!(
            !MemoryLimit::start(Some(1 << 40), || {})
                .unwrap()
                .is_exceeded()
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_of_the_process_is_subtracted_from_the_guest_limit() {
        let limit = MemoryLimit::start(Some(1 << 40), || {}).unwrap();
        let used = limit.used_bytes();
        assert!(used > 100 << 10, "{used}");
        assert_eq!(limit.guest_limit_bytes(), (1 << 40) - used);
    }

    fn limit(readings: Vec<Option<u64>>) -> MemoryLimit {
        let limit = MemoryLimit::new(100 << 20);
        limit.gauges.lock().unwrap().all = vec![Gauge::of_readings(100 << 20, readings)];
        limit
    }

    #[test]
    fn a_limit_is_exceeded_after_a_second_and_until_the_first_lower_measurement() {
        let over = Some(200 << 20);
        let mut readings = vec![over; EXCEEDED_MEASUREMENTS as usize];
        readings.push(Some(10 << 20));
        let limit = limit(readings);
        let mut sampler = Sampler::default();
        for _ in 1..EXCEEDED_MEASUREMENTS {
            sampler.measure(&limit);
            assert!(!limit.is_exceeded());
        }
        sampler.measure(&limit);
        assert!(limit.is_exceeded());
        sampler.measure(&limit);
        assert!(!limit.is_exceeded());
    }

    #[test]
    fn memory_is_measured_again_before_a_growth_is_denied() {
        let limit = Arc::new(limit(vec![Some(99 << 20), Some(10 << 20)]));
        Sampler::default().measure(&limit);
        let function = FunctionMemory::new(limit.clone(), false);
        let instance = function.try_acquire(0).unwrap();
        let mut store = StoreMemory::default();
        store.set_instance_memory(instance);
        assert!(store.take(10 << 20));
        assert_eq!(limit.denied_growths(), 0);
        // A second denial within the interval is not measured again.
        assert!(!store.take(100 << 20));
        assert_eq!(limit.used_bytes(), 10 << 20);
    }
}
