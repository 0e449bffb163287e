//! Finding a call's entry, and doing something with it, in one borrow of the store.
//!
//! Comparing may run Python code, which may do anything to this cache. So a candidate that only its `__eq__` can judge
//! is held by a reference of our own while the store is released, and asked for again afterwards.

use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::core::view::NO_GENERATION;
use crate::ffi::compare::Verdict;
use crate::ffi::sync::StoreLock;
use crate::ffi::{CallArgs, Result};
use crate::py::cache::Cache;
use crate::py::cache::entry_store::{Entries, Store};
use crate::py::key::Key;
use pyo3_ffi as py;
use std::cell::Cell;
use std::ffi::c_int;

/// How often a search begins anew because keys of this very hash came while others were compared. A `__eq__` that adds
/// one each time, or throws its own entry out and puts it back, must not hold the caller for ever.
const PATIENCE: u32 = 16;

/// What to do where a search ends. Runs inside the borrow: no Python code, and what leaves the store leaves as a value.
pub trait Action {
    /// What comes of it.
    type Output;
    /// Whether it takes entries out that somebody wants gone: they are dropped at once, where most of what leaves may wait.
    const RARE: bool = false;
    /// The entry is there.
    fn found(&mut self, store: &mut Store, id: SlotId) -> Self::Output;
    /// There is no such entry.
    #[inline(always)]
    fn absent(&mut self, _store: &mut Store) -> Self::Output {
        self.nothing()
    }
    /// It can't be told, since the keys' `__eq__` keeps changing the store.
    fn undecided(&mut self) -> Self::Output {
        self.nothing()
    }
    /// What comes of it where there is nothing to be done.
    fn nothing(&mut self) -> Self::Output;
}

/// A key that is held by a reference of our own, and the slot that it was seen in.
pub type Candidate = (Key, SlotId);

fn change<A: Action, R>(cache: &Entries, work: impl FnOnce(&mut Store) -> R) -> R {
    if A::RARE { cache.change_rarely(work) } else { cache.change(work) }
}

/// The keys that a call has compared itself with by their `__eq__`, which refused it: none is asked twice, whatever comes and goes
/// meanwhile. Each is held, so that its address is no other key's.
#[derive(Default)]
#[allow(clippy::box_collection, reason = "one word on the stack of each call, and seldom any memory")]
pub struct Seen(Cell<Option<Box<Vec<Key>>>>);

impl Seen {
    /// Runs `work` on them. Not from inside of it.
    fn with<R>(&self, work: impl FnOnce(&mut Vec<Key>) -> R) -> R {
        let mut keys = self.0.take().unwrap_or_default();
        let result = work(&mut keys);
        if !keys.is_empty() {
            self.0.set(Some(keys));
        }
        result
    }

    /// Takes them out, to be dropped.
    pub fn take(&self) -> Self {
        Self(Cell::new(self.0.take()))
    }

    /// Shows the collector what they hold, until it says stop.
    pub fn visit(&self, visit: impl Fn(*mut py::PyObject) -> c_int + Copy) -> c_int {
        let keys = self.0.take();
        let stop = keys.iter().flat_map(|keys| keys.iter()).map(|key| key.visit(visit)).find(|&stop| stop != 0);
        self.0.set(keys);
        stop.unwrap_or(0)
    }

    /// Whether there are none.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        let keys = self.0.take();
        let is_empty = keys.is_none();
        self.0.set(keys);
        is_empty
    }
}

enum Step<T> {
    Done(T),
    /// The `__eq__` of these candidates has to be asked: of the first, and of others in the rare case that there are any.
    /// They were all there in this generation.
    Ask(Candidate, Vec<Candidate>, u64),
}

impl Cache {
    /// Searches the entry for these arguments and acts on it. Reenters: `__eq__` of keys, where types don't tell.
    #[inline(always)]
    pub fn locate<A: Action>(&self, hash: Hash, args: &CallArgs<'_>, action: &mut A) -> Result<A::Output> {
        self.locate_in(&self.store, hash, args, action)
    }

    /// [`Cache::locate`] for a call that looks more than once. Reenters: as that.
    #[inline(always)]
    pub fn locate_unseen<A: Action>(
        &self,
        seen: &Seen,
        hash: Hash,
        args: &CallArgs<'_>,
        action: &mut A,
    ) -> Result<A::Output> {
        if !seen.is_empty() {
            return self.locate_others(seen, hash, args, action);
        }
        match self.step(&self.store, hash, args, action, &[]) {
            Step::Done(outcome) => Ok(outcome),
            ask => self.locate_asking(&self.store, hash, args, action, ask, seen),
        }
    }

