//! What the options of a cache ask for: keys, terms, copies, weights, and who is told of what leaves.

use crate::core::clock;
use crate::core::clock::{NEVER, Time};
use crate::core::expiry::{Age, Terms};
use crate::ffi::dropper::Dropper;
use crate::ffi::sync::Store;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call};
pub(in crate::py) use crate::py::cache::eviction::{Cause, Evicted};
use crate::py::cache::flights::Flights;
use crate::py::cache::key_args::Ignored;
pub(in crate::py) use crate::py::cache::policy_stats::Stats;
use crate::py::completed::CompletedType;
use crate::py::entry::{Entry, EntryType};
use crate::py::key::Key;
use crate::py::options;
use crate::py::options::{Background, Clock, CopyPolicy, Options, Ttl};
use crate::py::tier::remote::Remote;
use crate::state::State;
use pyo3_ffi as py;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a wrapper with options has beside.
pub struct Policy {
    pub(in crate::py) options: Options,
    /// As they were given: a dict.
    given: Owned,
    pub(in crate::py) entry_type: EntryType,
    /// For coroutine functions, whose entries hold what a hit returns.
    completed_type: Option<CompletedType>,
    ignored: Option<Ignored>,
    /// Whether the hit path needs nothing but a clock of ours.
    pub(in crate::py) quick: bool,
    /// What is being computed, with `single_flight`.
    pub(in crate::py) flights: Option<Flights>,
    /// What stands behind the cache, if that is a server.
    pub(in crate::py) remote: Option<Box<Remote>>,
    /// Whether `backend` was given, also where there is nothing behind because nothing is stored.
    pub(in crate::py) has_backend: bool,
    /// What all entries may weigh together.
    pub(in crate::py) most_weight: u64,
    pub(in crate::py) weight: AtomicU64,
    /// No entry in the store expires before this time.
    pub(in crate::py) earliest_expiry: AtomicU64,
    pub(in crate::py) random: AtomicU64,
    pub(in crate::py) stats: Stats,
}

/// What an entry is good for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To be returned.
    Fresh,
    /// To be returned, while one caller computes it anew.
    Stale,
    /// To be returned where computing it anew raises: `stale_if_error`.
    OnError,
    /// Nothing.
    None,
}

/// The entry that this value is.
///
/// # Safety
/// The object is a value of the store of a cache with options, or was one: nothing but entries is stored there.
#[inline(always)]
pub unsafe fn entry(object: &Owned) -> &Entry {
    // SAFETY: as the caller says.
    unsafe { Entry::of(object) }
}

