//! Calls of caches with options. They share the store and its searches with the plain ones; each value lies in an entry
//! with its terms.

use super::call::is_single;
use super::flights::Flights;
use super::lookup::Action;
use super::{Bound, Wrapper};
use crate::core::clock::{self, NEVER, Time};
use crate::core::hash::Hash;
use crate::core::view::{Hit, SlotId};
use crate::ffi::exact::{self, Verdict};
use crate::ffi::sync::Store;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, clock as clocks, compat, object};
use crate::module::State;
use crate::py::entry::{Age, Entry, Terms};
use crate::py::key::{self, Key};
use crate::py::options::{self, Clock, Copy, Options, Ttl};
use pyo3_ffi as py;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a wrapper with options has beside.
pub struct Extra {
    pub(super) options: Options,
    /// As they were given: a dict.
    given: Owned,
    entry_type: Owned,
    ignored: Option<Ignored>,
    /// Whether the hit path needs nothing but a clock of ours.
    quick: bool,
    /// What is being computed, with `single_flight`.
    flights: Option<Flights>,
    weight: AtomicU64,
    random: AtomicU64,
    stats: Stats,
}

/// What `cache_stats()` counts beside hits and misses.
#[derive(Default)]
struct Stats {
    expirations: AtomicU64,
    stale_hits: AtomicU64,
    coalesced: AtomicU64,
}

/// Which arguments are left out of the key: see `tamis/_signature.py`.
struct Ignored {
    places: Vec<usize>,
    rest_from: usize,
    names: Owned,
    collected_beside: Option<Owned>,
}

/// Why an entry has left.
#[derive(Clone, std::marker::Copy, PartialEq, Eq)]
pub enum Cause {
    /// For another one, to keep a bound.
    Size,
    /// It was too old.
    Expired,
    /// `cache_invalidate()`
    Invalidated,
    /// By a new value for the same key.
    Replaced,
    /// `cache_clear()`
    Cleared,
}

impl Cause {
    const fn text(self) -> &'static CStr {
        match self {
            Self::Size => c"size",
            Self::Expired => c"expired",
            Self::Invalidated => c"invalidated",
            Self::Replaced => c"replaced",
            Self::Cleared => c"cleared",
        }
    }
}

/// Entries that have left, to be told of and dropped outside of the borrow.
pub type Left = Vec<(Key, Owned, Cause)>;

fn entry(object: &Owned) -> &Entry {
    // SAFETY: the values in the store of a cache with options are entries.
    unsafe { Entry::of(object) }
}

impl Extra {
    /// For this function. Reenters: imports, the function's signature.
    pub fn new(state: &State, function: Borrowed<'_>, options: Options, given: Borrowed<'_>) -> Result<Self> {
        let ignored = options.ignore.as_ref().map(|names| Ignored::of(function, names)).transpose()?;
        let quick = options.key.is_none()
            && ignored.is_none()
            && matches!(options.copy, Copy::No)
            && !matches!(options.clock, Clock::Given(_));
        let flights = options.single_flight.then(|| Flights::new(state)).transpose()?;
        Ok(Self {
            quick,
            ignored,
            flights,
            options,
            given: options::copied(given)?,
            entry_type: state.entry_type.clone(),
            weight: AtomicU64::new(0),
            random: AtomicU64::new(std::ptr::from_ref(state) as u64 ^ function.as_ptr() as u64),
            stats: Stats::default(),
        })
    }

