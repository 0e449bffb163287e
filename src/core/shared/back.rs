//! The writer's side of a shared store: what it does for readers, and when it lets go what they may have seen.
//!
//! What leaves the store waits in two heaps. The older one is the batch. It may go
//!
//! - when every reader's thread has had the lock since the batch was closed: such a thread was outside of a hit then, and
//!   what it does later it does after the words were taken away (quiescent states; Hart et al., "Performance of memory
//!   reclamation for lockless synchronization", JPDC 67, 2007). Threads that miss now and then come by without being asked;
//! - or, if too much waits, when the heavy barrier has been passed: then all but what the hazards name.

use super::{Front, OUTSIDE, Reader, SEARCHING, SharedStore, SharedView};
use crate::core::OutOfMemory;
use crate::core::atomics::{AtomicPtr, AtomicUsize, Ordering};
use crate::core::boxed;
use crate::core::memory::Concurrent;
use crate::core::store::{self, Contents, Replaced, Waiting};
use std::ptr;

/// A batch is closed when an eighth of the capacity waits, but for these bounds.
const LEAST_BATCH: usize = 1;
const MOST_BATCH: usize = 32;
/// The barrier is passed when as many entries wait as the store may hold, but for these bounds, and two for each reader:
/// see [`Back::most_waiting`].
const LEAST_WAITING: usize = 16;
const MOST_WAITING: usize = 256;
/// How many entries are let go under one lock.
const AT_ONCE: usize = 16;
/// So many stores that were cleared may be left to sleeping readers. Then clearing waits until these have left.
const MOST_REPLACED: usize = 4;
const FIRST_READERS: usize = 8;
/// The epoch of a thread that is no reader.
const NO_READER: u64 = u64::MAX;

/// What the writer has to itself.
pub struct Back<K, V> {
    store: SharedStore<K, V>,
    batch: Batch,
    /// Somebody passes the barrier for the batch, without the lock.
    reclaiming: bool,
    /// There is no barrier any more: what waits goes when every thread has come by.
    refused: bool,
    /// How many batches were closed.
    epoch: u64,
    /// The epoch in which each thread last had the lock.
    epochs: Vec<u64>,
    /// How many readers have not had it since the batch was closed.
    lagging: usize,
    reader_count: usize,
    table: Vec<AtomicPtr<Reader>>,
    replaced: Vec<Replaced<K, V, Concurrent>>,
    replaced_views: Vec<*mut SharedView<K, V>>,
    replaced_tables: Vec<Vec<AtomicPtr<Reader>>>,
}

/// What left the store before some moment: entries, and so much of the memory and of the views that were replaced.
struct Batch {
    waiting: Waiting,
    replaced: usize,
    views: usize,
}

impl Batch {
    const NOTHING: Self = Self { waiting: Waiting::NONE, replaced: 0, views: 0 };
}

/// What is to be done after a change, when the lock has been given back.
#[must_use = "what left is to be dropped when the lock is given back"]
pub enum After<K, V> {
    /// Nothing.
    Nothing,
    /// Drop this. Reenters: finalizers.
    Drop(Departed<K, V>),
    /// Pass the heavy barrier. Then, as long as there is more: take the lock again, call [`Back::reclaim`], give the lock
    /// back, drop what comes of it. Reenters: finalizers.
    Reclaim,
}

/// What has left a shared store and can be seen by nobody.
#[must_use = "what left is to be dropped when the lock is given back"]
pub struct Departed<K, V> {
    pairs: Vec<(K, V)>,
    one: Option<(K, V)>,
    contents: Option<Contents<K, V, Concurrent>>,
    replaced: Vec<Replaced<K, V, Concurrent>>,
}

impl<K, V> Departed<K, V> {
    const fn nothing() -> Self {
        Self { pairs: Vec::new(), one: None, contents: None, replaced: Vec::new() }
    }
}

