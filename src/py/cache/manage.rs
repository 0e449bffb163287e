//! What is asked of a cache about one entry, or of all: contains, invalidate, put, clear.

use crate::core::OutOfMemory;
use crate::core::hash::Hash;
use crate::ffi::sync::StoreLock;
use crate::ffi::{CallArgs, Owned, Raised, Result};
use crate::py::cache::Cache;
use crate::py::cache::capacity::Bound;
use crate::py::cache::entry_store::Store;
use crate::py::cache::lookup::Seen;
use crate::py::cache::ops::{Contains, Invalidate, Keep};
use crate::py::key::Key;
use crate::py::unhashable;
use std::sync::atomic::Ordering;

impl Cache {
    /// Whether there is an entry. Reenters: `__hash__` and `__eq__` of arguments.
    pub fn contains(&self, args: &CallArgs<'_>) -> Result<bool> {
        if self.bound.get() == Bound::Off {
            return Ok(false);
        }
        if let Some(policy) = self.policy() {
            return self.contains_expiring(policy, args);
        }
        let hash = unhashable::hash(None, args, args, self.kind)?;
        self.locate(hash, args, &mut Contains)
    }

    /// Drops an entry, and tells whether it was there. Reenters: `__hash__` and `__eq__` of arguments, finalizers of the entry.
    pub fn invalidate(&self, args: &CallArgs<'_>) -> Result<bool> {
        if self.bound.get() == Bound::Off {
            return Ok(false);
        }
        if let Some(policy) = self.policy() {
            return self.invalidate_expiring(policy, args);
        }
        let hash = unhashable::hash(None, args, args, self.kind)?;
        let (was_there, entry) = self.locate(hash, args, &mut Invalidate)?;
        if was_there {
            self.invalidated();
        }
        drop(entry);
        Ok(was_there)
    }
}

impl Cache {
    /// Stores a value. Reenters: `__eq__` of keys, and finalizers of what leaves.
    #[inline(never)]
    pub fn keep(&self, args: &CallArgs<'_>, hash: Hash, entry: (Key, Owned), replace: bool) -> Result<()> {
        self.keep_unseen(args, hash, entry, replace, &Seen::default())
    }

    /// [`Cache::keep`] for a call that has looked before. Reenters: as that.
    #[inline(never)]
    pub fn keep_unseen(
        &self,
        args: &CallArgs<'_>,
        hash: Hash,
        entry: (Key, Owned),
        replace: bool,
        seen: &Seen,
    ) -> Result<()> {
        match self.locate_unseen(seen, hash, args, &mut Keep { hash, entry: Some(entry), replace })? {
            Ok(left) => {
                drop(left);
                Ok(())
            }
            Err(OutOfMemory) => Err(Raised::no_memory()),
        }
    }
}

impl Cache {
    /// Drops all entries and counts from zero again. Reenters: finalizers of the entries, `on_evict`.
    pub fn clear(&self) -> Result<()> {
        let mut left = Vec::new();
        let before = |store: &mut Store| {
            if let Some(policy) = self.policy() {
                policy.empty(store, &mut left);
            }
        };
        let contents = self.store.clear(before).map_err(|OutOfMemory| Raised::no_memory())?;
        // Relaxed: a number alone.
        self.invalidations.store(0, Ordering::Relaxed);
        let Some(policy) = self.policy() else {
            contents.for_each(drop);
            return Ok(());
        };
        policy.stats.reset();
        policy.cleared();
        contents.for_each(drop);
        policy.notify_evicted(left)
    }
}
