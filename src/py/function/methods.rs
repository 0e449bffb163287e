//! The wrapper's methods.

use crate::core::OutOfMemory;
use crate::core::slot::SlotId;
use crate::ffi::build::{self, set_item};
use crate::ffi::method_table::{Table, methods, with_arguments, with_one_argument, without_arguments};
use crate::ffi::sync::Store;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result};
use crate::py::cache::lookup::Action;
use crate::py::cache::policy::Policy;
use crate::py::cache::{Bound, Cache};
use crate::py::function::Wrapper;
use crate::py::function::call::parts::{Begun, Next, in_parts};
use crate::py::key::Key;
use crate::py::tier::region::Shared;
use crate::py::{cache_info, coroutine_object, libraries, unhashable};
use crate::shm::RegionStats;
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering;

/// `lru_cache_wrapper.__doc__`
pub const DOC: &CStr = c"A function with a cache, as lru_cache() and cache() make it.\n\n\
    cache_info() tells how it fares, cache_clear() empties it, and cache_contains(), cache_invalidate(), cache_put()\n\
    and cache_refresh() work on the entry for one call's arguments. __wrapped__ is the function itself.";

/// `async_lru_cache_wrapper.__doc__`
pub const COROUTINE_DOC: &CStr =
    c"A coroutine function with a cache of awaited results, as lru_cache() and cache() make it.\n\n\
    It has what lru_cache_wrapper has. cache_put() takes a result, and cache_refresh() is to be awaited.";

/// Tells whether there is an entry, and leaves it alone.
struct Contains;

impl Action for Contains {
    type Outcome = bool;

    fn found(&mut self, _store: &mut Store<Key, Owned>, _id: SlotId) -> bool {
        true
    }

    fn absent(&mut self, _store: &mut Store<Key, Owned>) -> bool {
        false
    }

    fn undecided(&mut self) -> bool {
        false
    }
}

/// Takes an entry out.
struct Invalidate;

impl Action for Invalidate {
    /// Whether it was there, and the entry, if that can be dropped now.
    type Outcome = (bool, Option<(Key, Owned)>);
    const RARE: bool = true;

    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Self::Outcome {
        (true, store.remove(id))
    }

    fn absent(&mut self, _store: &mut Store<Key, Owned>) -> Self::Outcome {
        (false, None)
    }

    fn undecided(&mut self) -> Self::Outcome {
        (false, None)
    }
}

impl Cache {
    /// Whether there is an entry. Reenters: `__hash__` and `__eq__` of arguments.
    pub fn contains(&self, args: &CallArgs<'_>) -> Result<bool> {
        if self.bound == Bound::Off {
            return Ok(false);
        }
        if let Some(policy) = self.policy() {
            return self.contains_expiring(policy, args);
        }
        let hash = unhashable::hash(None, args, args, self.kind)?;
        self.locate(hash, args, &mut Contains)
    }

    /// Drops an entry, and tells whether it was there. Reenters: `__hash__` and `__eq__` of arguments, finalizers of the entry.
    pub fn invalidate(&self, args: &CallArgs<'_>) -> Result<bool> {
        if self.bound == Bound::Off {
            return Ok(false);
        }
        if let Some(policy) = self.policy() {
            return self.invalidate_expiring(policy, args);
        }
        let hash = unhashable::hash(None, args, args, self.kind)?;
        let (was_there, entry) = self.locate(hash, args, &mut Invalidate)?;
        if was_there {
            self.invalidated();
        }
        drop(entry);
        Ok(was_there)
    }
}

impl Wrapper {
    /// [`Cache::contains`], or what the region says.
    pub fn contains(&self, args: &CallArgs<'_>) -> Result<bool> {
        match self.policy_shared() {
            Some((policy, shared)) => self.contains_shared(policy, shared, args),
            None => self.cache.contains(args),
        }
    }

    /// [`Cache::invalidate`], or the same in the region.
    pub fn invalidate(&self, args: &CallArgs<'_>) -> Result<bool> {
        match self.policy_shared() {
            Some((policy, shared)) => self.invalidate_shared(policy, shared, args),
            None => self.cache.invalidate(args),
        }
    }

    /// Stores a value. Reenters: `__hash__` and `__eq__` of arguments, finalizers of what leaves.
    pub fn put(&self, args: &CallArgs<'_>, value: Borrowed<'_>) -> Result<()> {
        coroutine_object::refuse_given(value)?;
        if self.bound == Bound::Off {
            return Ok(());
        }
        if let Some((policy, shared)) = self.policy_shared() {
            return self.put_shared(policy, shared, args, value);
        }
        if let Some(policy) = self.policy() {
            return self.put_expiring(policy, args, value);
        }
        let hash = self.hash_of(args, args)?;
        self.keep(args, hash, (Key::new(args, self.kind)?, value.to_owned()), true)
    }
}