impl Policy {
    /// For this function, which may be a `method` without its first parameter. All entries may weigh `most_weight` together, if there is
    /// such a bound besides that of the options. Reenters: imports, the function's signature.
    pub fn new(
        state: &State,
        function: Borrowed<'_>,
        method: Option<Borrowed<'_>>,
        (options, remote): (Options, Option<Box<Remote>>),
        given: Borrowed<'_>,
        has_backend: bool,
        most_weight: Option<u64>,
    ) -> Result<Self> {
        let ignored = options.ignore.as_ref().map(|names| Ignored::of(function, method, names)).transpose()?;
        let quick = options.key.is_none()
            && matches!(options.copy, CopyPolicy::No)
            && !matches!(options.clock, Clock::Given(_));
        let flights = options.single_flight.then(|| Flights::new(state)).transpose()?;
        Ok(Self {
            quick,
            ignored,
            flights,
            completed_type: options.coroutine.then(|| CompletedType::of(state)),
            most_weight: options.weight.as_ref().map(|&(_, most)| most).or(most_weight).unwrap_or(u64::MAX),
            has_backend,
            remote,
            options,
            given: options::values::copied(given)?,
            entry_type: EntryType::of(state),
            weight: AtomicU64::new(0),
            earliest_expiry: AtomicU64::new(NEVER),
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
        let copy = if let CopyPolicy::By(copy) = &options.copy { Some(copy) } else { None };
        let clock = if let Clock::Given(clock) = &options.clock { Some(clock) } else { None };
        let weigher = options.weight.as_ref().map(|(weigher, _)| weigher);
        let background = if let Background::By(background) = &options.background { Some(background) } else { None };
        let remote = self.remote.as_deref().map(Remote::held);
        [
            Some(&self.given),
            remote,
            options.key.as_ref(),
            options.on_evict.as_ref(),
            ttl,
            copy,
            clock,
            weigher,
            background,
        ]
        .into_iter()
        .flatten()
        .map(Owned::borrow)
    }

    /// Hands out all that it holds.
    pub fn take_apart(self, dropper: &mut Dropper) {
        let Self { options, given, remote, .. } = self;
        dropper.push(given);
        remote.into_iter().for_each(|remote| dropper.push(remote.into_held()));
        options.into_held().for_each(|held| dropper.push(held));
    }

    /// Whether arguments are left out of the key.
    pub(in crate::py) fn ignores(&self) -> bool {
        self.ignored.is_some()
    }

    /// The place of the only argument that is not ignored, if it is easily told.
    #[inline(always)]
    pub(in crate::py) fn only_place(&self, nargsf: usize, kwnames: *mut py::PyObject) -> Option<usize> {
        let count = nargsf & !py::PY_VECTORCALL_ARGUMENTS_OFFSET;
        match &self.ignored {
            Some(ignored) if kwnames.is_null() => ignored.only_place(count),
            _ => None,
        }
    }

    /// What the option `key` makes of these arguments, if there is one. Reenters: `key`.
    #[inline(always)]
    pub(in crate::py) fn make_key(&self, args: &CallArgs<'_>) -> Result<Option<Owned>> {
        self.options.key.as_ref().map(|key| key.borrow().call(args)).transpose()
    }

    /// Runs `work` on the arguments that make the key, where this is what [`Policy::make_key`] has returned. Reenters: as `work` does.
    #[inline(always)]
    pub(in crate::py) fn with_made<R>(
        &self,
        made: Option<&Owned>,
        args: &CallArgs<'_>,
        work: impl FnOnce(&CallArgs<'_>) -> Result<R>,
    ) -> Result<R> {
        if let Some(made) = made {
            let values = [made.borrow()];
            return work(&CallArgs::of_positional(&values));
        }
        match &self.ignored {
            None => work(args),
            Some(ignored) => ignored.with_rest(args, work),
        }
    }

    /// Runs `work` on the arguments that make the key. Reenters: `key`.
    pub(in crate::py) fn with_key_args<R>(
        &self,
        args: &CallArgs<'_>,
        work: impl FnOnce(&CallArgs<'_>) -> Result<R>,
    ) -> Result<R> {
        self.with_made(self.make_key(args)?.as_ref(), args, work)
    }

    /// Whether an entry is still what the server has, as far as this process knows: always so where there is none.
    #[inline(always)]
    pub fn stands(&self, entry: &Entry, now: Time) -> bool {
        self.remote.as_deref().is_none_or(|remote| remote.stands(entry.version(), now))
    }

    /// How good an entry is.
    #[inline(always)]
    pub fn age_of(&self, entry: &Entry, now: Time) -> Age {
        if self.stands(entry, now) { entry.age(now) } else { Age::Expired }
    }

    /// The value of an entry, if it may be returned as it is, which counts as reading it.
    #[inline(always)]
    pub fn read(&self, entry: &Entry, now: Time) -> Option<Owned> {
        if self.stands(entry, now) { entry.read(now) } else { None }
    }

    /// What an entry of these terms and this age is good for at this time.
    #[inline(always)]
    pub fn use_of(&self, age: Age, times: &Terms, now: Time) -> Use {
        match (age, self.options.on_error) {
            (Age::Fresh, _) => Use::Fresh,
            (Age::Stale, Some(_)) if now >= clock::after(times.fresh_until, self.options.stale) => Use::OnError,
            (Age::Stale, _) => Use::Stale,
            (Age::Expired, _) => Use::None,
        }
    }

    /// What an entry in memory is good for.
    #[inline(always)]
    pub fn use_of_entry(&self, entry: &Entry, now: Time) -> Use {
        self.use_of(self.age_of(entry, now), &entry.times(), now)
    }

    /// What a caller gets of a value that an entry has, or is to have. Reenters: `copy`.
    #[inline(always)]
    pub(in crate::py) fn copied(&self, value: Owned) -> Result<Owned> {
        match &self.options.copy {
            CopyPolicy::No => Ok(value),
            CopyPolicy::By(callable) => call::with(callable.borrow(), &[value.borrow()]),
        }
    }

    /// What lies in the entry of a value: of a coroutine function's, what its hits return.
    pub(in crate::py) fn wrap(&self, value: &Owned) -> Result<Owned> {
        match &self.completed_type {
            Some(kind) => kind.create(value.clone()),
            None => Ok(value.clone()),
        }
    }

    /// The value that such an object stands for.
    pub(in crate::py) fn unwrap<'a>(&self, inside: &'a Owned) -> &'a Owned {
        match &self.completed_type {
            Some(kind) => match kind.value_of(inside) {
                Some(value) => value,
                None => unreachable!("so `wrap` makes them"),
            },
            None => inside,
        }
    }

    /// What a hit of a coroutine function returns, of what lies in the entry. Reenters: `copy`.
    pub(in crate::py) fn awaitable(&self, inside: Owned) -> Result<Owned> {
        match self.options.copy {
            CopyPolicy::No => Ok(inside),
            CopyPolicy::By(_) => self.wrap(&self.copied(self.unwrap(&inside).clone())?),
        }
    }

    /// Takes all entries out, under the lock, where they are to be told of. Nothing weighs anything then.
    pub fn empty(&self, store: &mut Store<Key, Owned>, left: &mut Evicted) {
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

    /// Tells of entries that have left, and drops them: of all of them, also when being told raises. An `Exception` is reported;
    /// any other, such as KeyboardInterrupt, is the caller's in the end. Reenters: `on_evict`, finalizers, `sys.unraisablehook`.
    pub fn notify_evicted(&self, left: Evicted) -> Result<()> {
        let mut ends = None;
        for (key, object, cause) in left {
            if cause == Cause::Expired {
                // Relaxed: a number alone.
                self.stats.expirations.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(callback) = &self.options.on_evict {
                let told = key.to_object().and_then(|key| {
                    let cause = build::interned(cause.text())?;
                    // SAFETY: a value of the store of a cache with options, as the policy says.
                    let value = self.unwrap(unsafe { entry(&object) }.value());
                    call::with(callback.borrow(), &[key.borrow(), value.borrow(), cause.borrow()])
                });
                if let Err(raised) = told.map(drop).or_else(|raised| raised.report(callback.borrow())) {
                    // The first one stays.
                    let exception = raised.take();
                    ends.get_or_insert(exception);
                }
            }
        }
        ends.map_or(Ok(()), |exception| Err(Raised::again(exception.borrow())))
    }

    /// An entry has come into the store. Under the lock.
    pub(in crate::py) fn remember(&self, weight: u64, until: Time) {
        // Relaxed: changed under the lock, both.
        self.weight.fetch_add(weight, Ordering::Relaxed);
        if until != NEVER {
            self.earliest_expiry.fetch_min(until, Ordering::Relaxed);
        }
    }

    /// A store's entry is no more. Under the lock.
    pub(in crate::py) fn forget_weight(&self, object: &Owned) {
        // Relaxed: changed under the lock.
        // SAFETY: a value of the store of a cache with options, as the policy says.
        self.weight.fetch_sub(unsafe { entry(object) }.weight(), Ordering::Relaxed);
    }

    pub(in crate::py) fn weight(&self) -> u64 {
        // Relaxed: as above.
        self.weight.load(Ordering::Relaxed)
    }
}