impl<K, V> Iterator for Departed<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        loop {
            let next = self.one.take().or_else(|| self.pairs.pop()).or_else(|| self.contents.as_mut()?.next());
            if next.is_some() {
                return next;
            }
            self.contents = Some(self.replaced.pop()?.into_contents());
        }
    }
}

/// What a change needs to know of the world outside.
pub struct Outside<B> {
    /// The number of the thread that makes the change; that of no reader if it has none.
    pub thread: usize,
    /// The heavy barrier: every other thread passes a full fence before it returns true.
    pub barrier: B,
}

impl<K, V> Back<K, V> {
    /// An empty store of at most `capacity` entries.
    pub fn new(capacity: usize) -> Result<(Front<K, V>, Self), OutOfMemory> {
        let store = SharedStore::new(capacity)?;
        let view = boxed(store.view())?;
        let front = Front {
            view: AtomicPtr::new(Box::into_raw(view)),
            readers: AtomicPtr::new(ptr::null_mut()),
            readers_len: AtomicUsize::new(0),
        };
        let back = Self {
            store,
            batch: Batch::NOTHING,
            reclaiming: false,
            refused: false,
            epoch: 0,
            epochs: Vec::new(),
            lagging: 0,
            reader_count: 0,
            table: Vec::new(),
            replaced: Vec::new(),
            replaced_views: Vec::new(),
            replaced_tables: Vec::new(),
        };
        Ok((front, back))
    }

    /// The store, to look at.
    #[inline(always)]
    pub fn store(&self) -> &SharedStore<K, V> {
        &self.store
    }

    /// The store, to be changed just before [`Back::take`].
    pub fn store_mut(&mut self) -> &mut SharedStore<K, V> {
        &mut self.store
    }

    /// Makes a change, shows it to readers, and says what is to be done when the lock has been given back.
    #[inline(always)]
    pub fn change<R>(
        &mut self,
        front: &Front<K, V>,
        outside: &Outside<impl Fn() -> bool>,
        work: impl FnOnce(&mut SharedStore<K, V>) -> R,
    ) -> (R, After<K, V>) {
        self.arrive(outside.thread);
        let result = work(&mut self.store);
        let moved = self.store.has_moved();
        if moved {
            self.publish(front);
        }
        let nothing = self.store.waiting().len() == 0 && self.batch.waiting.len() == 0 && self.replaced.is_empty();
        let after = if nothing {
            After::Nothing
        } else if self.is_alone(outside.thread) {
            After::Drop(self.release_alone())
        } else {
            self.next(outside, moved)
        };
        (result, after)
    }

    /// What to do about what waits.
    fn next(&mut self, outside: &Outside<impl Fn() -> bool>, moved: bool) -> After<K, V> {
        let waiting = self.store.waiting().len();
        let in_batch = self.batch.waiting.len();
        let most = Self::patience(self.store.capacity(), self.reader_count);
        if !self.reclaiming {
            if (moved || waiting + in_batch >= most) && !self.refused {
                self.close_batch_to_reclaim();
                return After::Reclaim;
            }
            if in_batch > 0 && self.lagging == 0 {
                return After::Drop(self.release_batch(AT_ONCE, |_, _| Some(false)));
            }
            if in_batch == 0 && waiting >= (self.store.capacity() / 8).clamp(LEAST_BATCH, MOST_BATCH) {
                self.close_batch();
                self.arrive(outside.thread);
            }
        } else if waiting >= 2 * most {
            // Whoever was to reclaim sleeps.
            return After::Drop(self.release_waiting(outside));
        }
        After::Nothing
    }

    const fn patience(capacity: usize, readers: usize) -> usize {
        let entries = if capacity < LEAST_WAITING {
            LEAST_WAITING
        } else if capacity > MOST_WAITING {
            MOST_WAITING
        } else {
            capacity
        };
        entries + 2 * readers
    }