impl Cache {
    /// Drops all entries and counts from zero again. Reenters: finalizers of the entries, `on_evict`.
    pub fn clear(&self) -> Result<()> {
        if let Some(shared) = self.shared() {
            shared.clear()?;
        }
        let mut left = Vec::new();
        let before = |store: &mut Store<Key, Owned>| {
            if let Some(policy) = self.policy() {
                policy.empty(store, &mut left);
            }
        };
        let contents = self.store.clear(before).map_err(|OutOfMemory| Raised::no_memory())?;
        // Relaxed: a number alone.
        self.invalidations.store(0, Ordering::Relaxed);
        let Some(policy) = self.policy() else {
            contents.for_each(drop);
            return Ok(());
        };
        policy.reset_stats();
        policy.cleared();
        contents.for_each(drop);
        policy.notify_evicted(left)
    }

    fn shared(&self) -> Option<&Shared> {
        self.policy()?.shared.as_ref()
    }

    /// Its options and its region, if it has one.
    #[inline]
    pub(in crate::py) fn policy_shared(&self) -> Option<(&Policy, &Shared)> {
        let policy = self.policy()?;
        Some((policy, policy.shared.as_ref()?))
    }

    /// How many entries it holds at most: 0 if it stores nothing, and nothing if there is no bound.
    pub fn most_entries(&self) -> Option<usize> {
        self.bound.entries()
    }

    /// `maxsize`, as it is told.
    pub fn maxsize(&self) -> Result<Owned> {
        self.most_entries().map_or_else(|| Ok(build::none()), |most| build::count(most as u64))
    }

    /// Reenters on first use: an import.
    pub fn info(&self, state: &State) -> Result<Owned> {
        let (hits, misses, entries) = match self.shared() {
            Some(shared) => shared.counts(),
            None => {
                let (hits, misses, entries, _) = self.store.counts();
                (hits, misses, entries as u64)
            }
        };
        cache_info::cache_info(
            state,
            [build::count(hits)?, build::count(misses)?, self.maxsize()?, build::count(entries)?],
        )
    }