    /// The options as they were given.
    pub fn given(&self) -> Borrowed<'_> {
        self.given.borrow()
    }

    /// The objects that it holds, for the collector.
    pub fn held(&self) -> impl Iterator<Item = Borrowed<'_>> {
        let options = &self.options;
        let ttl = if let Ttl::Of(ttl) = &options.ttl { Some(ttl) } else { None };
        let copy = if let Copy::By(copy) = &options.copy { Some(copy) } else { None };
        let clock = if let Clock::Given(clock) = &options.clock { Some(clock) } else { None };
        let weigher = options.weight.as_ref().map(|(weigher, _)| weigher);
        [Some(&self.given), options.key.as_ref(), options.on_evict.as_ref(), ttl, copy, clock, weigher]
            .into_iter()
            .flatten()
            .map(Owned::borrow)
    }

    /// Runs `work` on the arguments that make the key. Reenters: `key`.
    fn with_key_args<R>(&self, args: &CallArgs<'_>, work: impl FnOnce(&CallArgs<'_>) -> Result<R>) -> Result<R> {
        if let Some(key) = &self.options.key {
            let made = key.borrow().call(args)?;
            let values = [made.borrow()];
            return work(&CallArgs::of_positional(&values));
        }
        match &self.ignored {
            None => work(args),
            Some(ignored) => ignored.with_rest(args, work),
        }
    }

    /// The terms of a value that is stored now. Reenters: `ttl` and `weigher`, `clock`.
    fn terms(&self, value: Borrowed<'_>) -> Result<(Terms, Time)> {
        let ttl = match &self.options.ttl {
            Ttl::Never => NEVER,
            Ttl::Fixed(span) => *span,
            Ttl::Of(callable) => options::ttl_of(object::call_with(callable.borrow(), &[value])?.borrow())?,
        };
        let weight = match &self.options.weight {
            None => 0,
            Some((weigher, _)) => options::weight_of(object::call_with(weigher.borrow(), &[value])?.borrow())?,
        };
        let now = self.options.now()?;
        let ttl = if self.options.jitter > 0.0 {
            // Relaxed: any number will do.
            clock::shortened(ttl, self.options.jitter, clock::scrambled(self.random.fetch_add(1, Ordering::Relaxed)))
        } else {
            ttl
        };
        let fresh_until = clock::after(now, ttl);
        let stale_until = clock::after(fresh_until, self.options.stale);
        Ok((Terms { fresh_until, stale_until, idle: self.options.tti, weight }, now))
    }

    /// What a hit returns. Reenters: `copy`.
    #[inline(always)]
    pub(super) fn copied(&self, value: Owned) -> Result<Owned> {
        match &self.options.copy {
            Copy::No => Ok(value),
            Copy::By(callable) => object::call_with(callable.borrow(), &[value.borrow()]),
        }
    }

    /// Counts a call that another one's computation has answered.
    pub(super) fn count_coalesced(&self) {
        // Relaxed: a number alone.
        self.stats.coalesced.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes all entries out, under the lock, where they are to be told of. Nothing weighs anything then.
    pub fn empty(&self, store: &mut Store<Key, Owned>, left: &mut Left) {
        if self.options.on_evict.is_some() {
            while let Some((key, object)) = store.evict() {
                left.push((key, object, Cause::Cleared));
            }
        }
        // Relaxed: changed under the lock.
        self.weight.store(0, Ordering::Relaxed);
    }

    /// Who calls from now on is not to get what is being computed now.
    pub fn cleared(&self) {
        if let Some(flights) = &self.flights {
            flights.forget();
        }
    }

    /// Counts from zero again.
    pub fn reset_stats(&self) {
        // Relaxed: numbers alone.
        self.stats.expirations.store(0, Ordering::Relaxed);
        self.stats.stale_hits.store(0, Ordering::Relaxed);
        self.stats.coalesced.store(0, Ordering::Relaxed);
    }

    fn most_weight(&self) -> u64 {
        self.options.weight.as_ref().map_or(u64::MAX, |&(_, most)| most)
    }

    /// Tells of entries that have left, and drops them. Reenters: `on_evict`, finalizers.
    pub fn tell(&self, left: Left) {
        for (key, object, cause) in left {
            if cause == Cause::Expired {
                // Relaxed: a number alone.
                self.stats.expirations.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(callback) = &self.options.on_evict {
                let told = key.to_object().and_then(|key| {
                    let cause = object::interned(cause.text())?;
                    let value = entry(&object).value();
                    object::call_with(callback.borrow(), &[key.borrow(), value.borrow(), cause.borrow()])
                });
                if told.is_err() {
                    // SAFETY: an attached thread with an exception set, and a live object.
                    unsafe { py::PyErr_WriteUnraisable(callback.as_ptr()) };
                }
            }
        }
    }

    /// A store's entry is no more. Under the lock.
    fn forget_weight(&self, object: &Owned) {
        // Relaxed: changed under the lock.
        self.weight.fetch_sub(entry(object).weight(), Ordering::Relaxed);
    }

    fn weight(&self) -> u64 {
        // Relaxed: as above.
        self.weight.load(Ordering::Relaxed)
    }
}

impl Ignored {
    fn of(function: Borrowed<'_>, names: &Owned) -> Result<Self> {
        // SAFETY: a terminated string.
        let module = unsafe { py::PyImport_ImportModule(c"tamis._signature".as_ptr()) };
        // SAFETY: a new reference or null.
        let module = unsafe { Owned::from_call(module) }?;
        let resolve = module.borrow().attr(object::interned(c"ignored")?.borrow())?;
        let answer = object::call_with(resolve.borrow(), &[function, names.borrow()])?;
        let &[places, rest, names, collected_beside] = exact::tuple_items(answer.borrow()) else {
            return Err(Raised::type_error(c"tamis._signature.ignored must return four values"));
        };
        let index = |object: Borrowed<'_>| {
            // SAFETY: an int, as the function returns.
            unsafe { py::PyLong_AsSsize_t(object.as_ptr()) }
        };
        Ok(Self {
            places: exact::tuple_items(places).iter().map(|&place| index(place) as usize).collect(),
            // -1 becomes larger than any count.
            rest_from: index(rest) as usize,
            names: names.to_owned(),
            collected_beside: (!collected_beside.is_none()).then(|| collected_beside.to_owned()),
        })
    }

    /// Whether the keyword argument of this name is left out. Names are exact `str` in calls that Python code makes.
    fn leaves_out(&self, name: Borrowed<'_>) -> Result<bool> {
        let is_in = |set: &Owned| {
            // SAFETY: a frozenset and a live object.
            match unsafe { py::PySet_Contains(set.as_ptr(), name.as_ptr()) } {
                -1 => Err(Raised::by_callee()),
                answer => Ok(answer != 0),
            }
        };
        Ok(is_in(&self.names)? || matches!(&self.collected_beside, Some(known) if !is_in(known)?))
    }

    fn with_rest<R>(&self, args: &CallArgs<'_>, work: impl FnOnce(&CallArgs<'_>) -> Result<R>) -> Result<R> {
        let kept = |&(place, _): &(usize, &Borrowed<'_>)| place < self.rest_from && !self.places.contains(&place);
        let positional = args.positional();
        let mut values: Vec<Borrowed<'_>> =
            positional.iter().enumerate().filter(kept).map(|(_, &value)| value).collect();
        let count = values.len();
        let names = args.kwnames().map_or(&[][..], exact::tuple_items);
        let mut kept_names = Vec::new();
        for (&name, &value) in names.iter().zip(&args.values()[positional.len()..]) {
            if !self.leaves_out(name)? {
                kept_names.push(name);
                values.push(value);
            }
        }
        let tuple = match args.kwnames() {
            Some(tuple) if kept_names.len() == names.len() => Some(tuple.to_owned()),
            _ if kept_names.is_empty() => None,
            _ => Some(object::tuple(&kept_names)?),
        };
        work(&CallArgs::of(&values, count, tuple.as_ref().map(Owned::borrow)))
    }
}

