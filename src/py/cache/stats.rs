//! What a cache counts, and how that is told.

use crate::ffi::build::set_item;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Owned, Result, build};
use crate::py::cache::Cache;
use crate::py::cache::policy::Policy;
use crate::py::cache_info;
use crate::state::State;
use std::ffi::CStr;
use std::sync::atomic::Ordering;

/// What all caches count, by name.
pub type Counts = [(&'static CStr, u64); 9];

impl Cache {
    /// How many entries it holds at most: 0 if it stores nothing, and nothing if there is no bound.
    pub fn most_entries(&self) -> Option<usize> {
        self.bound.get().entries()
    }

    /// `maxsize`, as it is told.
    pub fn maxsize(&self) -> Result<Owned> {
        self.most_entries().map_or_else(|| Ok(build::none()), |most| build::count(most as u64))
    }

    /// `CacheInfo` of its own hits, misses and entries. Reenters on first use: an import.
    pub fn info(&self, state: &State) -> Result<Owned> {
        let (hits, misses, entries, _) = self.store.counts();
        self.info_of(state, [hits, misses, entries as u64])
    }

    /// `CacheInfo` of these hits, misses and entries. Reenters on first use: an import.
    pub fn info_of(&self, state: &State, [hits, misses, entries]: [u64; 3]) -> Result<Owned> {
        let fields = [build::count(hits)?, build::count(misses)?, self.maxsize()?, build::count(entries)?];
        cache_info::cache_info(state, fields)
    }

    /// All that is counted of every cache.
    pub fn counts(&self) -> Counts {
        let (hits, misses, entries, evictions) = self.store.counts();
        let [expirations, stale_hits, coalesced, _] = self.policy().map_or([0; 4], |policy| policy.stats.all());
        let weight = self.policy().map_or(0, Policy::weight);
        // Relaxed: a number alone.
        let invalidations = self.invalidations.load(Ordering::Relaxed);
        [
            (c"hits", hits),
            (c"misses", misses),
            (c"evictions", evictions),
            (c"expirations", expirations),
            (c"invalidations", invalidations),
            (c"stale_hits", stale_hits),
            (c"coalesced", coalesced),
            (c"currsize", entries as u64),
            (c"weight", weight),
        ]
    }

    /// A dict of all that is counted.
    pub fn stats(&self) -> Result<Owned> {
        dict_of(&self.counts())
    }
}

/// A dict of numbers under their names.
pub fn dict_of(counts: &[(&CStr, u64)]) -> Result<Owned> {
    let dict = build::dict()?;
    for &(name, value) in counts {
        set_item(&dict, build::interned(name)?.borrow(), build::count(value)?.borrow())?;
    }
    Ok(dict)
}