    /// All that is counted of every cache, by name.
    pub fn counts(&self) -> [(&'static CStr, u64); 9] {
        if let Some(shared) = self.shared() {
            return crate::py::tier::region::common_counts(&shared.region.stats());
        }
        let (hits, misses, entries, evictions) = self.store.counts();
        let [expirations, stale_hits, coalesced, weight] = self.policy().map_or([0; 4], Policy::stats);
        // Relaxed: a number alone.
        let invalidations = self.invalidations.load(Ordering::Relaxed);
        [
            (c"hits", hits),
            (c"misses", misses),
            (c"evictions", evictions),
            (c"expirations", expirations),
            (c"invalidations", invalidations),
            (c"stale_hits", stale_hits),
            (c"coalesced", coalesced),
            (c"currsize", entries as u64),
            (c"weight", weight),
        ]
    }

    /// A dict of all that is counted.
    pub fn stats(&self) -> Result<Owned> {
        match self.shared() {
            Some(shared) => shared.stats(),
            None if self.policy().is_some_and(Policy::would_share) => {
                crate::py::tier::region::with_own_counts(&self.counts(), &RegionStats::default())
            }
            None => counts(&self.counts()),
        }
    }
}

impl Wrapper {
    fn parameters(&self, state: &State) -> Result<Owned> {
        // SAFETY: written by the collector alone, once nobody else reaches this.
        let typed = unsafe { &*self.typed_given.get() };
        parameters(state, self.maxsize()?.borrow(), typed.borrow(), self.policy().map(Policy::given))
    }
}

/// What `cache_parameters()` returns: a new dict of what a decorator was given.
pub fn parameters(
    state: &State,
    maxsize: Borrowed<'_>,
    typed: Borrowed<'_>,
    given: Option<Borrowed<'_>>,
) -> Result<Owned> {
    let parameters = build::dict()?;
    set_item(&parameters, state.names.maxsize.borrow(), maxsize)?;
    set_item(&parameters, state.names.typed.borrow(), typed)?;
    if let Some(given) = given {
        // SAFETY: two dicts.
        if unsafe { py::PyDict_Update(parameters.as_ptr(), given.as_ptr()) } != 0 {
            return Err(Raised::by_callee());
        }
    }
    Ok(parameters)
}

/// A dict of numbers under their names.
pub(in crate::py) fn counts(counts: &[(&CStr, u64)]) -> Result<Owned> {
    let dict = build::dict()?;
    for &(name, value) in counts {
        set_item(&dict, build::interned(name)?.borrow(), build::count(value)?.borrow())?;
    }
    Ok(dict)
}

/// `cache_put(value, /, *args, **kwargs)`. Reenters: as [`Wrapper::put`].
fn put_first(this: &Wrapper, args: CallArgs<'_>) -> Result<Owned> {
    let Some((value, args)) = args.split_first() else {
        return Err(Raised::type_error(c"cache_put() takes the value to store as its first positional argument"));
    };
    this.put(&args, value).map(|()| build::none())
}

/// `cache_refresh(*args, **kwargs)`: as a call in parts. Reenters: as [`Wrapper::begin_refresh`], the function, and where its result is
/// stored, `__eq__` of keys and finalizers of what leaves.
unsafe extern "C" fn cache_refresh(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: this function's own arguments.
    let begin = |begun: &mut _| unsafe { begin_refresh(object, args, nargs as usize, kwnames, begun) };
    // SAFETY: a method of the wrapper's type, called on an instance of it with FASTCALL and KEYWORDS, which is as vectorcall does.
    unsafe { in_parts(object, args, nargs as usize, kwnames, begin) }
}

#[inline(never)]
unsafe fn begin_refresh(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: usize,
    kwnames: *mut py::PyObject,
    begun: &mut MaybeUninit<Begun>,
) -> *mut py::PyObject {
    // SAFETY: a wrapper, held by the caller.
    let this = unsafe { Wrapper::of(object) };
    // SAFETY: the arguments of a method called with FASTCALL and KEYWORDS, during the call.
    let args = unsafe { CallArgs::new(args, nargs, kwnames) };
    Next::to_slot(this.begin_refresh(&args), begun)
}

methods! {
    &Wrapper:
    cache_contains = |this, args| this.contains(&args).map(build::boolean);
    cache_invalidate = |this, args| this.invalidate(&args).map(build::boolean);
    cache_put = |this, args| put_first(this, args);
    cache_info = |this| State::of_instance(this.as_object()).and_then(|state| this.info(state));
    cache_parameters = |this| State::of_instance(this.as_object()).and_then(|state| this.parameters(state));
    cache_clear = |this| this.clear().map(|()| build::none());
    cache_stats = |this| this.stats();
    copy = |this| Ok(this.as_object().to_owned());
    copy_deeply = |this; _memo| Ok(this.as_object().to_owned());
}

/// The methods.
pub static TABLE: Table<py::PyMethodDef, 12> = Table::new([
    without_arguments(
        c"cache_info",
        cache_info,
        c"cache_info($self, /)\n--\n\nCacheInfo(hits, misses, maxsize, currsize), counted since the last cache_clear().",
    ),
    without_arguments(
        c"cache_stats",
        cache_stats,
        c"cache_stats($self, /)\n--\n\nA new dict of all that was counted since the last cache_clear(), and of the sizes.",
    ),
    without_arguments(
        c"cache_clear",
        cache_clear,
        c"cache_clear($self, /)\n--\n\nDrop all entries and zero the counts.",
    ),
    without_arguments(
        c"cache_parameters",
        cache_parameters,
        c"cache_parameters($self, /)\n--\n\nA new dict of the options that the cache was made with.",
    ),
    with_arguments(
        c"cache_contains",
        cache_contains,
        c"cache_contains($self, /, *args, **kwargs)\n--\n\nWhether there is an entry for these arguments. Counts nothing.",
    ),
    with_arguments(
        c"cache_invalidate",
        cache_invalidate,
        c"cache_invalidate($self, /, *args, **kwargs)\n--\n\nDrop the entry for these arguments. True if there was one.",
    ),
    with_arguments(
        c"cache_put",
        cache_put,
        c"cache_put($self, value, /, *args, **kwargs)\n--\n\nStore a value for these arguments. Counts nothing.",
    ),
    with_arguments(
        c"cache_refresh",
        cache_refresh,
        c"cache_refresh($self, /, *args, **kwargs)\n--\n\n\
          Call the function, store its result and return it. Counts nothing.",
    ),
    without_arguments(c"__copy__", copy, c"The wrapper itself."),
    with_one_argument(c"__deepcopy__", copy_deeply, c"The wrapper itself."),
    libraries::METHODS[0],
    libraries::METHODS[1],
]);
