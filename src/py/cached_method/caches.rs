//! The caches of a cached method's instances: each is found, and taken out, by its instance's number.

use crate::core::OutOfMemory;
use crate::core::hash::Hash;
use crate::core::view::Hit;
use crate::ffi::dropper::Dropper;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, Owned, Raised, Result};
use crate::py::cache::entry_store::{Entries, Store};
use crate::py::function::Wrapper;
use crate::py::key::Key;
use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an instance is known by while it lives: its address, without the bits that are always zero.
#[inline(always)]
pub fn number_of(instance: Borrowed<'_>) -> i64 {
    (instance.as_ptr().addr() >> 4) as i64
}

/// The caches under the numbers of their instances. All values in the store are wrappers: [`Caches::insert`] sees to it.
pub struct Caches {
    entries: Entries,
    /// How many caches there may be before those of dead instances are looked for: as many again as were alive the last time.
    ///
    /// Most often there are none, since references call back when their instances die. The collector clears those without a call
    /// that finalizers have made.
    sweep_at: AtomicUsize,
}

impl Caches {
    const FIRST_SWEEP_AT: usize = 8;

    /// Without any.
    pub fn new() -> Result<Self> {
        let entries = Entries::new(usize::MAX).map_err(|OutOfMemory| Raised::no_memory())?;
        Ok(Self { entries, sweep_at: AtomicUsize::new(Self::FIRST_SWEEP_AT) })
    }

    /// Has the store know the thread that works on it. The owner is the object that holds this.
    pub fn register_thread(&self, owner: Borrowed<'_>) {
        self.entries.register_thread(Some(owner));
    }

    /// What `take` makes of the instance's cache, if there is one.
    #[inline(always)]
    pub fn find<T>(&self, instance: Borrowed<'_>, take: impl FnOnce(&Owned) -> T) -> Option<T> {
        // SAFETY: the values in this store are wrappers.
        let take = |cache: &Owned| unsafe { Wrapper::is_for(cache.borrow(), instance) }.then(|| take(cache));
        match self.entries.find_with(Hash::of(number_of(instance) as u64), Key::is_inline_int, take) {
            Hit::Value(found) => Some(found),
            Hit::Absent(_) | Hit::Unsure(_) => None,
        }
    }

    /// The instance's cache, if there is one. That of a dead instance which had its address before is taken out. Reenters: finalizers
    /// of its entries.
    pub fn find_or_clean(&self, instance: Borrowed<'_>) -> Option<Owned> {
        let cache = self.under(number_of(instance))?;
        // SAFETY: the values in this store are wrappers.
        if unsafe { Wrapper::is_for(cache.borrow(), instance) } {
            return Some(cache);
        }
        self.take_out(number_of(instance), |found| found.is(cache.borrow()));
        None
    }

    /// The cache under this number.
    fn under(&self, number: i64) -> Option<Owned> {
        let hash = Hash::of(number as u64);
        self.entries.change(|store| store.first_candidate(hash).map(|(entry, _)| entry.value().clone()))
    }

    /// Puts the cache of this number in, unless another thread has put one in before: then that one is returned. Reenters: finalizers of the
    /// entries of dead instances.
    pub fn insert(&self, number: i64, cache: Owned) -> Result<Option<Owned>> {
        if Wrapper::try_of(cache.borrow()).is_none() {
            return Err(Raised::type_error_naming_type(c"the cache of an instance is no %.200s", cache.borrow()));
        }
        let hash = Hash::of(number as u64);
        let entry = (Key::of_inline_int(number), cache);
        let (stored, sweep_is_due) = self.entries.change(|store| {
            if store.first_candidate(hash).is_some() {
                return (Ok(Some(entry)), false);
            }
            let (key, cache) = entry;
            let stored = store.insert(hash, key, cache).map(|_none| None).map_err(|(key, cache, _)| (key, cache));
            // Relaxed: read and written under the store's lock.
            (stored, store.len() >= self.sweep_at.load(Ordering::Relaxed))
        });
        if sweep_is_due {
            drop(self.entries.change_rarely(|store| self.sweep(store)));
        }
        match stored {
            Ok(None) => Ok(None),
            Ok(Some(_second)) => Ok(self.under(number)),
            Err(_entry) => Err(Raised::no_memory()),
        }
    }

    /// Takes out what nobody can ask for any more.
    fn sweep(&self, store: &mut Store) -> Vec<(Key, Owned)> {
        let mut left = Vec::new();
        let mut next = store.oldest();
        while let Some(id) = next {
            next = store.newer(id);
            // SAFETY: the values in this store are wrappers.
            if unsafe { Wrapper::has_lost_its_instance(store.value(id).borrow()) } {
                left.extend(store.take_out(id));
            }
        }
        // Relaxed: read and written under the store's lock.
        self.sweep_at.store(Self::FIRST_SWEEP_AT.max(2 * store.len()), Ordering::Relaxed);
        left
    }

    /// Drops the cache under this number if it is the one meant. Reenters: finalizers of its entries.
    pub fn take_out(&self, number: i64, is_meant: impl Fn(Borrowed<'_>) -> bool) {
        let taken = self.entries.change_rarely(|store| {
            let (entry, _) = store.first_candidate(Hash::of(number as u64))?;
            let id = entry.id();
            if is_meant(entry.value().borrow()) { store.take_out(id) } else { None }
        });
        drop(taken);
    }

    /// Drops the cache of the instance to which this reference led. Reenters: finalizers of its entries.
    pub fn forget(&self, number: i64, reference: Borrowed<'_>) {
        // SAFETY: the values in this store are wrappers.
        self.take_out(number, |found| unsafe { Wrapper::is_known_by(found, reference) });
    }

    /// Shows the collector all caches, until it says stop.
    pub fn visit(&self, visit: impl Fn(&Owned) -> c_int) -> c_int {
        self.entries.visit(|_number, cache| visit(cache))
    }

    /// Hands all caches to the dropper.
    pub fn take_apart(self, dropper: &mut Dropper) {
        self.entries.into_contents().for_each(|(_number, cache)| dropper.push(cache));
    }
}