/// Reads an entry as a call does.
struct Read<'a> {
    extra: &'a Extra,
    now: Time,
}

/// What is there for a call.
enum Found {
    /// To be returned.
    Fresh(Owned),
    /// To be returned, while somebody computes it anew.
    Stale(Owned),
    /// Stale, and this caller is to compute it anew.
    Refresh(Owned),
    /// Nothing.
    Absent,
    /// Not to be told, and nothing is to be stored.
    Unsettled,
}

impl Action for Read<'_> {
    type Outcome = Found;

    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Found {
        store.mark(id);
        let object = store.value(id);
        let entry = entry(object);
        match entry.age(self.now) {
            Age::Fresh => {
                entry.touch(self.now);
                Found::Fresh(entry.value().clone())
            }
            Age::Stale if entry.begin_refresh() => {
                entry.touch(self.now);
                Found::Refresh(object.clone())
            }
            Age::Stale => {
                entry.touch(self.now);
                // Relaxed: a number alone.
                self.extra.stats.stale_hits.fetch_add(1, Ordering::Relaxed);
                Found::Stale(entry.value().clone())
            }
            Age::Expired => Found::Absent,
        }
    }

    fn absent(&mut self, _store: &mut Store<Key, Owned>) -> Found {
        Found::Absent
    }

    fn unsettled(&mut self) -> Found {
        Found::Unsettled
    }
}

/// The value of an entry that is fresh, without more ado.
pub(super) struct Peek(pub Time);

impl Action for Peek {
    type Outcome = Option<Owned>;

    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Option<Owned> {
        entry(store.value(id)).read(self.0)
    }