    #[cold]
    #[inline(never)]
    fn locate_others<A: Action>(
        &self,
        seen: &Seen,
        hash: Hash,
        args: &CallArgs<'_>,
        action: &mut A,
    ) -> Result<A::Output> {
        match seen.with(|refused| self.step(&self.store, hash, args, action, refused)) {
            Step::Done(outcome) => Ok(outcome),
            ask => self.locate_asking(&self.store, hash, args, action, ask, seen),
        }
    }

    /// [`Cache::locate`] in another store under the same keys. Reenters: as that.
    #[inline(always)]
    pub fn locate_in<A: Action>(
        &self,
        cache: &Entries,
        hash: Hash,
        args: &CallArgs<'_>,
        action: &mut A,
    ) -> Result<A::Output> {
        match self.step(cache, hash, args, action, &[]) {
            Step::Done(outcome) => Ok(outcome),
            ask => self.locate_asking(cache, hash, args, action, ask, &Seen::default()),
        }
    }

    /// [`Cache::locate`] where the first candidate is known, and only its `__eq__` can judge it. Reenters: as that.
    pub fn locate_from<A: Action>(
        &self,
        hash: Hash,
        args: &CallArgs<'_>,
        action: &mut A,
        candidate: Candidate,
        seen: &Seen,
    ) -> Result<A::Output> {
        self.locate_asking(&self.store, hash, args, action, Step::Ask(candidate, Vec::new(), NO_GENERATION), seen)
    }

    /// One look at the store, passing over the keys that `__eq__` has refused.
    #[inline(always)]
    fn step<A: Action>(
        &self,
        cache: &Entries,
        hash: Hash,
        args: &CallArgs<'_>,
        action: &mut A,
        refused: &[Key],
    ) -> Step<A::Output> {
        // Outside of the borrow, where they are dropped if another candidate decides the search.
        let (mut first, mut others) = (None, Vec::new());
        let done = change::<A, _>(cache, |store| {
            let mut candidate = store.first_candidate(hash);
            while let Some((entry, cursor)) = candidate {
                let (key, id) = (entry.key(), entry.id());
                match key.compare(args, self.kind) {
                    Verdict::Same => return Ok(action.found(store, id)),
                    Verdict::Ask if !refused.iter().any(|seen| seen.is(key)) => match first {
                        None => first = Some((key.clone(), id)),
                        Some(_) => others.push((key.clone(), id)),
                    },
                    Verdict::Different | Verdict::Ask => {}
                }
                candidate = store.next_candidate(hash, cursor);
            }
            if first.is_none() { Ok(action.absent(store)) } else { Err(store.generation()) }
        });
        match (done, first) {
            (Err(generation), Some(first)) => Step::Ask(first, others, generation),
            (Ok(outcome), _) => Step::Done(outcome),
            (Err(_), None) => unreachable!("without a candidate the search is done"),
        }
    }

    /// Reenters: `__eq__` of keys. The store is released during each.
    #[cold]
    #[inline(never)]
    fn locate_asking<A: Action>(
        &self,
        cache: &Entries,
        hash: Hash,
        args: &CallArgs<'_>,
        action: &mut A,
        mut step: Step<A::Output>,
        seen: &Seen,
    ) -> Result<A::Output> {
        for _ in 0..PATIENCE {
            let (first, others, generation) = match step {
                Step::Done(outcome) => return Ok(outcome),
                Step::Ask(first, others, generation) => (first, others, generation),
            };
            for (key, id) in std::iter::once(first).chain(others) {
                if key.equals(args)? {
                    let outcome = change::<A, _>(cache, |store| {
                        // We hold the key, so its pointer can't have come back as another's.
                        let stands = store.key_if_live(id).is_some_and(|live| live.is(&key));
                        stands.then(|| action.found(store, id))
                    });
                    if let Some(outcome) = outcome {
                        return Ok(outcome);
                    }
                } else {
                    seen.with(|refused| refused.push(key));
                }
            }
            // If nothing has come since, there is nothing to look at again.
            let absent = cache.change(|store| (store.generation() == generation).then(|| action.absent(store)));
            if let Some(outcome) = absent {
                return Ok(outcome);
            }
            step = seen.with(|refused| self.step(cache, hash, args, action, refused));
        }
        match step {
            Step::Done(outcome) => Ok(outcome),
            Step::Ask(..) => Ok(action.undecided()),
        }
    }
}
