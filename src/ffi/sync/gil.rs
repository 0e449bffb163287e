//! With the GIL: it is the lock. Whoever runs without calling Python is alone.

use crate::core::OutOfMemory;
use crate::core::forks;
use crate::core::hash::Hash;
use crate::core::memory::Local;
use crate::core::slab::Contents;
use crate::core::slot::SlotId;
use crate::core::store;
use crate::core::view::{Hit, Look, Verdict};
use crate::ffi::reference::{Borrowed, Owned};
use pyo3_ffi as py;
use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_int};
use std::sync::atomic::{AtomicU64, Ordering};

/// What a cache's entries lie in.
pub type Store<K, V> = store::Store<K, V, Local>;

/// What has to be done once in the process, before the first cache is made.
pub fn prepare() {
    forks::prepare();
}

/// What keeps threads apart, in a word.
pub fn lock_mode() -> &'static CStr {
    c"gil"
}

/// Adds one to a number that other processes read and this one alone writes.
#[inline(always)]
pub fn bump(counter: &AtomicU64) {
    // Relaxed, and no read-modify-write: the GIL keeps other threads out, and it is a number alone.
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// A store that is used only while nothing else can run, and its counts.
#[repr(C)]
pub struct LockedStore<K, V> {
    store: UnsafeCell<Store<K, V>>,
    hits: Cell<u64>,
    misses: Cell<u64>,
}

impl<K: Clone, V: Clone> LockedStore<K, V> {
    /// An empty one, of at most `capacity` entries.
    pub fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { store: UnsafeCell::new(Store::new(capacity)?), hits: Cell::new(0), misses: Cell::new(0) })
    }

    /// The value of the entry with this hash whose key `same` accepts, marked as used. Counts a hit.
    #[inline(always)]
    pub fn hit(&self, hash: Hash, same: impl FnOnce(&K) -> bool) -> Hit<V> {
        self.hit_with(hash, same, |value| Some(value.clone()))
    }

    /// As [`LockedStore::hit`], with what `take` makes of the value. If that is nothing, it is not counted.
    #[inline(always)]
    pub fn hit_with<T>(&self, hash: Hash, same: impl FnOnce(&K) -> bool, take: impl FnOnce(&V) -> Option<T>) -> Hit<T> {
        let found = self.find_with(hash, same, take);
        if matches!(found, Hit::Value(_)) {
            self.count_hit();
        }
        found
    }

    /// As [`LockedStore::hit_with`], counting nothing.
    #[inline(always)]
    pub fn find_with<T>(
        &self,
        hash: Hash,
        same: impl FnOnce(&K) -> bool,
        take: impl FnOnce(&V) -> Option<T>,
    ) -> Hit<T> {
        self.with(|store| store.hit(hash, same, take))
    }

    /// A closer look at what [`LockedStore::hit`] was unsure of. Counts a hit where the verdict is "same". `_owner` is the Python
    /// object that the cache belongs to.
    #[inline(always)]
    pub fn look(
        &self,
        _owner: Option<Borrowed<'_>>,
        hash: Hash,
        id: SlotId,
        judge: impl FnMut(&K) -> Verdict,
    ) -> Look<K, V> {
        let found = self.with(|store| store.look(hash, id, judge));
        if matches!(found, Look::Same(_)) {
            self.count_hit();
        }
        found
    }

    #[inline(always)]
    fn with<R>(&self, work: impl FnOnce(&Store<K, V>) -> R) -> R {
        self.change(|store| work(store))
    }

    /// Lends the store to `work`, which runs no Python code, drops no reference and does not come back here. Reenters:
    /// afterwards, finalizers, on builds where what leaves may have to wait.
    #[inline(always)]
    pub fn change<R>(&self, work: impl FnOnce(&mut Store<K, V>) -> R) -> R {
        // SAFETY: the GIL is held by this thread until `work` returns, since `work` runs no Python code, and for the
        // same reason nobody further up this thread's stack is inside `change`.
        work(unsafe { &mut *self.store.get() })
    }

    /// [`LockedStore::change`] for changes that are rare: what leaves is dropped at once. Reenters: afterwards, finalizers, on builds
    /// where what leaves may have to wait.
    pub fn change_rarely<R>(&self, work: impl FnOnce(&mut Store<K, V>) -> R) -> R {
        self.change(work)
    }

    /// Takes everything out, and counts from zero again. `before` may do something to the store first, as in
    /// [`LockedStore::change`].
    pub fn clear(&self, before: impl FnOnce(&mut Store<K, V>)) -> Result<Contents<K, V, Local>, OutOfMemory> {
        let old = self.change(|store| {
            before(store);
            store.take()
        })?;
        self.hits.set(0);
        self.misses.set(0);
        Ok(old.into_contents())
    }

    /// Sees to it that this thread can hit. `_owner` is the Python object that the cache belongs to.
    #[inline(always)]
    pub fn register_thread(&self, _owner: Option<Borrowed<'_>>) {}

    /// Counts a hit that [`LockedStore::hit`] and [`LockedStore::look`] have not counted.
    #[inline(always)]
    pub fn count_hit(&self) {
        self.hits.set(self.hits.get().wrapping_add(1));
    }

    /// Counts a miss.
    #[inline(always)]
    pub fn count_miss(&self) {
        self.misses.set(self.misses.get().wrapping_add(1));
    }

    /// Hits and misses since the last [`LockedStore::clear`], the number of entries, and how many
    /// have left for others.
    pub fn counts(&self) -> (u64, u64, usize, u64) {
        (self.hits.get(), self.misses.get(), self.with(Store::len), self.with(Store::evictions))
    }

    /// Shows the collector all that the store holds, until it says stop. Nothing else runs meanwhile.
    pub fn visit(&self, mut each: impl FnMut(&K, &V) -> c_int) -> c_int {
        // A collection starts at an allocation of a Python object, which nobody makes inside `with`.
        self.with(|store| store.iter().map(|(key, value)| each(key, value)).find(|&stop| stop != 0).unwrap_or(0))
    }

    /// Everything in it, when nobody else can reach it any more.
    pub fn into_contents(self) -> impl Iterator<Item = (K, V)> {
        self.store.into_inner().into_contents()
    }
}

/// An object that somebody is to use at once: with the GIL, by a reference that is not counted.
pub struct Lent(*mut py::PyObject);

impl Lent {
    /// Lends what a cache holds.
    ///
    /// # Safety
    /// As long as this stands nothing of Python runs, or whoever lets it run has a reference of its own then.
    #[inline(always)]
    pub unsafe fn new(object: &Owned) -> Self {
        Self(object.as_ptr())
    }

    /// The object.
    #[inline(always)]
    pub fn borrow(&self) -> Borrowed<'_> {
        // SAFETY: not null, and held: see `Lent::new`.
        unsafe { Borrowed::from_ptr(self.0) }
    }
}

/// The reference count of something of ours that is no Python object.
pub struct SharedCount(Cell<u32>);

impl SharedCount {
    /// One reference.
    pub const fn one() -> Self {
        Self(Cell::new(1))
    }

    /// One more.
    #[inline]
    pub fn add(&self) {
        self.0.set(self.0.get() + 1);
    }

    /// One less. True if it was the last.
    #[inline]
    pub fn remove(&self) -> bool {
        let left = self.0.get() - 1;
        self.0.set(left);
        left == 0
    }
}
