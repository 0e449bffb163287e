//! Finding a call's entry, and doing something with it, in one borrow of the store.
//!
//! Comparing may run Python code, which may do anything to this cache. So a candidate that only its `__eq__` can judge
//! is held by a reference of our own while the store is released, and asked for again afterwards.

use super::Wrapper;
use crate::core::hash::Hash;
use crate::core::index::Index;
use crate::core::store::{ShippedIndex, SlotId, Store};
use crate::ffi::exact::Verdict;
use crate::ffi::{CallArgs, Owned, Result};
use crate::py::key::Key;

/// How often a key that was found equal may be gone before the search gives up: a `__eq__` that throws its own entry
/// out and puts it back each time must not hold the caller for ever.
const PATIENCE: u32 = 16;

/// What to do where a search ends. Runs inside the borrow: no Python code, and what leaves the store leaves as a value.
pub trait Action {
    /// What comes of it.
    type Outcome;
    /// The entry is there.
    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Self::Outcome;
    /// There is no such entry.
    fn absent(&mut self, store: &mut Store<Key, Owned>) -> Self::Outcome;
    /// It can't be told, since the keys' `__eq__` keeps changing the store.
    fn unsettled(&mut self) -> Self::Outcome;
}

/// Where a search can go on, if the generation is still the same.
type Place = (<ShippedIndex as Index>::Cursor, u64);

enum Step<T> {
    Done(T),
    /// This candidate's `__eq__` has to be asked.
    Ask(Key, SlotId, Place),
}

impl Wrapper {
    /// Searches the entry for these arguments and acts on it. Reenters: `__eq__` of keys, where types don't tell.
    #[inline(always)]
    pub fn locate<A: Action>(&self, hash: Hash, args: &CallArgs<'_>, action: &mut A) -> Result<A::Outcome> {
        match self.step(hash, args, action, None, &[]) {
            Step::Done(outcome) => Ok(outcome),
            ask => self.locate_asking(hash, args, action, ask),
        }
    }

    /// One look at the store, from `start` on or from the beginning, passing over the keys that `__eq__` has refused.
    #[inline(always)]
    fn step<A: Action>(
        &self,
        hash: Hash,
        args: &CallArgs<'_>,
        action: &mut A,
        start: Option<Place>,
        refused: &[Key],
    ) -> Step<A::Outcome> {
        self.store.with(|store| {
            let (mut candidate, refused) = match start {
                // Nothing has come or gone: go on behind the last candidate.
                Some((cursor, generation)) if generation == store.generation() => {
                    (store.next_candidate(hash, cursor), &[][..])
                }
                _ => (store.first_candidate(hash), refused),
            };
            while let Some((id, cursor)) = candidate {
                let key = store.key(id);
                match key.compare(args, self.typed) {
                    Verdict::Same => return Step::Done(action.found(store, id)),
                    Verdict::Ask if !refused.iter().any(|seen| seen.is(key)) => {
                        return Step::Ask(key.clone(), id, (cursor, store.generation()));
                    }
                    Verdict::Different | Verdict::Ask => candidate = store.next_candidate(hash, cursor),
                }
            }
            Step::Done(action.absent(store))
        })
    }

    /// Reenters: `__eq__` of keys. The store is released during each.
    #[cold]
    #[inline(never)]
    fn locate_asking<A: Action>(
        &self,
        hash: Hash,
        args: &CallArgs<'_>,
        action: &mut A,
        mut step: Step<A::Outcome>,
    ) -> Result<A::Outcome> {
        let mut refused = Vec::new();
        let mut patience = PATIENCE;
        loop {
            let (key, id, place) = match step {
                Step::Done(outcome) => return Ok(outcome),
                Step::Ask(key, id, place) => (key, id, place),
            };
            let mut start = Some(place);
            if key.equals(args)? {
                let outcome = self.store.with(|store| {
                    // We hold the key, so its pointer can't have come back as another's.
                    let stands = store.key_if_live(id).is_some_and(|live| live.is(&key));
                    stands.then(|| action.found(store, id))
                });
                if let Some(outcome) = outcome {
                    return Ok(outcome);
                }
                patience -= 1;
                if patience == 0 {
                    return Ok(action.unsettled());
                }
                start = None;
            } else {
                refused.push(key);
            }
            step = self.step(hash, args, action, start, &refused);
        }
    }
}