    /// How many entries that have left can wait in their slots, at most: four times as many as it takes to pass the barrier
    /// (a batch that was closed late, and what comes while somebody reclaims), and what readers hold of stores that were
    /// cleared. Besides, each thread may be dropping [`AT_ONCE`] of them.
    pub const fn most_waiting(capacity: usize, readers: usize) -> usize {
        4 * Self::patience(capacity, readers) + (MOST_REPLACED + 1) * readers
    }

    /// Notes that this thread has the lock.
    #[inline(always)]
    fn arrive(&mut self, thread: usize) {
        if let Some(epoch) = self.epochs.get_mut(thread)
            && *epoch < self.epoch
        {
            *epoch = self.epoch;
            self.lagging -= 1;
        }
    }

    /// All that waits now belongs to the batch.
    fn close_batch(&mut self) {
        let newer = self.store.take_waiting();
        let waiting = self.store.join_waiting(self.batch.waiting, newer);
        self.batch = Batch { waiting, replaced: self.replaced.len(), views: self.replaced_views.len() };
        self.epoch += 1;
        self.lagging = self.reader_count;
    }

    /// The same, for whoever goes on to pass the barrier.
    pub(super) fn close_batch_to_reclaim(&mut self) {
        self.close_batch();
        self.reclaiming = true;
    }

    /// What [`After::Reclaim`] asks for, some entries at a time: `passed` says whether the heavy barrier has been passed
    /// since. The second value says whether there are more.
    pub fn reclaim(&mut self, passed: bool) -> (Departed<K, V>, bool) {
        self.refused |= !passed;
        let before = self.batch.waiting.len();
        let departed = self.release_batch(AT_ONCE, |table, held| passed.then(|| look_at_hazards(table, held)));
        // Without memory nothing goes, and somebody tries again later.
        self.reclaiming = (1..before).contains(&self.batch.waiting.len());
        (departed, self.reclaiming)
    }

    /// Lets up to `most` entries of the batch go. `hazards` notes what is held, and tells whether a reader is inside; it has
    /// none if nothing may go.
    fn release_batch(
        &mut self,
        most: usize,
        hazards: impl FnOnce(&[AtomicPtr<Reader>], &mut Vec<u32>) -> Option<bool>,
    ) -> Departed<K, V> {
        let mut departed = Departed::nothing();
        let mut held = Vec::new();
        let room = departed.pairs.try_reserve(most.min(self.batch.waiting.len())).is_ok()
            && held.try_reserve(self.reader_count).is_ok();
        let Some(inside) = hazards(&self.table, &mut held).filter(|_| room) else {
            return departed;
        };
        // SAFETY: whoever could see the batch has been outside since, or has shown its hazard before the barrier, or will look
        // again and find the word gone.
        self.batch.waiting = unsafe {
            self.store.release(self.batch.waiting, most, |id| held.contains(&id), |pair| departed.pairs.push(pair))
        };
        if !inside && self.batch.waiting.len() == 0 {
            let Batch { replaced, views, .. } = std::mem::replace(&mut self.batch, Batch::NOTHING);
            self.free_replaced(replaced, views, &mut departed);
        }
        departed
    }

    /// Passes the barrier and lets some go that wait, but none of the batch.
    #[cold]
    fn release_waiting(&mut self, outside: &Outside<impl Fn() -> bool>) -> Departed<K, V> {
        let mut departed = Departed::nothing();
        let mut held = Vec::new();
        let count = AT_ONCE.min(self.store.waiting().len());
        let room = departed.pairs.try_reserve(count).is_ok() && held.try_reserve(self.reader_count).is_ok();
        if room && (outside.barrier)() {
            look_at_hazards(&self.table, &mut held);
            let waiting = self.store.take_waiting();
            // SAFETY: as in `release_batch`.
            let rest = unsafe {
                self.store.release(waiting, count, |id| held.contains(&id), |pair| departed.pairs.push(pair))
            };
            self.store.put_waiting(rest);
        }
        departed
    }