    fn absent(&mut self, _store: &mut Store<Key, Owned>) -> Option<Owned> {
        None
    }

    fn unsettled(&mut self) -> Option<Owned> {
        None
    }
}

/// Stores an entry, in the place of one that is there unless that is fresh and to stay.
struct Put<'a> {
    extra: &'a Extra,
    hash: Hash,
    new: Option<(Key, Owned)>,
    now: Time,
    replace_fresh: bool,
    left: Left,
    /// A key that was not needed.
    spare: Option<Key>,
    no_memory: bool,
}

impl Put<'_> {
    /// Lets the next victim go.
    fn evict(&mut self, store: &mut Store<Key, Owned>) -> bool {
        let Some((key, object)) = store.evict() else { return false };
        self.extra.forget_weight(&object);
        let expired = entry(&object).age(self.now) == Age::Expired;
        self.left.push((key, object, if expired { Cause::Expired } else { Cause::Size }));
        true
    }

    /// Lets entries go until there is room for so much weight.
    fn make_room(&mut self, store: &mut Store<Key, Owned>, weight: u64) {
        while self.extra.weight().saturating_add(weight) > self.extra.most_weight() && self.evict(store) {}
    }

    fn add_weight(&self, weight: u64) {
        // Relaxed: changed under the lock.
        self.extra.weight.fetch_add(weight, Ordering::Relaxed);
    }
}

impl Action for Put<'_> {
    type Outcome = ();

    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) {
        let object = store.value(id);
        let age = entry(object).age(self.now);
        if age == Age::Fresh && !self.replace_fresh {
            return;
        }
        let (Some((key, new)), stored_key, old) = (self.new.take(), store.key(id).clone(), object.clone()) else {
            return;
        };
        let weight = entry(&new).weight();
        store.mark(id);
        match store.replace(id, new, Key::duplicate) {
            Ok(_old) => {
                // `_old` is held as `old` too, so it is not dropped here for the last time.
                self.spare = Some(key);
                self.extra.forget_weight(&old);
                let cause = if age == Age::Expired { Cause::Expired } else { Cause::Replaced };
                self.left.push((stored_key, old, cause));
                self.add_weight(weight);
                // The new entry may be among those that leave.
                self.make_room(store, 0);
            }
            Err((new, _)) => {
                self.new = Some((key, new));
                self.no_memory = true;
            }
        }
    }

    fn absent(&mut self, store: &mut Store<Key, Owned>) {
        let Some((key, new)) = self.new.take() else { return };
        let weight = entry(&new).weight();
        self.make_room(store, weight);
        if store.is_full() {
            self.evict(store);
        }
        match store.insert(self.hash, key, new) {
            Ok(_none) => self.add_weight(weight),
            Err((key, new, _)) => {
                self.new = Some((key, new));
                self.no_memory = true;
            }
        }
    }

    fn unsettled(&mut self) {}
}

/// Takes an entry out.
struct TakeOut<'a> {
    extra: &'a Extra,
    now: Time,
    cause: Cause,
}

impl Action for TakeOut<'_> {
    /// Whether it was good, and the entry.
    type Outcome = (bool, Left);

    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Self::Outcome {
        let expired = entry(store.value(id)).age(self.now) == Age::Expired;
        let mut left = Vec::new();
        if let Some((key, object)) = store.take_out(id) {
            self.extra.forget_weight(&object);
            left.push((key, object, if expired { Cause::Expired } else { self.cause }));
        }
        (!expired, left)
    }

    fn absent(&mut self, _store: &mut Store<Key, Owned>) -> Self::Outcome {
        (false, Vec::new())
    }

    fn unsettled(&mut self) -> Self::Outcome {
        (false, Vec::new())
    }
}

/// Tells whether there is a good entry, and leaves it alone.
struct IsGood(Time);

impl Action for IsGood {
    type Outcome = bool;

    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> bool {
        entry(store.value(id)).age(self.0) != Age::Expired
    }

    fn absent(&mut self, _store: &mut Store<Key, Owned>) -> bool {
        false
    }

    fn unsettled(&mut self) -> bool {
        false
    }
}

/// Which clock a hit reads, so that it need not look.
const NO_CLOCK: u8 = 0;
const COARSE_CLOCK: u8 = 1;
const EXACT_CLOCK: u8 = 2;

