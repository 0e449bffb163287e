//! What hits read of a store, without a lock.

use super::reader::Reader;
use crate::core::atomics::{AtomicPtr, AtomicUsize, Ordering};
use crate::core::hash::Hash;
use crate::core::memory::Concurrent;
use crate::core::view::{Hit, Look, Verdict, View};
use std::marker::PhantomData;

pub(super) type SharedView<K, V> = View<K, V, Concurrent>;

/// What hits read. Writers write here only when the store moves or a thread calls for the first time.
pub struct ReaderSide<K, V> {
    pub(super) view: AtomicPtr<SharedView<K, V>>,
    /// The thread of number `n` has its reader at `n`, or null.
    pub(super) readers: AtomicPtr<AtomicPtr<Reader>>,
    pub(super) readers_len: AtomicUsize,
}

/// The calling thread's reader of one store, which only that thread uses.
pub struct OwnReader<'a, K, V> {
    side: &'a ReaderSide<K, V>,
    reader: &'a Reader,
    _of_this_thread: PhantomData<*const ()>,
}

impl<K, V> ReaderSide<K, V> {
    /// The reader of the calling thread, if it has been registered.
    ///
    /// # Safety
    /// `thread` is the number of the calling thread, and of no other one that lives. No closure that [`OwnReader::hit`] and
    /// [`OwnReader::look`] are given comes back to this store.
    #[inline(always)]
    pub unsafe fn reader(&self, thread: usize) -> Option<OwnReader<'_, K, V>> {
        self.reader_of(thread).map(|reader| OwnReader { side: self, reader, _of_this_thread: PhantomData })
    }

    /// The reader of the thread of this number.
    #[inline(always)]
    pub(super) fn reader_of(&self, thread: usize) -> Option<&Reader> {
        // Acquire: pairs with the Release in `Readers::register`.
        if thread >= self.readers_len.load(Ordering::Acquire) {
            return None;
        }
        // Acquire: as above. The table is at least as new as the length.
        let table = self.readers.load(Ordering::Acquire);
        // SAFETY: tables stand as long as this, and are no shorter than the length says.
        let place = unsafe { table.add(thread) };
        // SAFETY: as above.
        let place = unsafe { &*place };
        // Acquire: as above.
        // SAFETY: readers stand as long as their threads and this; `Readers::after_fork` gives back those of other threads alone.
        unsafe { place.load(Ordering::Acquire).as_ref() }
    }

    /// # Safety
    /// The caller has entered, and uses the view no longer than it stays.
    #[inline(always)]
    unsafe fn view(&self) -> SharedView<K, V> {
        // Acquire: pairs with the Release in `WriterSide::publish`.
        // SAFETY: views stand as long as a reader is inside.
        unsafe { *self.view.load(Ordering::Acquire) }
    }
}

impl<K, V> OwnReader<'_, K, V> {
    /// The hit path's search, without a lock. What it takes for absent is to be looked at again.
    #[inline(always)]
    pub fn hit<T>(&self, hash: Hash, same: impl FnOnce(&K) -> bool, take: impl FnOnce(&V) -> Option<T>) -> Hit<T> {
        self.reader.enter();
        // SAFETY: the reader has entered.
        let view = unsafe { self.side.view() };
        // SAFETY: the reader has entered, so the view stands, and what it protects.
        let found = unsafe { view.hit(hash, self.reader, same, take) };
        self.reader.leave();
        found
    }

    /// A closer look at all that may be the entry, without a lock.
    #[inline(always)]
    pub fn look(&self, hash: Hash, judge: impl FnMut(&K) -> Verdict) -> Look<K, V>
    where
        K: Clone,
        V: Clone,
    {
        self.reader.enter();
        // SAFETY: the reader has entered.
        let view = unsafe { self.side.view() };
        // SAFETY: the reader is inside, so the view stands, and what it protects.
        let found = unsafe { view.look(hash, self.reader, judge) };
        self.reader.leave();
        found
    }

    /// Counts a hit.
    #[inline(always)]
    pub fn count_hit(&self) {
        self.reader.count_hit();
    }

    /// Counts a miss.
    #[inline(always)]
    pub fn count_miss(&self) {
        self.reader.count_miss();
    }
}

// SAFETY: what hits share is atomic, or stands still while they can see it; keys and values are seen and cloned by any thread.
unsafe impl<K: Send + Sync, V: Send + Sync> Sync for ReaderSide<K, V> {}
// SAFETY: as above, and its pointers are its own.
unsafe impl<K: Send + Sync, V: Send + Sync> Send for ReaderSide<K, V> {}
