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
use crate::ffi::sync::StoreLock;
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
    #[inline(always)]
    fn with<R>(&self, work: impl FnOnce(&Store<K, V>) -> R) -> R {
        self.change(|store| work(store))
    }
}

impl<K: Clone, V: Clone> StoreLock<K, V> for LockedStore<K, V> {
    type Store = Store<K, V>;
    type Cleared = Contents<K, V, Local>;

    fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { store: UnsafeCell::new(Store::new(capacity)?), hits: Cell::new(0), misses: Cell::new(0) })
    }

    #[inline(always)]
    fn hit_with<T>(&self, hash: Hash, same: impl FnOnce(&K) -> bool, take: impl FnOnce(&V) -> Option<T>) -> Hit<T> {
        let found = self.find_with(hash, same, take);
        if matches!(found, Hit::Value(_)) {
            self.count_hit();
        }
        found
    }

    #[inline(always)]
    fn find_with<T>(&self, hash: Hash, same: impl FnOnce(&K) -> bool, take: impl FnOnce(&V) -> Option<T>) -> Hit<T> {
        self.with(|store| store.hit(hash, same, take))
    }

    #[inline(always)]
    fn look(
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
    fn change<R>(&self, work: impl FnOnce(&mut Store<K, V>) -> R) -> R {
        // SAFETY: the GIL is held by this thread until `work` returns, since `work` runs no Python code, and for the
        // same reason nobody further up this thread's stack is inside `change`.
        work(unsafe { &mut *self.store.get() })
    }

    fn change_rarely<R>(&self, work: impl FnOnce(&mut Store<K, V>) -> R) -> R {
        self.change(work)
    }

    fn clear(&self, before: impl FnOnce(&mut Store<K, V>)) -> Result<Contents<K, V, Local>, OutOfMemory> {
        let old = self.change(|store| {
            before(store);
            store.take()
        })?;
        self.hits.set(0);
        self.misses.set(0);
        Ok(old.into_contents())
    }

    #[inline(always)]
    fn register_thread(&self, _owner: Option<Borrowed<'_>>) {}

    #[inline(always)]
    fn count_hit(&self) {
        self.hits.set(self.hits.get().wrapping_add(1));
    }

    #[inline(always)]
    fn count_miss(&self) {
        self.misses.set(self.misses.get().wrapping_add(1));
    }

    fn counts(&self) -> (u64, u64, usize, u64) {
        (self.hits.get(), self.misses.get(), self.with(Store::len), self.with(Store::evictions))
    }

    fn visit(&self, mut each: impl FnMut(&K, &V) -> c_int) -> c_int {
        // A collection starts at an allocation of a Python object, which nobody makes inside `with`.
        self.with(|store| store.iter().map(|(key, value)| each(key, value)).find(|&stop| stop != 0).unwrap_or(0))
    }

    fn into_contents(self) -> impl Iterator<Item = (K, V)> {
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
