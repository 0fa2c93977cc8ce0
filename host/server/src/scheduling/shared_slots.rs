//! The places of one worker in a pool that several functions share.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Which part of the places is for functions that have none.
const RESERVED_PART: usize = 8;

/// The places of one worker in a pool that several functions share.
///
/// However many requests one function has, another one that has none gets its first place
/// at once: some places are kept back for that.
pub(crate) struct SharedSlots {
    open: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
}

impl SharedSlots {
    pub(crate) fn new(places: usize) -> Rc<Self> {
        let reserved = places / RESERVED_PART;
        Rc::new(Self {
            open: Arc::new(Semaphore::new(places - reserved)),
            reserved: Arc::new(Semaphore::new(reserved)),
        })
    }

    /// A place, if one is free for a function that has no other, if `is_first`.
    pub(crate) fn take_at_once(&self, is_first: bool) -> Option<OwnedSemaphorePermit> {
        let open = self.open.clone().try_acquire_owned().ok();
        let reserved = || {
            let reserved = is_first.then(|| self.reserved.clone().try_acquire_owned());
            reserved?.ok()
        };
        open.or_else(reserved)
    }

    /// Waits for a place.
    pub(crate) async fn take(&self, is_first: bool) -> OwnedSemaphorePermit {
        let place = tokio::select! {
            biased;
            place = self.open.clone().acquire_owned() => place,
            place = self.reserved.clone().acquire_owned(), if is_first => place,
        };
        place.expect("no semaphore is ever closed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_function_cannot_take_the_places_that_are_for_others() {
        let shared_slots = SharedSlots::new(16);
        let first = shared_slots.take_at_once(true);
        let others: Vec<_> = std::iter::from_fn(|| shared_slots.take_at_once(false)).collect();
        assert_eq!(others.len() + usize::from(first.is_some()), 14);
        assert!(shared_slots.take_at_once(true).is_some());
    }

    #[test]
    fn a_single_place_is_for_everybody() {
        let shared_slots = SharedSlots::new(1);
        let place = shared_slots.take_at_once(false);
        assert!(place.is_some());
        assert!(shared_slots.take_at_once(true).is_none());
        drop(place);
        assert!(shared_slots.take_at_once(true).is_some());
    }
}
