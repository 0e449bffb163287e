//! What is counted of options.

use std::sync::atomic::{AtomicU64, Ordering};

/// What `cache_stats()` counts beside hits and misses.
#[derive(Default)]
pub(in crate::py) struct Stats {
    pub(in crate::py) expirations: AtomicU64,
    pub(in crate::py) stale_hits: AtomicU64,
    pub(in crate::py) coalesced: AtomicU64,
    pub(in crate::py) errors: AtomicU64,
    tier_hits: AtomicU64,
}

impl Stats {
    /// Counts a call that a stale entry has answered.
    pub(in crate::py) fn count_stale_hit(&self) {
        // Relaxed: a number alone.
        self.stale_hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an exception in the place of which an entry past its time was returned.
    pub(in crate::py) fn count_error(&self) {
        // Relaxed: a number alone.
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call that the server behind a near cache has answered.
    pub(in crate::py) fn count_tier_hit(&self) {
        // Relaxed: a number alone.
        self.tier_hits.fetch_add(1, Ordering::Relaxed);
    }

    /// How many calls the server behind a near cache has answered.
    pub(in crate::py) fn tier_hits(&self) -> u64 {
        // Relaxed: a number alone.
        self.tier_hits.load(Ordering::Relaxed)
    }

    /// Counts a call that another one's computation has answered.
    pub(in crate::py) fn count_coalesced(&self) {
        // Relaxed: a number alone.
        self.coalesced.fetch_add(1, Ordering::Relaxed);
    }

    /// Expirations, stale hits, coalesced calls, errors.
    pub fn all(&self) -> [u64; 4] {
        // Relaxed: numbers alone.
        [&self.expirations, &self.stale_hits, &self.coalesced, &self.errors].map(|count| count.load(Ordering::Relaxed))
    }

    /// Counts from zero again.
    pub fn reset(&self) {
        // Relaxed: numbers alone.
        self.expirations.store(0, Ordering::Relaxed);
        self.stale_hits.store(0, Ordering::Relaxed);
        self.coalesced.store(0, Ordering::Relaxed);
        self.errors.store(0, Ordering::Relaxed);
        self.tier_hits.store(0, Ordering::Relaxed);
    }
}
