//! The options of a cache beside `maxsize` and `typed`, as the cache uses them.

use crate::core::clock::{NEVER, Time};
use crate::ffi::{Owned, Result, call, clock as clocks};
use crate::py::options::shared::SharedOptions;
use crate::py::options::values::time_of;

/// How long a result is fresh.
pub enum Ttl {
    /// For ever.
    Never,
    /// For so long.
    Fixed(Time),
    /// As this callable says of each result.
    Of(Owned),
}

/// Where a cache's time comes from.
pub enum Clock {
    /// Nothing expires.
    Unused,
    /// Monotonic, as of the last tick.
    Coarse,
    /// Monotonic.
    Exact,
    /// `clock`: seconds.
    Given(Owned),
}

/// What is done to a value before a call returns it.
pub enum CopyPolicy {
    /// Nothing.
    No,
    /// This callable is called with it: `copy.deepcopy`, or what was given.
    By(Owned),
}

/// For how long past its time a value is returned where computing it anew raises.
#[derive(Clone, Copy)]
pub struct OnError {
    /// `stale_if_error`: past `ttl` and `stale`.
    pub span: Time,
    /// `retry`: before it is computed once more.
    pub retry: Time,
}

/// Who computes a stale entry anew.
pub enum Background {
    /// The caller that finds it first.
    No,
    /// A task of the running event loop.
    Task,
    /// Whoever this callable gives the job to.
    By(Owned),
}

/// Which callables of a mapping's options take the key too.
#[derive(Clone, Copy, Default)]
pub struct Keyed {
    /// `ttl`
    pub ttl: bool,
    /// `weigher`
    pub weigher: bool,
}

/// All options of one cache.
pub struct Options {
    /// `ttl`
    pub ttl: Ttl,
    /// `tti`
    pub tti: Time,
    /// `jitter`
    pub jitter: f64,
    /// `stale`
    pub stale: Time,
    /// `stale_if_error` and `retry`
    pub on_error: Option<OnError>,
    /// `background`
    pub background: Background,
    /// `key`
    pub key: Option<Owned>,
    /// `ignore`: a tuple of names.
    pub ignore: Option<Owned>,
    /// `single_flight`
    pub single_flight: bool,
    /// The function is a coroutine function.
    pub coroutine: bool,
    /// `weigher` and `maxweight`
    pub weight: Option<(Owned, u64)>,
    /// What the last two are called with, in a mapping.
    pub keyed: Keyed,
    /// `on_evict`
    pub on_evict: Option<Owned>,
    /// `copy`
    pub copy: CopyPolicy,
    /// `clock`, or the one that suits.
    pub clock: Clock,
    /// `backend="shared"` and what goes with it.
    pub shared: Option<SharedOptions>,
    /// `backend` where it is a tier, until the function has its part of that.
    pub tier: Option<Owned>,
}

impl Options {
    /// The objects that it holds, handed out.
    pub fn into_held(self) -> impl Iterator<Item = Owned> {
        let ttl = if let Ttl::Of(ttl) = self.ttl { Some(ttl) } else { None };
        let copy = if let CopyPolicy::By(copy) = self.copy { Some(copy) } else { None };
        let clock = if let Clock::Given(clock) = self.clock { Some(clock) } else { None };
        let weigher = self.weight.map(|(weigher, _)| weigher);
        let background = if let Background::By(background) = self.background { Some(background) } else { None };
        [self.key, self.ignore, self.on_evict, ttl, copy, clock, weigher, background, self.tier].into_iter().flatten()
    }

    /// Whether entries have terms.
    pub fn expires(&self) -> bool {
        !matches!(self.ttl, Ttl::Never) || self.tti != NEVER
    }

    /// The time now. Reenters: `clock`.
    #[inline(always)]
    pub fn now(&self) -> Result<Time> {
        match &self.clock {
            Clock::Coarse => Ok(clocks::coarse()),
            Clock::Exact => Ok(clocks::exact()),
            Clock::Unused => Ok(0),
            Clock::Given(clock) => time_of(call::with(clock.borrow(), &[])?.borrow()),
        }
    }
}
