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
}

impl SharedSlots {
    pub(crate) fn new(slots: usize) -> Rc<Self> {
        let reserved = slots / RESERVED_PART;
        Rc::new(Self {
            open: Arc::new(Semaphore::new(slots - reserved)),
            reserved: Arc::new(Semaphore::new(reserved)),
        })
    }

    /// Takes a free slot. `is_first` tells whether the function has no other.
    pub(crate) fn try_acquire(&self, is_first: bool) -> Option<OwnedSemaphorePermit> {
        let open = self.open.clone().try_acquire_owned().ok();
        let reserved = || {
            let reserved = is_first.then(|| self.reserved.clone().try_acquire_owned());
            reserved?.ok()
        };
        open.or_else(reserved)
    }

    /// Waits for a slot.
    pub(crate) async fn acquire(&self, is_first: bool) -> OwnedSemaphorePermit {
        let slot = tokio::select! {
            biased;
            slot = self.open.clone().acquire_owned() => slot,
            slot = self.reserved.clone().acquire_owned(), if is_first => slot,
        };
        slot.expect("the semaphores are never closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_function_cannot_take_the_reserved_slots() {
        let shared_slots = SharedSlots::new(16);
        let first = shared_slots.try_acquire(true);
        let others: Vec<_> = std::iter::from_fn(|| shared_slots.try_acquire(false)).collect();
        assert_eq!(others.len() + usize::from(first.is_some()), 14);
        assert!(shared_slots.try_acquire(true).is_some());
    }

    #[test]
    fn a_single_slot_is_not_reserved() {
        let shared_slots = SharedSlots::new(1);
        let slot = shared_slots.try_acquire(false);
        assert!(slot.is_some());
        assert!(shared_slots.try_acquire(true).is_none());
        drop(slot);
        assert!(shared_slots.try_acquire(true).is_some());
    }
}