/// The hit path of caches whose options need nothing but a clock of ours: for one argument, a small natural number or the very
/// `str` that is stored. All else goes on to [`optioned_vectorcall`]. Reenters: as that.
unsafe extern "C" fn quick_vectorcall<const CLOCK: u8>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    if is_single(nargsf, kwnames) {
        // SAFETY: there is one argument, held by the caller.
        let argument = unsafe { Borrowed::first_of(args) };
        // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
        let this = unsafe { Wrapper::of(callable) };
        let mut found = Hit::Unsure(SlotId::NONE);
        if exact::is_int(argument) {
            // SAFETY: the type has just been seen.
            if let Some(value) = compat::small_natural(unsafe { exact::as_int(argument) }) {
                let take = reading::<CLOCK>();
                found = this.cache.hit_with(Hash::of(u64::from(value)), Key::is_telling_int, take);
            }
        } else if exact::is_str(argument) {
            // SAFETY: the type has just been seen.
            if let Some(hash) = unsafe { exact::str_hash(argument) } {
                let take = reading::<CLOCK>();
                found = this.cache.hit_with(Hash::of(hash), |key| key.is_object(argument), take);
            }
        }
        if let Hit::Value(value) = found {
            return value.into_ptr();
        }
    }
    // SAFETY: this function's own arguments.
    unsafe { optioned_vectorcall(callable, args, nargsf, kwnames) }
}

/// What a hit does with an entry. Reads the clock now, outside of the borrow.
#[inline(always)]
fn reading<const CLOCK: u8>() -> impl FnOnce(&Owned) -> Option<Owned> {
    let now = match CLOCK {
        COARSE_CLOCK => clocks::coarse(),
        EXACT_CLOCK => clocks::exact(),
        _ => 0,
    };
    move |object| if CLOCK == NO_CLOCK { Some(entry(object).value().clone()) } else { entry(object).read(now) }
}

/// A call of a cache with options. Reenters: options, `__hash__` and `__eq__` of arguments, the function, finalizers.
#[inline(never)]
unsafe extern "C" fn optioned_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    let Some(extra) = this.extra() else { unreachable!("this function is for wrappers with options") };
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::new(args, nargsf & !py::PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames) };
    let _alive = this.keep_alive();
    this.cache.welcome(this.as_object());
    object::to_slot(this.call_optioned(extra, &args))
}

impl Wrapper {
    /// Reenters: as [`optioned_vectorcall`].
    #[inline(never)]
    fn call_optioned(&self, extra: &Extra, args: &CallArgs<'_>) -> Result<Owned> {
        extra.with_key_args(args, |key_args| {
            let hash = key::hash(key_args, self.typed)?;
            let now = extra.options.now()?;
            let same = |key: &Key| key.compare(key_args, self.typed) == Verdict::Same;
            if let Hit::Value(value) = self.cache.hit_with(hash, same, |object| entry(object).read(now)) {
                return extra.copied(value);
            }
            match self.locate(hash, key_args, &mut Read { extra, now })? {
                Found::Fresh(value) | Found::Stale(value) => {
                    self.cache.count_hit();
                    extra.copied(value)
                }
                Found::Refresh(old) => {
                    let result = self.compute(extra, args, key_args, hash);
                    // If the entry is still there, because of an error or because the result was not stored, another caller is
                    // to try.
                    entry(&old).give_up_refresh();
                    // The exception that is set, if any, is the caller's.
                    object::with_exception_aside(|| drop(old));
                    result
                }
                Found::Absent => self.compute(extra, args, key_args, hash),
                Found::Unsettled => {
                    self.cache.count_miss();
                    self.call_function(args)
                }
            }
        })
    }

    /// Reenters: the function, and as [`Wrapper::keep_optioned`]; with `single_flight` it may wait for another thread.
    fn compute(&self, extra: &Extra, args: &CallArgs<'_>, key_args: &CallArgs<'_>, hash: Hash) -> Result<Owned> {
        match &extra.flights {
            None => self.compute_alone(extra, args, key_args, hash),
            Some(flights) => self.fly(extra, flights, args, key_args, hash),
        }
    }

    pub(super) fn compute_alone(
        &self,
        extra: &Extra,
        args: &CallArgs<'_>,
        key_args: &CallArgs<'_>,
        hash: Hash,
    ) -> Result<Owned> {
        self.cache.count_miss();
        let value = self.call_function(args)?;
        self.keep_optioned(extra, key_args, hash, &value, false)?;
        Ok(value)
    }

