//! What is being computed for a cache, under the keys: its flights, of threads or of tasks.

use crate::core::OutOfMemory;
use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::ffi::sync::StoreLock;
use crate::ffi::sync::{LockedStore, Store};
use crate::ffi::{Borrowed, Owned, Raised, Result};
use crate::py::flight::policy::Flight;
use crate::py::key::Key;
use crate::state::State;

/// What is being computed, under its key.
pub struct Flights {
    /// None once it is dropped.
    store: Option<LockedStore<Key, Owned>>,
    /// The type of flights of threads, by which the module is found.
    pub(in crate::py::cache) kind: Owned,
}

impl Flights {
    /// Nothing so far.
    pub fn new(state: &State) -> Result<Self> {
        let store = LockedStore::new(usize::MAX).map_err(|OutOfMemory| Raised::no_memory())?;
        Ok(Self { store: Some(store), kind: state.types.flight.clone() })
    }

    pub(in crate::py::cache) fn store(&self) -> &LockedStore<Key, Owned> {
        let Some(store) = &self.store else { unreachable!("taken by drop alone") };
        store
    }

    /// Takes all flights out. Those who wait go on waiting. Reenters: finalizers of keys.
    pub fn forget(&self) {
        // Without memory they stay.
        self.store().clear(|_| ()).into_iter().flatten().for_each(drop);
    }

    /// Takes a flight out. Runs no Python code.
    pub fn remove(&self, hash: Hash, flight: &impl Flight) {
        let flight = flight.as_object();
        let gone = self.store().change(|store| place_of(store, hash, flight).and_then(|id| store.remove(id)));
        drop(gone);
    }

    /// Whether a flight is still there: not after its key was invalidated or put, or the cache was cleared. Runs no Python code.
    pub fn has(&self, hash: Hash, flight: &impl Flight) -> bool {
        let flight = flight.as_object();
        self.store().change(|store| place_of(store, hash, flight).is_some())
    }
}

fn place_of(store: &Store<Key, Owned>, hash: Hash, flight: Borrowed<'_>) -> Option<SlotId> {
    let mut candidate = store.first_candidate(hash);
    while let Some((entry, cursor)) = candidate {
        if entry.value().borrow().is(flight) {
            return Some(entry.id());
        }
        candidate = store.next_candidate(hash, cursor);
    }
    None
}

impl Drop for Flights {
    fn drop(&mut self) {
        // A call holds its wrapper, so there is no flight any more.
        self.store.take().into_iter().flat_map(LockedStore::into_contents).for_each(drop);
    }
}
