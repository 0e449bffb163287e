//! The writer's side of a shared store: what it does for readers, and when it lets go what they may have seen.
//!
//! What leaves the store waits in two heaps. The older one is the batch. It may go
//!
//! - when every reader's thread has had the lock since the batch was closed: such a thread was outside of a hit then, and
//!   what it does later it does after the words were taken away (quiescent states; Hart et al., "Performance of memory
//!   reclamation for lockless synchronization", JPDC 67, 2007). Threads that miss now and then come by without being asked;
//! - or, if too much waits, when the heavy barrier has been passed: then all but what the hazards name.

use super::batch::Batch;
use super::departed::{After, Departed, Ticket};
use super::outside::Outside;
use super::reader_side::{ReaderSide, SharedView};
use super::readers::Readers;
use crate::core::atomics::{AtomicPtr, AtomicUsize, Ordering};
use crate::core::memory::Concurrent;
use crate::core::moves::Replaced;
use crate::core::slab;
use crate::core::store::Store;
use crate::core::{OutOfMemory, boxed};
use std::ptr;

type SharedStore<K, V> = Store<K, V, Concurrent>;

/// A batch is closed when an eighth of the capacity waits, but for these bounds.
const LEAST_BATCH: usize = 1;
const MOST_BATCH: usize = 32;
/// The barrier is passed when as many entries wait as the store may hold, but for these bounds, and two for each reader:
/// see [`WriterSide::most_waiting`].
const LEAST_WAITING: usize = 16;
const MOST_WAITING: usize = 256;
/// How many entries are let go under one lock.
const SOME: usize = 16;
/// So many stores that were cleared may be left to sleeping readers. Then clearing waits until these have left.
const MOST_REPLACED: usize = 4;

/// What the writer has to itself.
pub struct WriterSide<K, V> {
    store: SharedStore<K, V>,
    batch: Batch,
    /// Somebody passes the barrier for the batch, without the lock.
    reclaiming: bool,
    /// There is no barrier any more: what waits goes when every thread has come by.
    refused: bool,
    readers: Readers,
    replaced: Vec<Replaced<K, V, Concurrent>>,
    replaced_views: Vec<*mut SharedView<K, V>>,
}

impl<K, V> WriterSide<K, V> {
    /// An empty store of at most `capacity` entries.
    pub fn new(capacity: usize) -> Result<(ReaderSide<K, V>, Self), OutOfMemory> {
        let store = SharedStore::new(capacity)?;
        let view = boxed(store.view())?;
        let reader_side = ReaderSide {
            view: AtomicPtr::new(Box::into_raw(view)),
            readers: AtomicPtr::new(ptr::null_mut()),
            readers_len: AtomicUsize::new(0),
        };
        let writer_side = Self {
            store,
            batch: Batch::NOTHING,
            reclaiming: false,
            refused: false,
            readers: Readers::new(),
            replaced: Vec::new(),
            replaced_views: Vec::new(),
        };
        Ok((reader_side, writer_side))
    }

    /// The store, to look at.
    #[inline(always)]
    pub fn store(&self) -> &SharedStore<K, V> {
        &self.store
    }

    /// The store, to be changed just before [`WriterSide::take`].
    pub fn store_mut(&mut self) -> &mut SharedStore<K, V> {
        &mut self.store
    }

    /// Makes a change, shows it to readers, and says what is to be done when the lock has been given back.
    ///
    /// # Safety
    /// `reader_side` was made together with this.
    #[inline(always)]
    pub unsafe fn change<R>(
        &mut self,
        reader_side: &ReaderSide<K, V>,
        outside: &Outside<impl Fn() -> bool>,
        work: impl FnOnce(&mut SharedStore<K, V>) -> R,
    ) -> (R, After<K, V>) {
        self.change_and_let_go::<false, R>(reader_side, outside, work)
    }

    /// [`WriterSide::change`] for changes that are rare: what leaves is let go at once, unless a reader looks at it.
    ///
    /// # Safety
    /// `reader_side` was made together with this.
    pub unsafe fn change_rarely<R>(
        &mut self,
        reader_side: &ReaderSide<K, V>,
        outside: &Outside<impl Fn() -> bool>,
        work: impl FnOnce(&mut SharedStore<K, V>) -> R,
    ) -> (R, After<K, V>) {
        self.change_and_let_go::<true, R>(reader_side, outside, work)
    }

    #[inline(always)]
    fn change_and_let_go<const AT_ONCE: bool, R>(
        &mut self,
        reader_side: &ReaderSide<K, V>,
        outside: &Outside<impl Fn() -> bool>,
        work: impl FnOnce(&mut SharedStore<K, V>) -> R,
    ) -> (R, After<K, V>) {
        self.readers.arrive(outside.thread);
        let result = work(&mut self.store);
        let moved = self.store.has_moved();
        if moved {
            self.publish(reader_side);
        }
        let nothing = self.store.retired().len() == 0 && self.batch.retired.len() == 0 && self.replaced.is_empty();
        let after = if nothing {
            After::Nothing
        } else if self.readers.is_alone(outside.thread) {
            After::Drop(self.release_alone())
        } else {
            self.next(outside, moved, AT_ONCE)
        };
        (result, after)
    }