    /// Stores a value. Reenters: `ttl`, `weigher`, `clock`, `__eq__` of keys, `on_evict`, finalizers of what leaves.
    fn keep_optioned(
        &self,
        extra: &Extra,
        key_args: &CallArgs<'_>,
        hash: Hash,
        value: &Owned,
        replace_fresh: bool,
    ) -> Result<()> {
        let (terms, now) = extra.terms(value.borrow())?;
        if terms.weight > extra.most_weight() {
            // Not stored, and what was stored before is out of date.
            let (_, left) = self.locate(hash, key_args, &mut TakeOut { extra, now, cause: Cause::Replaced })?;
            extra.tell(left);
            return Ok(());
        }
        let object = Entry::create(extra.entry_type.borrow(), value.clone(), terms, now)?;
        let new = Some((Key::new(key_args, self.typed)?, object));
        let mut put = Put { extra, hash, new, now, replace_fresh, left: Vec::new(), spare: None, no_memory: false };
        let outcome = self.locate(hash, key_args, &mut put);
        let Put { left, no_memory, new, spare, .. } = put;
        drop((new, spare));
        extra.tell(left);
        match outcome {
            Ok(()) if no_memory => Err(Raised::no_memory()),
            outcome => outcome,
        }
    }

    /// `cache_contains` with options. Reenters: `key`, `clock`, `__hash__` and `__eq__` of arguments.
    pub fn contains_optioned(&self, extra: &Extra, args: &CallArgs<'_>) -> Result<bool> {
        extra.with_key_args(args, |key_args| {
            let hash = key::hash(key_args, self.typed)?;
            self.locate(hash, key_args, &mut IsGood(extra.options.now()?))
        })
    }

    /// `cache_invalidate` with options. Reenters: as [`Wrapper::contains_optioned`], `on_evict`, finalizers.
    pub fn invalidate_optioned(&self, extra: &Extra, args: &CallArgs<'_>) -> Result<bool> {
        extra.with_key_args(args, |key_args| {
            let hash = key::hash(key_args, self.typed)?;
            let now = extra.options.now()?;
            let (good, left) = self.locate(hash, key_args, &mut TakeOut { extra, now, cause: Cause::Invalidated })?;
            if good {
                self.invalidated();
            }
            extra.tell(left);
            Ok(good)
        })
    }

    /// `cache_put` with options. Reenters: as [`Wrapper::keep_optioned`], `key`, `__hash__` of arguments.
    pub fn put_optioned(&self, extra: &Extra, args: &CallArgs<'_>, value: Borrowed<'_>) -> Result<()> {
        extra.with_key_args(args, |key_args| {
            let hash = key::hash(key_args, self.typed)?;
            self.keep_optioned(extra, key_args, hash, &value.to_owned(), true)
        })
    }

    /// `cache_refresh` with options. Reenters: the function, and as [`Wrapper::put_optioned`].
    pub fn refresh_optioned(&self, extra: &Extra, args: &CallArgs<'_>) -> Result<Owned> {
        extra.with_key_args(args, |key_args| {
            let hash = key::hash(key_args, self.typed)?;
            let value = self.call_function(args)?;
            self.keep_optioned(extra, key_args, hash, &value, true)?;
            Ok(value)
        })
    }

    /// What `cache_stats()` has of the options: expirations, stale hits, coalesced calls, weight.
    pub fn stats_of(extra: &Extra) -> [u64; 4] {
        // Relaxed: numbers alone.
        [
            extra.stats.expirations.load(Ordering::Relaxed),
            extra.stats.stale_hits.load(Ordering::Relaxed),
            extra.stats.coalesced.load(Ordering::Relaxed),
            extra.weight(),
        ]
    }

    /// The vectorcall function of a wrapper with options.
    pub fn optioned_function(extra: &Extra, bound: Bound) -> Option<py::vectorcallfunc> {
        match extra.options.clock {
            _ if bound == Bound::Off => None,
            _ if !extra.quick => Some(optioned_vectorcall),
            Clock::Unused => Some(quick_vectorcall::<NO_CLOCK>),
            Clock::Coarse => Some(quick_vectorcall::<COARSE_CLOCK>),
            Clock::Exact => Some(quick_vectorcall::<EXACT_CLOCK>),
            Clock::Given(_) => Some(optioned_vectorcall),
        }
    }
}