    /// Lets all go, where there is no reader but the thread itself, which is not inside.
    fn release_alone(&mut self) -> Departed<K, V> {
        let mut departed = Departed::nothing();
        let newer = self.store.take_waiting();
        let waiting = self.store.join_waiting(std::mem::replace(&mut self.batch, Batch::NOTHING).waiting, newer);
        if waiting.len() == 1 {
            // SAFETY: no reader can see anything.
            unsafe { self.store.release(waiting, 1, |_| false, |pair| departed.one = Some(pair)) };
        } else {
            let room = departed.pairs.try_reserve(waiting.len()).is_ok();
            // SAFETY: as above.
            unsafe { self.store.release(waiting, waiting.len(), |_| !room, |pair| departed.pairs.push(pair)) };
        }
        self.free_replaced(self.replaced.len(), self.replaced_views.len(), &mut departed);
        departed
    }

    /// Whether no other thread can be a reader.
    #[inline(always)]
    fn is_alone(&self, thread: usize) -> bool {
        self.reader_count == 0 || self.reader_count == 1 && self.has_reader(thread)
    }

    #[inline(always)]
    fn has_reader(&self, thread: usize) -> bool {
        self.epochs.get(thread).is_some_and(|&epoch| epoch != NO_READER)
    }

    /// Leads readers to where the store has moved, and then turns those away that still search the old words.
    #[cold]
    fn publish(&mut self, front: &Front<K, V>) {
        let (view, mut replaced) = self.store.take_replaced();
        self.replaced.append(&mut replaced);
        let Some(view) = view else { return };
        // Release: pairs with the Acquire in `Front::view`.
        let old = front.view.swap(Box::into_raw(view), Ordering::Release);
        self.replaced_views.push(old);
        // After that, so that nobody who looks again finds the old words empty.
        self.replaced.iter_mut().for_each(Replaced::close);
    }

    /// Gives back so much of the oldest memory and views, which no reader can be in.
    fn free_replaced(&mut self, replaced: usize, views: usize, departed: &mut Departed<K, V>) {
        departed.replaced.extend(self.replaced.drain(..replaced));
        for view in self.replaced_views.drain(..views) {
            // SAFETY: made by a box in `new` or `publish`, and seen by nobody any more.
            drop(unsafe { Box::from_raw(view) });
        }
    }

    /// Takes everything out. Where no reader is inside, all of it is handed out; otherwise all but what readers look at,
    /// which goes with a later change. Without memory for an empty store, nothing has changed.
    pub fn take(
        &mut self,
        front: &Front<K, V>,
        outside: &Outside<impl Fn() -> bool>,
    ) -> Result<Departed<K, V>, OutOfMemory> {
        self.store.reserve_view()?;
        self.replaced.try_reserve(1)?;
        self.replaced_views.try_reserve(1)?;
        let mut held = Vec::new();
        held.try_reserve(self.reader_count)?;
        let old = self.store.take()?;
        self.replaced.push(old.into_replaced());
        self.publish(front);
        // What somebody is about to reclaim lies in the old slab, and goes with it.
        self.batch = Batch::NOTHING;
        let mut departed = Departed::nothing();
        let alone = self.is_alone(outside.thread);
        if !alone && !(outside.barrier)() {
            return Ok(departed);
        }
        // Readers that enter from now on see the new store alone, so each need only be seen outside once.
        let must_wait = self.replaced.len() > MOST_REPLACED;
        if alone || readers(&self.table).all(|reader| reader.is_seen_outside(must_wait)) {
            self.free_replaced(self.replaced.len(), self.replaced_views.len(), &mut departed);
            return Ok(departed);
        }
        // A reader was put to sleep inside. It keeps the memory, and at most one of the entries.
        look_at_hazards(&self.table, &mut held);
        let room = self.replaced.iter().map(|replaced| replaced.slots.len()).sum();
        if departed.pairs.try_reserve(room).is_ok() {
            for replaced in &self.replaced {
                // SAFETY: the words are closed since `publish`, the barrier was passed since, and what is held is left alone.
                unsafe { replaced.take_unless(|id| held.contains(&id), |pair| departed.pairs.push(pair)) };
            }
        }
        Ok(departed)
    }

