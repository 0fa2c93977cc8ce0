//! The slots of one worker in a pool that functions share.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The fraction of the slots, as its divisor, that is reserved for functions without an instance.
const RESERVED_PART: usize = 8;

/// The slots of one worker in a pool that functions share.
///
/// Reserved slots let a function that has no instance get its first one at once, however many
/// requests another function has.
pub(crate) struct SharedSlots {
    open: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    /// Number of slots that are not reserved, and of those that are.
    totals: (u32, u32),
}

impl SharedSlots {
    pub(crate) fn new(slots: usize) -> Rc<Self> {
        let reserved = slots / RESERVED_PART;
        Rc::new(Self {
            open: Arc::new(Semaphore::new(slots - reserved)),
            reserved: Arc::new(Semaphore::new(reserved)),
            totals: (as_u32(slots - reserved), as_u32(reserved)),
        })
    }
}

fn as_u32(slots: usize) -> u32 {
    u32::try_from(slots).unwrap_or(u32::MAX)
}

/// The slots of one request: one for each segment of its function, which are taken together, so that
/// no request waits with half of them.
pub(crate) struct RequestSlots {
    shared: Rc<SharedSlots>,
    open: u32,
    /// None if there are fewer reserved ones.
    reserved: Option<u32>,
}

impl RequestSlots {
    /// The slots of requests to a function with this number of `segments`. A worker with fewer slots
    /// takes one request at a time.
    pub(crate) fn new(shared: Rc<SharedSlots>, segments: u32) -> Self {
        let (open, reserved) = shared.totals;
        Self {
            open: segments.min(open),
            reserved: (segments <= reserved).then_some(segments),
            shared,
        }
    }

    /// Takes free slots. `is_first` tells whether the function has no others.
    pub(crate) fn try_acquire(&self, is_first: bool) -> Option<OwnedSemaphorePermit> {
        let open = self.shared.open.clone().try_acquire_many_owned(self.open);
        let reserved = || {
            let count = self.reserved.filter(|_| is_first)?;
            let reserved = self.shared.reserved.clone();
            reserved.try_acquire_many_owned(count).ok()
        };
        open.ok().or_else(reserved)
    }

    /// Waits for slots.
    pub(crate) async fn acquire(&self, is_first: bool) -> OwnedSemaphorePermit {
        let SharedSlots { open, reserved, .. } = &*self.shared;
        let count = self.reserved.filter(|_| is_first);
        let slots = tokio::select! {
            biased;
            slots = open.clone().acquire_many_owned(self.open) => slots,
            slots = reserved.clone().acquire_many_owned(count.unwrap_or(0)), if count.is_some() => slots,
        };
        slots.expect("the semaphores are never closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_function_cannot_take_the_reserved_slots() {
        let shared_slots = RequestSlots::new(SharedSlots::new(16), 1);
        let first = shared_slots.try_acquire(true);
        let others: Vec<_> = std::iter::from_fn(|| shared_slots.try_acquire(false)).collect();
        assert_eq!(others.len() + usize::from(first.is_some()), 14);
        assert!(shared_slots.try_acquire(true).is_some());
    }

    #[test]
    fn a_single_slot_is_not_reserved() {
        let shared_slots = RequestSlots::new(SharedSlots::new(1), 1);
        let slot = shared_slots.try_acquire(false);
        assert!(slot.is_some());
        assert!(shared_slots.try_acquire(true).is_none());
        drop(slot);
        assert!(shared_slots.try_acquire(true).is_some());
    }

    #[test]
    fn the_slots_of_all_segments_are_taken_together() {
        let shared = SharedSlots::new(16);
        let chain = RequestSlots::new(shared.clone(), 3);
        let taken: Vec<_> = std::iter::from_fn(|| chain.try_acquire(false)).collect();
        // 14 are not reserved.
        assert_eq!(taken.len(), 4);
        let single = RequestSlots::new(shared, 1);
        let left: Vec<_> = std::iter::from_fn(|| single.try_acquire(false)).collect();
        assert_eq!(left.len(), 2);
        // A worker with fewer slots takes one request at a time.
        let few = RequestSlots::new(SharedSlots::new(1), 3);
        let first = few.try_acquire(true);
        assert!(first.is_some() && few.try_acquire(true).is_none());
    }
}
