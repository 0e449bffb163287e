//! The wrapper's methods.

pub(in crate::py) use crate::ffi::build::set_item;
use crate::ffi::method_table::{Table, definition, methods, with_arguments, with_one_argument, without_arguments};
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build};
use crate::py::cache::capacity::Bound;
use crate::py::cache::eviction::Cause;
use crate::py::cache::policy::Policy;
use crate::py::cache::stats::Counts;
use crate::py::function::Wrapper;
use crate::py::function::call::parts::{Begun, Next, in_parts};
use crate::py::key::Key;
use crate::py::tier::remote::Remote;
use crate::py::tier::stats::with_own_counts;
use crate::py::tier::{Tier, with_tier};
use crate::py::{coroutine_object, libraries};
use crate::shm::RegionStats;
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::CStr;
use std::mem::MaybeUninit;

/// `lru_cache_wrapper.__doc__`
pub const DOC: &CStr = c"A function with a cache, as lru_cache() and cache() make it.\n\n\
    cache_info() tells how it fares, cache_clear() empties it, and cache_contains(), cache_invalidate(), cache_put()\n\
    and cache_refresh() work on the entry for one call's arguments. __wrapped__ is the function itself.";

/// `async_lru_cache_wrapper.__doc__`
pub const COROUTINE_DOC: &CStr =
    c"A coroutine function with a cache of awaited results, as lru_cache() and cache() make it.\n\n\
    It has what lru_cache_wrapper has. cache_put() takes a result, and cache_refresh() is to be awaited.";

impl Wrapper {
    /// [`Cache::contains`], or what the tier says.
    pub fn contains(&self, args: &CallArgs<'_>) -> Result<bool> {
        match self.behind() {
            Some((policy, tier)) => with_tier!(tier, |tier| self.tiered(policy, tier).contains(args)),
            None => Ok(self.cache.contains(args)?
                || self.in_remote(args, |remote, state, key_args| remote.contains(state, key_args))?),
        }
    }

    /// [`Cache::invalidate`], or the same in the tier.
    pub fn invalidate(&self, args: &CallArgs<'_>) -> Result<bool> {
        match self.behind() {
            Some((policy, tier)) => with_tier!(tier, |tier| self.tiered(policy, tier).invalidate(args)),
            None => {
                let was_near = self.cache.invalidate(args)?;
                let was_there = self.in_remote(args, |remote, state, key_args| remote.invalidate(state, key_args))?;
                if was_there && !was_near {
                    self.cache.invalidated();
                }
                Ok(was_near || was_there)
            }
        }
    }

    /// Stores a value. Reenters: `__hash__` and `__eq__` of arguments, finalizers of what leaves.
    pub fn put(&self, args: &CallArgs<'_>, value: Borrowed<'_>) -> Result<()> {
        coroutine_object::refuse_given(value)?;
        if let Some(policy) = self.policy().filter(|policy| policy.remote.is_some()) {
            self.cache.take_out(policy, args, Cause::Replaced)?;
            let ask = |remote: &Remote, state: &State, key_args: &CallArgs<'_>| {
                remote.put(self.as_object(), state, key_args, value).map(|()| true)
            };
            return self.in_remote(args, ask).map(drop);
        }
        if self.bound.get() == Bound::Off {
            return Ok(());
        }
        if let Some((policy, tier)) = self.behind() {
            return with_tier!(tier, |tier| self.tiered(policy, tier).put(args, value));
        }
        if let Some(policy) = self.policy() {
            return self.put_expiring(policy, args, value);
        }
        let hash = self.hash_of(args, args)?;
        self.keep(args, hash, (Key::new(args, self.kind)?, value.to_owned()), true)
    }
}

impl Wrapper {
    /// Drops all entries, those of the tier too, and counts from zero again. Reenters: finalizers of the entries, `on_evict`.
    pub fn clear(&self) -> Result<()> {
        self.tier().map_or(Ok(()), Tier::clear)?;
        let remote = self.policy().and_then(|policy| policy.remote.as_deref());
        // Near entries go, also if the server can't be reached.
        let cleared = remote.map_or(Ok(()), Remote::clear);
        match cleared {
            Ok(()) => self.cache.clear(),
            Err(raised) => {
                let exception = raised.take();
                self.cache.clear()?;
                Err(Raised::again(exception.borrow()))
            }
        }
    }

