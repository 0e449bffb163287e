//! The caches of a cached method's instances: found, made, and let go.

use crate::core::hash::Hash;
use crate::core::view::Hit;
use crate::ffi::err::Kind;
use crate::ffi::sync::{Lent, Store};
use crate::ffi::{Borrowed, Owned, Raised, Result, object};
use crate::py::bound::object::BoundMethod;
use crate::py::cached_method::forget::{Forget, weak_reference};
use crate::py::cached_method::{Method, Parts};
use crate::py::function::{OfInstance, Wrapper};
use crate::py::key::Key;
use crate::state::State;
use pyo3_ffi as py;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an instance is known by while it lives: its address, without the bits that are always zero.
fn number_of(instance: Borrowed<'_>) -> i64 {
    (instance.as_ptr().addr() >> 4) as i64
}

/// How many caches there may be before those of dead instances are looked for: as many again as were alive the last time.
///
/// Most often there are none, since references call back when their instances die. The collector clears those without a call that
/// finalizers have made.
pub struct SweepAt(AtomicUsize);

impl SweepAt {
    const FIRST: usize = 8;

    /// Before the first sweep.
    pub const fn new() -> Self {
        Self(AtomicUsize::new(Self::FIRST))
    }

    /// Whether there are so many.
    fn is_due(&self, store: &Store<Key, Owned>) -> bool {
        // Relaxed: read and written under the store's lock.
        store.len() >= self.0.load(Ordering::Relaxed)
    }

    /// Takes out what nobody can ask for any more.
    fn sweep(&self, store: &mut Store<Key, Owned>) -> Vec<(Key, Owned)> {
        let mut left = Vec::new();
        let mut next = store.oldest();
        while let Some(id) = next {
            next = store.newer(id);
            // SAFETY: the values in this store are wrappers.
            if unsafe { Wrapper::has_lost_its_instance(store.value(id).borrow()) } {
                left.extend(store.take_out(id));
            }
        }
        // Relaxed: as above.
        self.0.store(Self::FIRST.max(2 * store.len()), Ordering::Relaxed);
        left
    }
}

/// A cache that was not there yet.
struct Made {
    cache: Owned,
    /// Whether it stays for further calls. It does not if its instance is being finalized, or has been: nobody may ever tell that
    /// this has died.
    stays: bool,
}

impl Method {
    /// What this makes of the instance's cache, if there is one.
    #[inline(always)]
    fn find<T>(parts: &Parts, instance: Borrowed<'_>, take: impl FnOnce(&Owned) -> T) -> Option<T> {
        // SAFETY: the values in this store are wrappers.
        let take = |cache: &Owned| unsafe { Wrapper::is_for(cache.borrow(), instance) }.then(|| take(cache));
        match parts.caches.find_with(Hash::of(number_of(instance) as u64), Key::is_inline_int, take) {
            Hit::Value(found) => Some(found),
            Hit::Absent(_) | Hit::Unsure(_) => None,
        }
    }

    /// The cache of this instance. Reenters on its first call: attributes of the function, weak references.
    pub fn cache_for(&self, instance: Borrowed<'_>) -> Result<Owned> {
        let parts = self.parts()?;
        if let Some(cache) = Self::find(parts, instance, Owned::clone) {
            return Ok(cache);
        }
        let _alive = self.as_object().to_owned();
        let Made { cache, stays } = self.find_or_make(parts, instance)?;
        if !stays {
            self.take_out(number_of(instance), |found| found.is(cache.borrow()))?;
        }
        Ok(cache)
    }

    /// Calls the cache of this instance. Reenters: as [`Method::cache_for`], and as the cache does.
    ///
    /// # Safety
    /// Arguments as vectorcall has them, held during the call.
    #[inline(always)]
    pub unsafe fn call(
        &self,
        instance: Borrowed<'_>,
        args: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        let lent = match self.parts() {
            // SAFETY: a wrapper holds itself where it lets Python code run.
            Ok(parts) => Self::find(parts, instance, |cache| unsafe { Lent::new(cache) }),
            Err(_raised) => return std::ptr::null_mut(),
        };
        match lent {
            // SAFETY: a wrapper, lent for this; the caller's arguments.
            Some(cache) => unsafe { Wrapper::call_directly(cache.borrow(), args, positional, kwnames) },
            // SAFETY: the caller's arguments.
            None => unsafe { self.call_first(instance, args, positional, kwnames) },
        }
    }