    /// What to do about what waits. It goes now if it is to go `at_once`, and when the store has moved.
    fn next(&mut self, outside: &Outside<impl Fn() -> bool>, moved: bool, at_once: bool) -> After<K, V> {
        let waiting = self.store.retired().len();
        let in_batch = self.batch.retired.len();
        let most = Self::patience(self.store.capacity(), self.readers.count());
        if !self.reclaiming {
            if (moved || at_once || waiting + in_batch >= most) && !self.refused {
                return After::Reclaim(self.close_batch_to_reclaim(at_once));
            }
            if in_batch > 0 && self.readers.all_have_arrived() {
                return After::Drop(self.release_batch(SOME, |_, _| Some(false)));
            }
            if in_batch == 0 && waiting >= (self.store.capacity() / 8).clamp(LEAST_BATCH, MOST_BATCH) {
                self.close_batch();
                self.readers.arrive(outside.thread);
            }
        } else if waiting >= 2 * most || at_once && waiting > 0 {
            // Whoever is to reclaim the batch may sleep, or run finalizers for long.
            return After::Drop(self.release_retired(outside, at_once));
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
    /// cleared. Besides, each thread may be dropping [`SOME`] of them.
    pub const fn most_waiting(capacity: usize, readers: usize) -> usize {
        4 * Self::patience(capacity, readers) + (MOST_REPLACED + 1) * readers
    }

    /// All that waits now belongs to the batch.
    fn close_batch(&mut self) {
        let newer = self.store.take_retired();
        let retired = self.store.join_retired(self.batch.retired, newer);
        self.batch = Batch { retired, replaced: self.replaced.len(), views: self.replaced_views.len() };
        self.readers.begin_epoch();
    }

    /// The same, for whoever goes on to pass the barrier.
    pub(super) fn close_batch_to_reclaim(&mut self, at_once: bool) -> Ticket {
        self.close_batch();
        self.reclaiming = true;
        Ticket { epoch: self.readers.epoch(), at_once }
    }

    /// What [`After::Reclaim`] asks for, some entries at a time: `passed` says whether the heavy barrier has been passed
    /// since. The second value says whether there are more.
    ///
    /// # Safety
    /// If `passed`, every other thread has passed a full fence since the ticket was given.
    pub unsafe fn reclaim(&mut self, ticket: Ticket, passed: bool) -> (Departed<K, V>, bool) {
        self.refused |= !passed;
        if ticket.epoch != self.readers.epoch() {
            return (Departed::nothing(), false);
        }
        let before = self.batch.retired.len();
        let departed =
            self.release_batch(SOME, |readers, held| passed.then(|| readers.look_at_hazards(held, ticket.at_once)));
        // Without memory nothing goes, and somebody tries again later.
        self.reclaiming = (1..before).contains(&self.batch.retired.len());
        (departed, self.reclaiming)
    }

    /// Lets up to `most` entries of the batch go. `hazards` notes what is held, and tells whether a reader is inside; it has
    /// none if nothing may go.
    fn release_batch(
        &mut self,
        most: usize,
        hazards: impl FnOnce(&Readers, &mut Vec<u32>) -> Option<bool>,
    ) -> Departed<K, V> {
        let mut departed = Departed::nothing();
        let mut held = Vec::new();
        let room = departed.pairs.try_reserve(most.min(self.batch.retired.len())).is_ok()
            && held.try_reserve(self.readers.count()).is_ok();
        let Some(inside) = hazards(&self.readers, &mut held).filter(|_| room) else {
            return departed;
        };
        let newer = self.store.retired().len();
        // SAFETY: whoever could see the batch has been outside since, or has shown its hazard before the barrier, or will look
        // again and find the word gone.
        self.batch.retired = unsafe {
            self.store.release(self.batch.retired, most, |id| held.contains(&id), |pair| departed.pairs.push(pair))
        };
        departed.held = self.store.retired().len() > newer || inside && self.batch.replaced > 0;
        if !inside && self.batch.retired.len() == 0 {
            let Batch { replaced, views, .. } = std::mem::replace(&mut self.batch, Batch::NOTHING);
            self.free_replaced(replaced, views, &mut departed);
        }
        departed
    }

    /// Passes the barrier and lets some go that wait, but none of the batch.
    #[cold]
    fn release_retired(&mut self, outside: &Outside<impl Fn() -> bool>, at_once: bool) -> Departed<K, V> {
        let mut departed = Departed::nothing();
        let mut held = Vec::new();
        let count = SOME.min(self.store.retired().len());
        let room = departed.pairs.try_reserve(count).is_ok() && held.try_reserve(self.readers.count()).is_ok();
        if room && (outside.barrier)() {
            self.readers.look_at_hazards(&mut held, at_once);
            let waiting = self.store.take_retired();
            // SAFETY: as in `release_batch`.
            let rest = unsafe {
                self.store.release(waiting, count, |id| held.contains(&id), |pair| departed.pairs.push(pair))
            };
            departed.held = self.store.retired().len() > 0;
            self.store.put_retired(rest);
        }
        departed
    }

    /// Lets all go, where there is no reader but the thread itself, which is not inside.
    fn release_alone(&mut self) -> Departed<K, V> {
        let mut departed = Departed::nothing();
        let newer = self.store.take_retired();
        let waiting = self.store.join_retired(std::mem::replace(&mut self.batch, Batch::NOTHING).retired, newer);
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

    /// Leads readers to where the store has moved, and then turns those away that still search the old words.
    #[cold]
    fn publish(&mut self, reader_side: &ReaderSide<K, V>) {
        let (view, mut replaced) = self.store.take_replaced();
        self.replaced.append(&mut replaced);
        let Some(view) = view else { return };
        // Release: pairs with the Acquire in `ReaderSide::view`.
        let old = reader_side.view.swap(Box::into_raw(view), Ordering::Release);
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
    ///
    /// # Safety
    /// `reader_side` was made together with this.
    pub unsafe fn take(
        &mut self,
        reader_side: &ReaderSide<K, V>,
        outside: &Outside<impl Fn() -> bool>,
    ) -> Result<Departed<K, V>, OutOfMemory> {
        self.store.reserve_view()?;
        self.replaced.try_reserve(1)?;
        self.replaced_views.try_reserve(1)?;
        let mut held = Vec::new();
        held.try_reserve(self.readers.count())?;
        let old = self.store.take()?;
        self.replaced.push(old.into_replaced());
        self.publish(reader_side);
        // What somebody is about to reclaim lies in the old slab, and goes with it.
        self.batch = Batch::NOTHING;
        let mut departed = Departed::nothing();
        let alone = self.readers.is_alone(outside.thread);
        if !alone && !(outside.barrier)() {
            return Ok(departed);
        }
        // Readers that enter from now on see the new store alone, so each need only be seen outside once.
        let must_wait = self.replaced.len() > MOST_REPLACED;
        if alone || self.readers.all_are_seen_outside(must_wait) {
            self.free_replaced(self.replaced.len(), self.replaced_views.len(), &mut departed);
            return Ok(departed);
        }
        // A reader was put to sleep inside. It keeps the memory, and at most one of the entries.
        self.readers.look_at_hazards(&mut held, false);
        departed.held = true;
        let room = self.replaced.iter().map(|replaced| replaced.slots.len()).sum();
        if departed.pairs.try_reserve(room).is_ok() {
            for replaced in &self.replaced {
                // SAFETY: the words are closed since `publish`, the barrier was passed since, and what is held is left alone.
                unsafe { replaced.take_unless(|id| held.contains(&id), |pair| departed.pairs.push(pair)) };
            }
        }
        Ok(departed)
    }

    /// In the child of a fork, before anything is changed there: whatever threads of the parent were about to do, they do no more,
    /// and nobody can see what left before the fork. `lives` says whether the thread of a number is one of this process. No thread
    /// gets a number meanwhile.
    ///
    /// # Safety
    /// This process is the child of a fork, in which nothing was changed yet, and `lives` tells the truth.
    pub unsafe fn after_fork(&mut self, lives: impl Fn(usize) -> bool) {
        self.readers.after_fork(lives);
        // The thread that forked may come back to its batch from a finalizer; its ticket says which one that was.
        self.reclaiming = false;
    }

    /// A reader for the thread of this number, if it has none yet: from now on it hits without a lock.
    ///
    /// # Safety
    /// `reader_side` was made together with this.
    pub unsafe fn register_thread(&mut self, reader_side: &ReaderSide<K, V>, thread: usize) -> Result<(), OutOfMemory> {
        self.readers.register(reader_side, thread)
    }

    /// How many threads have called.
    pub fn reader_count(&self) -> usize {
        self.readers.count()
    }

    /// Hits and misses that readers have counted.
    pub fn counts(&self) -> (u64, u64) {
        self.readers.counts()
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn replaced_count(&self) -> usize {
        self.replaced.len()
    }

    /// All that it holds: the entries, and what waits to be let go.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let replaced = self.replaced.iter().flat_map(|replaced| slab::pairs_of(&replaced.slots));
        self.store.iter().chain(replaced)
    }

    /// Everything in it, when no thread can reach it any more.
    ///
    /// # Safety
    /// `reader_side` was made together with this.
    pub unsafe fn into_contents(mut self, reader_side: ReaderSide<K, V>) -> Departed<K, V> {
        // Relaxed: nobody else is there.
        self.replaced_views.push(reader_side.view.load(Ordering::Relaxed));
        let mut departed = Departed::nothing();
        self.free_replaced(self.replaced.len(), self.replaced_views.len(), &mut departed);
        self.readers.free();
        departed.contents = Some(self.store.into_contents());
        departed
    }
}

// SAFETY: its pointers are its own; readers see keys and values from other threads.
unsafe impl<K: Send + Sync, V: Send + Sync> Send for WriterSide<K, V> {}
