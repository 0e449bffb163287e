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

use super::OutOfMemory;
use super::atomics::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, light_barrier};
use super::hash::Hash;
use super::memory::Concurrent;
use super::store::{self, Contents, Hit, Look, Protect, Replaced, Store, Verdict, View, boxed};
use std::ptr;

type SharedStore<K, V> = Store<K, V, Concurrent>;
type SharedView<K, V> = View<K, V, Concurrent>;

/// The thread looks at nothing.
const OUTSIDE: u32 = 0;
/// The thread looks at words, and at no slot yet. No slab is so large.
const SEARCHING: u32 = u32::MAX;
/// How many entries may wait to be let go, beside two for each reader: at least, and at most. In between, an eighth of
/// the capacity.
const LEAST_WAITING: usize = 8;
const MOST_WAITING: usize = 256;
/// How often clearing looks at the hazards before it leaves something to readers: they are inside for nanoseconds, unless
/// they were put to sleep.
const CLEAR_PATIENCE: u32 = 64;
const FIRST_READERS: usize = 8;

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

    #[inline(always)]
    fn enter(&self) {
        // Relaxed: ordered by the barrier.
        self.hazard.store(SEARCHING, Ordering::Relaxed);
        light_barrier();
    }

    #[inline(always)]
    fn leave(&self) {
        // Release: pairs with the Acquire in `Back::hazards`.
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

/// What the writer has to itself.
pub struct Back<K, V> {
    store: SharedStore<K, V>,
    replaced: Vec<Replaced<K, V, Concurrent>>,
    replaced_views: Vec<*mut SharedView<K, V>>,
    replaced_tables: Vec<Vec<AtomicPtr<Reader>>>,
    table: Vec<AtomicPtr<Reader>>,
    reader_count: usize,
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

    /// Whether there is nothing to drop.
    #[inline(always)]
    pub fn is_nothing(&self) -> bool {
        self.one.is_none() && self.pairs.is_empty() && self.contents.is_none() && self.replaced.is_empty()
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
pub struct Outside<'a, B> {
    /// The generation that readers see.
    pub generation: &'a AtomicU64,
    /// The number of the thread that makes the change; that of no reader if it has none.
    pub thread: usize,
    /// The heavy barrier: every other thread passes a full fence before it returns true.
    pub barrier: B,
}

impl<K, V> Front<K, V> {
    /// The reader of the thread of this number.
    #[inline(always)]
    pub fn reader(&self, thread: usize) -> Option<&Reader> {
        // Acquire: pairs with the Release in `Back::join`.
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

    /// The hit path's search, without a lock. The generation in `Absent` says nothing: see [`Front::look`].
    #[inline(always)]
    pub fn hit<T>(
        &self,
        reader: &Reader,
        hash: Hash,
        same: impl FnOnce(&K) -> bool,
        take: impl FnOnce(&V) -> T,
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
    pub fn look(
        &self,
        reader: &Reader,
        generation: &AtomicU64,
        hash: Hash,
        judge: impl FnMut(&K) -> Verdict,
    ) -> Look<K, V>
    where
        K: Clone,
        V: Clone,
    {
        // Acquire: pairs with the Release in `Back::show_generation`: what is searched is at least as new.
        let generation = generation.load(Ordering::Acquire);
        reader.enter();
        // SAFETY: the reader has entered.
        let view = unsafe { self.view() };
        // SAFETY: the reader is inside, so the view stands, and what it protects.
        let found = unsafe { view.look(hash, reader, judge) };
        reader.leave();
        match found {
            Look::Absent(_) => Look::Absent(generation),
            found => found,
        }
    }
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
            replaced: Vec::new(),
            replaced_views: Vec::new(),
            replaced_tables: Vec::new(),
            table: Vec::new(),
            reader_count: 0,
        };
        Ok((front, back))
    }

    /// The store, to look at.
    #[inline(always)]
    pub fn store(&self) -> &SharedStore<K, V> {
        &self.store
    }

    /// Makes a change, shows it to readers, and tells what may be dropped now.
    #[inline(always)]
    pub fn change<R>(
        &mut self,
        front: &Front<K, V>,
        outside: &Outside<'_, impl Fn() -> bool>,
        work: impl FnOnce(&mut SharedStore<K, V>) -> R,
    ) -> (R, Departed<K, V>) {
        let result = work(&mut self.store);
        let moved = self.store.has_moved();
        if moved {
            self.publish(front);
        }
        self.show_generation(outside);
        let waiting = self.store.waiting();
        let departed = if waiting == 0 && !moved {
            Departed::nothing()
        } else if waiting == 1 && !moved && self.replaced.is_empty() && self.is_alone(outside.thread) {
            let mut departed = Departed::nothing();
            // SAFETY: there is no reader but this thread, which is not inside.
            unsafe { self.store.release(|pair| departed.one = Some(pair)) };
            departed
        } else if moved || waiting >= self.patience() || self.is_alone(outside.thread) {
            self.reclaim(front, outside)
        } else {
            Departed::nothing()
        };
        (result, departed)
    }

    fn show_generation(&self, outside: &Outside<'_, impl Fn() -> bool>) {
        // Relaxed: the writer's own.
        if outside.generation.load(Ordering::Relaxed) != self.store.generation() {
            // Release: pairs with the Acquire in `Front::look`.
            outside.generation.store(self.store.generation(), Ordering::Release);
        }
    }

    /// How many entries may wait before the hazards are looked at.
    fn patience(&self) -> usize {
        (self.store.capacity() / 8).clamp(LEAST_WAITING, MOST_WAITING) + 2 * self.reader_count
    }

    /// Whether no other thread can be a reader.
    #[inline(always)]
    fn is_alone(&self, thread: usize) -> bool {
        self.reader_count == 0 || self.reader_count == 1 && self.has_reader(thread)
    }

    fn has_reader(&self, thread: usize) -> bool {
        // Relaxed: the writer's own.
        self.table.get(thread).is_some_and(|place| !place.load(Ordering::Relaxed).is_null())
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

    /// Lets go what nobody can see any more.
    #[inline(never)]
    fn reclaim(&mut self, front: &Front<K, V>, outside: &Outside<'_, impl Fn() -> bool>) -> Departed<K, V> {
        let mut departed = Departed::nothing();
        if departed.pairs.try_reserve(self.store.waiting()).is_err() {
            return departed;
        }
        let (store, table) = (&self.store, &self.table);
        let Some(inside) = hazards(table, outside, self.is_alone(outside.thread), |slot| store.hold(slot)) else {
            return departed;
        };
        // SAFETY: what waits has left the words; whoever found it there before has shown its hazard, or will look again and
        // find it gone.
        unsafe { self.store.release(|pair| departed.pairs.push(pair)) };
        if !inside {
            self.free_replaced(&mut departed);
        }
        let _ = front;
        departed
    }

    /// Gives back what no reader can be in.
    fn free_replaced(&mut self, departed: &mut Departed<K, V>) {
        departed.replaced.append(&mut self.replaced);
        for view in self.replaced_views.drain(..) {
            // SAFETY: made by a box in `new` or `publish`, and seen by nobody any more.
            drop(unsafe { Box::from_raw(view) });
        }
    }

    /// Takes everything out. Where no reader is inside, all of it is handed out; otherwise all but what readers look at,
    /// which goes with a later change. Without memory for an empty store, nothing has changed.
    pub fn take(
        &mut self,
        front: &Front<K, V>,
        outside: &Outside<'_, impl Fn() -> bool>,
    ) -> Result<Departed<K, V>, OutOfMemory> {
        self.store.reserve_view()?;
        self.replaced.try_reserve(1)?;
        self.replaced_views.try_reserve(1)?;
        let old = self.store.take()?;
        self.replaced.push(old.into_replaced());
        self.publish(front);
        self.show_generation(outside);
        let mut departed = Departed::nothing();
        let alone = self.is_alone(outside.thread);
        for _ in 0..CLEAR_PATIENCE {
            match hazards(&self.table, outside, alone, |_| ()) {
                Some(false) => {
                    self.free_replaced(&mut departed);
                    return Ok(departed);
                }
                Some(true) => std::hint::spin_loop(),
                None => return Ok(departed),
            }
        }
        // A reader was put to sleep inside. It keeps the memory, and at most one of the entries.
        let mut held = Vec::new();
        let room = self.replaced.iter().map(|replaced| replaced.slots.len()).sum();
        if departed.pairs.try_reserve(room).is_err() || held.try_reserve(self.reader_count).is_err() {
            return Ok(departed);
        }
        if hazards(&self.table, outside, alone, |slot| held.push(slot)).is_some() {
            for replaced in &self.replaced {
                // SAFETY: the words are closed since `publish`, and what readers held after that is left alone.
                unsafe { replaced.take_unless(|id| held.contains(&id), |pair| departed.pairs.push(pair)) };
            }
        }
        Ok(departed)
    }

    /// A reader for the thread of this number, which has none yet.
    pub fn join(&mut self, front: &Front<K, V>, thread: usize) -> Result<(), OutOfMemory> {
        if self.has_reader(thread) {
            return Ok(());
        }
        if thread >= self.table.len() {
            let mut table = Vec::new();
            table.try_reserve_exact((thread + 1).next_power_of_two().max(FIRST_READERS))?;
            self.replaced_tables.try_reserve(1)?;
            // Relaxed: the writer's own.
            table.extend(self.table.iter().map(|place| AtomicPtr::new(place.load(Ordering::Relaxed))));
            table.resize_with(table.capacity(), || AtomicPtr::new(ptr::null_mut()));
            // Release: pairs with the Acquire in `Front::reader`. First the table, then the length that relies on it.
            front.readers.store(table.as_mut_ptr(), Ordering::Release);
            front.readers_len.store(table.len(), Ordering::Release);
            self.replaced_tables.push(std::mem::replace(&mut self.table, table));
        }
        let reader = boxed(Reader::new())?;
        // Release: pairs with the Acquire in `Front::reader`.
        self.table[thread].store(Box::into_raw(reader), Ordering::Release);
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
        self.free_replaced(&mut departed);
        departed.contents = Some(self.store.into_contents());
        departed
    }
}

fn readers(table: &[AtomicPtr<Reader>]) -> impl Iterator<Item = &Reader> {
    // Relaxed: the writer's own.
    // SAFETY: readers stand as long as the back.
    table.iter().filter_map(|place| unsafe { place.load(Ordering::Relaxed).as_ref() })
}

/// Shows all slots that readers look at, and tells whether any reader is inside. None if the barrier failed.
fn hazards(
    table: &[AtomicPtr<Reader>],
    outside: &Outside<'_, impl Fn() -> bool>,
    alone: bool,
    mut each: impl FnMut(u32),
) -> Option<bool> {
    if alone {
        return Some(false);
    }
    if !(outside.barrier)() {
        return None;
    }
    let mut inside = false;
    for reader in readers(table) {
        // Acquire: pairs with the Release in `Reader::leave` and `Reader::protect`.
        match reader.hazard.load(Ordering::Acquire) {
            OUTSIDE => {}
            SEARCHING => inside = true,
            slot => {
                inside = true;
                each(slot);
            }
        }
    }
    Some(inside)
}
