//! All readers of one shared store, as the writer keeps them.

use super::reader::{OUTSIDE, Reader, SEARCHING};
use super::reader_side::ReaderSide;
use crate::core::atomics::{AtomicPtr, Ordering};
use crate::core::{OutOfMemory, boxed};
use std::ptr;

const FIRST_READERS: usize = 8;
/// The epoch of a thread that is no reader.
const NO_READER: u64 = u64::MAX;

/// The readers, and when their threads last had the lock.
pub(super) struct Readers {
    table: Vec<AtomicPtr<Reader>>,
    /// Tables that were too short. Readers may still look into them.
    replaced_tables: Vec<Vec<AtomicPtr<Reader>>>,
    /// The epoch in which each thread last had the lock.
    epochs: Vec<u64>,
    /// How many batches were closed.
    epoch: u64,
    /// How many readers have not had the lock since.
    lagging: usize,
    count: usize,
    /// Hits and misses of threads that were left behind by a fork.
    counted: (u64, u64),
}

impl Readers {
    pub(super) const fn new() -> Self {
        Self {
            table: Vec::new(),
            replaced_tables: Vec::new(),
            epochs: Vec::new(),
            epoch: 0,
            lagging: 0,
            count: 0,
            counted: (0, 0),
        }
    }

    /// How many there are.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Which batch is the last that was closed.
    #[inline(always)]
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Notes that this thread has the lock.
    #[inline(always)]
    pub(super) fn arrive(&mut self, thread: usize) {
        if let Some(epoch) = self.epochs.get_mut(thread)
            && *epoch < self.epoch
        {
            *epoch = self.epoch;
            self.lagging -= 1;
        }
    }

    /// A batch is closed now.
    pub(super) fn begin_epoch(&mut self) {
        self.epoch += 1;
        self.lagging = self.count;
    }

    /// Whether all of them have had the lock since the last batch was closed.
    #[inline(always)]
    pub(super) fn all_have_arrived(&self) -> bool {
        self.lagging == 0
    }

    /// Whether no other thread can be a reader.
    #[inline(always)]
    pub(super) fn is_alone(&self, thread: usize) -> bool {
        self.count == 0 || self.count == 1 && self.has(thread)
    }

    #[inline(always)]
    fn has(&self, thread: usize) -> bool {
        self.epochs.get(thread).is_some_and(|&epoch| epoch != NO_READER)
    }

    /// A reader for the thread of this number, if it has none yet.
    pub(super) fn register<K, V>(&mut self, reader_side: &ReaderSide<K, V>, thread: usize) -> Result<(), OutOfMemory> {
        if self.has(thread) {
            return Ok(());
        }
        if thread >= self.table.len() {
            let count = (thread + 1).next_power_of_two().max(FIRST_READERS);
            self.epochs.try_reserve(count - self.epochs.len())?;
            self.replaced_tables.try_reserve(1)?;
            let mut table = Vec::new();
            table.try_reserve_exact(count)?;
            // Relaxed: the writer's own.
            table.extend(self.table.iter().map(|place| AtomicPtr::new(place.load(Ordering::Relaxed))));
            table.resize_with(count, || AtomicPtr::new(ptr::null_mut()));
            self.epochs.resize(count, NO_READER);
            // Release: pairs with the Acquire in `ReaderSide::reader`. First the table, then the length that relies on it.
            reader_side.readers.store(table.as_mut_ptr(), Ordering::Release);
            reader_side.readers_len.store(count, Ordering::Release);
            self.replaced_tables.push(std::mem::replace(&mut self.table, table));
        }
        let reader = boxed(Reader::new())?;
        // Release: pairs with the Acquire in `ReaderSide::reader`.
        self.table[thread].store(Box::into_raw(reader), Ordering::Release);
        self.epochs[thread] = self.epoch;
        self.count += 1;
        Ok(())
    }

    /// In the child of a fork, before anything is changed there: readers whose threads are not in this process are given back,
    /// and those that are can't have seen what left before the fork, since they began after it, or forked and were outside.
    ///
    /// `lives` says whether the thread of a number is one of this process. No thread gets a number meanwhile.
    pub(super) fn after_fork(&mut self, lives: impl Fn(usize) -> bool) {
        for (thread, place) in self.table.iter().enumerate() {
            // Relaxed: the writer's own.
            let reader = place.load(Ordering::Relaxed);
            if reader.is_null() || lives(thread) {
                continue;
            }
            // Release: pairs with the Acquire in `ReaderSide::reader`, by whoever gets this number next.
            place.store(ptr::null_mut(), Ordering::Release);
            // SAFETY: made by a box in `register`. Only a thread of this number uses it, and there is none until this call is over.
            let reader = unsafe { Box::from_raw(reader) };
            let (hits, misses) = reader.counts();
            self.counted = (self.counted.0 + hits, self.counted.1 + misses);
            self.epochs[thread] = NO_READER;
            self.count -= 1;
        }
        for epoch in self.epochs.iter_mut().filter(|epoch| **epoch != NO_READER) {
            *epoch = self.epoch;
        }
        self.lagging = 0;
    }

    /// Hits and misses that readers have counted.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.all()
            .map(Reader::counts)
            .fold(self.counted, |(hits, misses), (more_hits, more_misses)| (hits + more_hits, misses + more_misses))
    }

    /// Notes all slots that readers look at, and tells whether any reader is inside. For when the barrier has been passed.
    pub(super) fn look_at_hazards(&self, held: &mut Vec<u32>, wait_a_moment: bool) -> bool {
        let mut inside = false;
        for reader in self.all() {
            if wait_a_moment && reader.is_seen_outside(false) {
                continue;
            }
            // Acquire: pairs with the Release in `Reader::leave` and `Reader::protect`.
            match reader.hazard.load(Ordering::Acquire) {
                OUTSIDE => {}
                SEARCHING => inside = true,
                slot => {
                    inside = true;
                    held.push(slot);
                }
            }
        }
        inside
    }

    /// Whether each reader was seen outside, for which each is waited a moment; for ever if it `must`.
    pub(super) fn all_are_seen_outside(&self, must: bool) -> bool {
        self.all().all(|reader| reader.is_seen_outside(must))
    }

    fn all(&self) -> impl Iterator<Item = &Reader> {
        // Relaxed: the writer's own.
        // SAFETY: readers stand until `after_fork` or `free` takes them out of the table, by `&mut self`.
        self.table.iter().filter_map(|place| unsafe { place.load(Ordering::Relaxed).as_ref() })
    }

    /// Gives all of them back, when no thread can reach them any more.
    pub(super) fn free(self) {
        for place in &self.table {
            // Relaxed: nobody else is there.
            let reader = place.load(Ordering::Relaxed);
            if !reader.is_null() {
                // SAFETY: made by a box in `register`, and used by nobody any more.
                drop(unsafe { Box::from_raw(reader) });
            }
        }
    }
}