    /// [`Method::call`] where no cache was found.
    ///
    /// # Safety
    /// As there.
    #[cold]
    #[inline(never)]
    unsafe fn call_first(
        &self,
        instance: Borrowed<'_>,
        args: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        let _alive = self.as_object().to_owned();
        let made = self.parts().and_then(|parts| self.find_or_make(parts, instance));
        let Ok(Made { cache, stays }) = made else { return std::ptr::null_mut() };
        // SAFETY: a wrapper, held by us during the call; the caller's arguments.
        let result = unsafe { Wrapper::call_directly(cache.borrow(), args, positional, kwnames) };
        if !stays {
            // Not before: calls that this one makes find it.
            object::with_exception_aside(|| {
                let taken = self.take_out(number_of(instance), |found| found.is(cache.borrow()));
                drop(taken.map_err(Raised::take));
                drop(cache);
            });
        }
        result
    }

    /// Reenters: as [`Method::cache_for`].
    fn find_or_make(&self, parts: &Parts, instance: Borrowed<'_>) -> Result<Made> {
        parts.caches.register_thread(Some(self.as_object()));
        let number = number_of(instance);
        let hash = Hash::of(number as u64);
        let find = || parts.caches.change(|store| store.first_candidate(hash).map(|(entry, _)| entry.value().clone()));
        if let Some(cache) = find() {
            // SAFETY: the values in this store are wrappers.
            if unsafe { Wrapper::is_for(cache.borrow(), instance) } {
                return Ok(Made { cache, stays: true });
            }
            // That of an instance which had this address before: see `SweepAt`.
            self.take_out(number, |found| found.is(cache.borrow()))?;
        }
        let cache = self.make(parts, instance, number)?;
        // SAFETY: a live object.
        let stays = unsafe { py::PyObject_GC_IsFinalized(instance.as_ptr()) } == 0;
        // Another thread may have made one meanwhile: the first stays.
        let entry = (Key::of_inline_int(number), cache.clone());
        let (stored, sweep_is_due) = parts.caches.change(|store| {
            if store.first_candidate(hash).is_some() {
                return (Ok(Some(entry)), false);
            }
            let (key, cache) = entry;
            let stored = store.insert(hash, key, cache).map(|_none| None).map_err(|(key, cache, _)| (key, cache));
            (stored, parts.sweep_at.is_due(store))
        });
        if sweep_is_due {
            drop(parts.caches.change_rarely(|store| parts.sweep_at.sweep(store)));
        }
        match stored {
            Ok(None) => Ok(Made { cache, stays }),
            Ok(Some(_second)) => Ok(Made { cache: find().unwrap_or(cache), stays: true }),
            Err(_entry) => Err(Raised::no_memory()),
        }
    }

    /// A cache for this instance, which it does not keep alive. Reenters: as [`Method::cache_for`].
    fn make(&self, parts: &Parts, instance: Borrowed<'_>, number: i64) -> Result<Owned> {
        let state = State::of_instance(self.as_object())?;
        let forget = Forget::create(state, self.as_object(), number)?;
        let reference = weak_reference(instance, Some(forget.borrow())).or_else(|raised| refused(raised, instance))?;
        let function = BoundMethod::weakly(state, parts.function.borrow(), reference.borrow())?;
        let (typed, given) = (parts.typed.borrow(), parts.given.borrow());
        let of_instance = OfInstance { reference, method: parts.function.borrow(), coroutine: parts.coroutine };
        Wrapper::decorate(state, function.borrow(), parts.bound, typed, given, Some(of_instance))
    }

    /// Drops the cache under this number if it is the one meant. Reenters: finalizers of its entries.
    fn take_out(&self, number: i64, is_meant: impl Fn(Borrowed<'_>) -> bool) -> Result<()> {
        let gone = self.parts()?.caches.change_rarely(|store| {
            let (entry, _) = store.first_candidate(Hash::of(number as u64))?;
            let id = entry.id();
            if is_meant(entry.value().borrow()) { store.take_out(id) } else { None }
        });
        drop(gone);
        Ok(())
    }

    /// Drops the cache of an instance that is gone. Nothing if the method is no live one. Reenters: finalizers of its entries.
    pub fn forget(method: Borrowed<'_>, number: i64, reference: Borrowed<'_>) -> Result<()> {
        match Self::from_object(State::of_instance(method)?, method) {
            // SAFETY: the values in the store are wrappers.
            Some(method) => method.take_out(number, |found| unsafe { Wrapper::is_known_by(found, reference) }),
            None => Ok(()),
        }
    }
}

/// Says what to do about instances that can't be weakly referenced. Reenters: attributes of the instance's type.
#[cold]
fn refused(raised: Raised, instance: Borrowed<'_>) -> Result<Owned> {
    raised.unless(Kind::Type)?;
    object::call_with(object::import(c"tamis._method", c"refuse")?.borrow(), &[instance])
}
