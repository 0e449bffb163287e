//! One thread's part in one cache: its hazard, and what it counts.

use crate::core::atomics::{AtomicU32, AtomicU64, Ordering, light_barrier, spin_loop, yield_now};
use crate::core::view::Protect;

/// How often a hazard is looked at: threads are inside for nanoseconds, unless they were put to sleep.
const LOOKS: u32 = if cfg!(loom) { 1 } else { 64 };

/// The thread looks at nothing.
pub(super) const OUTSIDE: u32 = 0;
/// The thread looks at words, and at no slot yet. No slab is so large.
pub(super) const SEARCHING: u32 = u32::MAX;
/// What one thread writes when it calls one cache. Two cache lines, since processors fetch them in pairs.
#[repr(align(128))]
pub(super) struct Reader {
    pub(super) hazard: AtomicU32,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { hazard: AtomicU32::new(OUTSIDE), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// Counts a hit. Only the reader's own thread does.
    #[inline(always)]
    pub(super) fn count_hit(&self) {
        count(&self.hits);
    }

    /// Counts a miss. Only the reader's own thread does.
    #[inline(always)]
    pub(super) fn count_miss(&self) {
        count(&self.misses);
    }

    /// Hits and misses that it has counted.
    pub(super) fn counts(&self) -> (u64, u64) {
        // Relaxed: numbers alone. Threads that were joined have been synchronized with.
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// Waits a moment for the thread to leave; for ever if it `must`: a reader waits for nobody, so it will leave as soon
    /// as it gets a processor.
    pub(super) fn is_seen_outside(&self, must: bool) -> bool {
        let mut looked = 0;
        // Acquire: pairs with the Release in `leave`.
        while self.hazard.load(Ordering::Acquire) != OUTSIDE {
            if looked < LOOKS {
                spin_loop();
            } else if must {
                yield_now();
            } else {
                return false;
            }
            looked += 1;
        }
        true
    }

    #[inline(always)]
    pub(super) fn enter(&self) {
        // Release: whoever sees this sees the last hit done.
        self.hazard.store(SEARCHING, Ordering::Release);
        light_barrier();
    }

    #[inline(always)]
    pub(super) fn leave(&self) {
        // Release: pairs with the Acquire in `Readers::look_at_hazards`.
        self.hazard.store(OUTSIDE, Ordering::Release);
    }
}

#[inline(always)]
fn count(counter: &AtomicU64) {
    // Relaxed, and no read-modify-write: one thread writes, and others want a number that was right.
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl Protect for Reader {
    #[inline(always)]
    fn protect(&self, slot: u32, holds: impl FnOnce() -> bool) -> bool {
        // Release: whoever sees that this reader has gone on to another slot sees it done with the last one.
        self.hazard.store(slot, Ordering::Release);
        light_barrier();
        holds()
    }
}