    /// In the child of a fork, where this thread is alone: whatever others were about to do, they do no more.
    pub fn after_fork(&mut self, thread: usize) {
        for (at, reader) in self.table.iter().enumerate() {
            // Relaxed: the writer's own.
            // SAFETY: readers stand as long as the back.
            let reader = unsafe { reader.load(Ordering::Relaxed).as_ref() };
            if let Some(reader) = reader.filter(|_| at != thread) {
                // Relaxed: its thread is no more.
                reader.hazard.store(OUTSIDE, Ordering::Relaxed);
            }
        }
        for epoch in self.epochs.iter_mut().filter(|epoch| **epoch != NO_READER) {
            *epoch = self.epoch;
        }
        self.lagging = 0;
        self.reclaiming = false;
    }

    /// A reader for the thread of this number, if it has none yet.
    pub fn join(&mut self, front: &Front<K, V>, thread: usize) -> Result<(), OutOfMemory> {
        if self.has_reader(thread) {
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
            // Release: pairs with the Acquire in `Front::reader`. First the table, then the length that relies on it.
            front.readers.store(table.as_mut_ptr(), Ordering::Release);
            front.readers_len.store(count, Ordering::Release);
            self.replaced_tables.push(std::mem::replace(&mut self.table, table));
        }
        let reader = boxed(Reader::new())?;
        // Release: pairs with the Acquire in `Front::reader`.
        self.table[thread].store(Box::into_raw(reader), Ordering::Release);
        self.epochs[thread] = self.epoch;
        self.reader_count += 1;
        Ok(())
    }

    /// How many threads have called.
    pub fn reader_count(&self) -> usize {
        self.reader_count
    }

    /// Hits and misses that readers have counted.
    pub fn counts(&self) -> (u64, u64) {
        readers(&self.table).fold((0, 0), |(hits, misses), reader| {
            // Relaxed: numbers alone. Threads that were joined have been synchronized with.
            (hits + reader.hits.load(Ordering::Relaxed), misses + reader.misses.load(Ordering::Relaxed))
        })
    }

    /// All that it holds: the entries, and what waits to be let go.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let replaced = self.replaced.iter().flat_map(|replaced| store::pairs_of(&replaced.slots));
        self.store.iter().chain(replaced)
    }

    /// Everything in it, when no thread can reach it any more.
    pub fn into_contents(mut self, front: Front<K, V>) -> Departed<K, V> {
        for reader in &self.table {
            // Relaxed: nobody else is there.
            let reader = reader.load(Ordering::Relaxed);
            if !reader.is_null() {
                // SAFETY: made by a box in `join`, and used by nobody any more.
                drop(unsafe { Box::from_raw(reader) });
            }
        }
        // Relaxed: as above.
        self.replaced_views.push(front.view.load(Ordering::Relaxed));
        let mut departed = Departed::nothing();
        self.free_replaced(self.replaced.len(), self.replaced_views.len(), &mut departed);
        departed.contents = Some(self.store.into_contents());
        departed
    }
}

fn readers(table: &[AtomicPtr<Reader>]) -> impl Iterator<Item = &Reader> {
    // Relaxed: the writer's own.
    // SAFETY: readers stand as long as the back.
    table.iter().filter_map(|place| unsafe { place.load(Ordering::Relaxed).as_ref() })
}

/// Notes all slots that readers look at, and tells whether any reader is inside. For when the barrier has been passed.
fn look_at_hazards(table: &[AtomicPtr<Reader>], held: &mut Vec<u32>) -> bool {
    let mut inside = false;
    for reader in readers(table) {
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

// SAFETY: its pointers are its own; readers see keys and values from other threads.
unsafe impl<K: Send + Sync, V: Send + Sync> Send for Back<K, V> {}
