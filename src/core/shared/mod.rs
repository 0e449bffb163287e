//! A store whose hits take no lock: what readers see of it, what the writer does for them, and when memory is given back.
//!
//! Writers are one at a time; a lock outside of this layer sees to that. Readers are kept safe by hazard pointers
//! (Michael, "Hazard Pointers: Safe Memory Reclamation for Lock-Free Objects", IEEE TPDS 15, 2004): each thread has a
//! [`Reader`] at each cache it calls, and writes the slot that it looks at there. So a reader that was put to sleep in
//! the middle of a hit keeps one entry from being given back, and not all that leave after it as with epochs.
//!
//! A hit, and what pairs with it:
//!
//! 1. `hazard := SEARCHING`, light barrier. Tables that were replaced are freed only when no reader is inside.
//! 2. Load the view, probe its words. A word leads to a slot; Acquire sees all that the writer put there.
//! 3. `hazard := slot`, light barrier, load the word once more. If it still stands, the slot does too, until the hazard
//!    goes: a writer first takes the word away, then has the heavy barrier, then looks at the hazards.
//! 4. Compare the key, mark, take a reference to the value.
//! 5. `hazard := OUTSIDE`, Release: the writer that sees it sees the reader gone.

mod back;
mod departed;
mod readers;
mod store;
#[cfg(test)]
mod tests;

use super::atomics::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, light_barrier, spin_loop, yield_now};
use super::hash::Hash;
use super::memory::Concurrent;
use super::store::Store;
use super::view::{Hit, Look, Protect, Verdict, View};

pub use back::{Back, Outside};
pub use departed::{After, Departed, Ticket};

type SharedStore<K, V> = Store<K, V, Concurrent>;
type SharedView<K, V> = View<K, V, Concurrent>;

/// How often a hazard is looked at: threads are inside for nanoseconds, unless they were put to sleep.
const LOOKS: u32 = if cfg!(loom) { 1 } else { 64 };

/// The thread looks at nothing.
const OUTSIDE: u32 = 0;
/// The thread looks at words, and at no slot yet. No slab is so large.
const SEARCHING: u32 = u32::MAX;
/// What one thread writes when it calls one cache. Two cache lines, since processors fetch them in pairs.
#[repr(align(128))]
pub struct Reader {
    hazard: AtomicU32,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Reader {
    fn new() -> Self {
        Self { hazard: AtomicU32::new(OUTSIDE), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// Counts a hit. Only the reader's own thread does.
    #[inline(always)]
    pub fn count_hit(&self) {
        count(&self.hits);
    }

    /// Counts a miss. Only the reader's own thread does.
    #[inline(always)]
    pub fn count_miss(&self) {
        count(&self.misses);
    }

    /// Hits and misses that it has counted.
    fn counts(&self) -> (u64, u64) {
        // Relaxed: numbers alone. Threads that were joined have been synchronized with.
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// Waits a moment for the thread to leave; for ever if it `must`: a reader waits for nobody, so it will leave as soon
    /// as it gets a processor.
    fn is_seen_outside(&self, must: bool) -> bool {
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
    fn enter(&self) {
        // Release: whoever sees this sees the last hit done.
        self.hazard.store(SEARCHING, Ordering::Release);
        light_barrier();
    }

    #[inline(always)]
    fn leave(&self) {
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

/// What hits read. Writers write here only when the store moves or a thread calls for the first time.
pub struct Front<K, V> {
    view: AtomicPtr<SharedView<K, V>>,
    /// The thread of number `n` has its reader at `n`, or null.
    readers: AtomicPtr<AtomicPtr<Reader>>,
    readers_len: AtomicUsize,
}

impl<K, V> Front<K, V> {
    /// The reader of the thread of this number.
    #[inline(always)]
    pub fn reader(&self, thread: usize) -> Option<&Reader> {
        // Acquire: pairs with the Release in `Readers::join`.
        if thread >= self.readers_len.load(Ordering::Acquire) {
            return None;
        }
        // Acquire: as above. The table is at least as new as the length.
        let table = self.readers.load(Ordering::Acquire);
        // SAFETY: tables stand as long as the front, and are no shorter than the length says.
        let place = unsafe { table.add(thread) };
        // SAFETY: as above.
        let place = unsafe { &*place };
        // Acquire: as above.
        // SAFETY: readers stand as long as the front.
        unsafe { place.load(Ordering::Acquire).as_ref() }
    }

    /// The hit path's search, without a lock. What it takes for absent is to be looked at again.
    #[inline(always)]
    pub fn hit<T>(
        &self,
        reader: &Reader,
        hash: Hash,
        same: impl FnOnce(&K) -> bool,
        take: impl FnOnce(&V) -> Option<T>,
    ) -> Hit<T> {
        reader.enter();
        // SAFETY: the reader has entered.
        let view = unsafe { self.view() };
        // SAFETY: the reader has entered, so the view stands, and what it protects.
        let found = unsafe { view.hit(hash, reader, same, take) };
        reader.leave();
        found
    }

    /// # Safety
    /// The caller has entered, and uses the view no longer than it stays.
    #[inline(always)]
    unsafe fn view(&self) -> SharedView<K, V> {
        // Acquire: pairs with the Release in `Back::publish`.
        // SAFETY: views stand as long as a reader is inside.
        unsafe { *self.view.load(Ordering::Acquire) }
    }

    /// A closer look at all that may be the entry, without a lock.
    #[inline(always)]
    pub fn look(&self, reader: &Reader, hash: Hash, judge: impl FnMut(&K) -> Verdict) -> Look<K, V>
    where
        K: Clone,
        V: Clone,
    {
        reader.enter();
        // SAFETY: the reader has entered.
        let view = unsafe { self.view() };
        // SAFETY: the reader is inside, so the view stands, and what it protects.
        let found = unsafe { view.look(hash, reader, judge) };
        reader.leave();
        found
    }
}

// SAFETY: what hits share is atomic, or stands still while they can see it; keys and values are seen and cloned by any thread.
unsafe impl<K: Send + Sync, V: Send + Sync> Sync for Front<K, V> {}
// SAFETY: as above, and its pointers are its own.
unsafe impl<K: Send + Sync, V: Send + Sync> Send for Front<K, V> {}