    /// Asks the server about one entry, if there is a server. Reenters: `key`, the tier.
    fn in_remote(
        &self,
        args: &CallArgs<'_>,
        ask: impl FnOnce(&Remote, &State, &CallArgs<'_>) -> Result<bool>,
    ) -> Result<bool> {
        let Some(policy) = self.policy() else { return Ok(false) };
        let Some(remote) = &policy.remote else { return Ok(false) };
        let state = State::of_instance(self.as_object())?;
        policy.with_key_args(args, |key_args| ask(remote, state, key_args))
    }

    /// `CacheInfo`. Reenters on first use: an import.
    pub fn info(&self, state: &State) -> Result<Owned> {
        match self.tier() {
            Some(tier) => self.cache.info_of(state, tier.summary()),
            None => self.cache.info(state),
        }
    }

    /// All that is counted of every cache.
    pub fn counts(&self) -> Counts {
        self.tier().map_or_else(|| self.cache.counts(), Tier::counts)
    }

    /// Drops what has expired, where it lies in memory, and says how much. Reenters: `clock`, `on_evict`, finalizers.
    fn expire(&self) -> Result<Owned> {
        build::count(self.cache.expire()? as u64)
    }

    /// A dict of all that is counted.
    pub fn stats(&self) -> Result<Owned> {
        let stats = match self.tier() {
            Some(tier) => tier.stats(),
            None if self.policy().is_some_and(|policy| policy.has_backend) => {
                with_own_counts(&self.cache.counts(), &RegionStats::default())
            }
            None => self.cache.stats(),
        }?;
        if let Some(policy) = self.policy()
            && policy.options.on_error.is_some()
        {
            let [.., errors] = policy.stats.all();
            build::set_item(&stats, build::interned(c"errors")?.borrow(), build::count(errors)?.borrow())?;
        }
        if let Some(policy) = self.policy()
            && let Some(remote) = &policy.remote
        {
            let (hits, ..) = self.store.counts();
            let tier_hits = policy.stats.tier_hits();
            let own = [(c"near_hits", hits.saturating_sub(tier_hits)), (c"tier_hits", tier_hits)];
            for (name, count) in own {
                build::set_item(&stats, build::interned(name)?.borrow(), build::count(count)?.borrow())?;
            }
            remote.add_counts(&stats)?;
        }
        Ok(stats)
    }

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

/// `cache_put(value, /, *args, **kwargs)`. Reenters: as [`Wrapper::put`].
fn put_first(this: &Wrapper, args: CallArgs<'_>) -> Result<Owned> {
    let Some((value, args)) = args.split_first() else {
        return Err(Raised::type_error(c"cache_put() takes the value to store as its first positional argument"));
    };
    this.put(&args, value).map(|()| build::none())
}

/// `cache_refresh(*args, **kwargs)`: as a call in parts. Reenters: as [`Wrapper::begin_refresh`], the function, and where its result is
/// stored, `__eq__` of keys and finalizers of what leaves.
///
/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
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

/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
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
    cache_expire = |this| this.expire();
    copy = |this| Ok(this.as_object().to_owned());
    copy_deeply = |this; _memo| Ok(this.as_object().to_owned());
}

/// `CachedFunction[[int], str]`
///
/// # Safety
/// CPython's call, with the type, and with the arguments that the table names.
unsafe extern "C" fn class_getitem(kind: *mut py::PyObject, item: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: two live objects.
    unsafe { py::Py_GenericAlias(kind, item) }
}

/// The methods.
pub static TABLE: Table<py::PyMethodDef, 14> = Table::new([
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
    without_arguments(
        c"cache_expire",
        cache_expire,
        c"cache_expire($self, /)\n--\n\nDrop the entries that have expired, and return how many there were.",
    ),
    definition(
        c"__class_getitem__",
        py::PyMethodDefPointer { PyCFunction: class_getitem },
        py::METH_O | py::METH_CLASS,
        Some(c"__class_getitem__($type, item, /)\n--\n\nThe type with parameters and a result, for annotations."),
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
