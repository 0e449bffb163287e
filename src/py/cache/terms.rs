//! Until when a value is good, and what it weighs: what the options say when it is stored.

use crate::backend::Words;
use crate::core::clock;
use crate::core::clock::{NEVER, Time};
use crate::core::expiry::Terms;
use crate::ffi::{Borrowed, Owned, Raised, Result, call};
use crate::py::cache::policy::Policy;
use crate::py::entry::EntryTerms;
use crate::py::options;
use crate::py::options::{Clock, Ttl};
use crate::py::tier::remote::Answer;
use std::sync::atomic::Ordering;

impl Policy {
    /// The terms of a value that is stored now. Reenters: `ttl` and `weigher`, `clock`.
    pub(in crate::py) fn terms(&self, key: Option<Borrowed<'_>>, value: Borrowed<'_>) -> Result<(EntryTerms, Time)> {
        self.terms_or_blame(key, value, None).map_err(|(raised, _callable)| raised)
    }

    /// [`Policy::terms`] with this in the place of the option `ttl`.
    pub(in crate::py) fn terms_with_ttl(
        &self,
        key: Option<Borrowed<'_>>,
        value: Borrowed<'_>,
        ttl: Time,
    ) -> Result<(EntryTerms, Time)> {
        self.terms_or_blame(key, value, Some(ttl)).map_err(|(raised, _callable)| raised)
    }

    /// The terms of a value that was computed. None, and the error is reported, if there are none because one of these callables
    /// raised an `Exception` or answered what it may not: the value is to be returned all the same. Reenters: as [`Policy::terms`],
    /// `sys.unraisablehook`.
    pub(in crate::py) fn terms_of_computed(
        &self,
        key: Option<Borrowed<'_>>,
        value: Borrowed<'_>,
    ) -> Result<Option<(EntryTerms, Time)>> {
        self.terms_or_blame(key, value, None)
            .map_or_else(|(raised, callable)| raised.report(callable).map(|()| None), |terms| Ok(Some(terms)))
    }

    /// The terms, or the error and the callable to which it is due.
    fn terms_or_blame(
        &self,
        key: Option<Borrowed<'_>>,
        value: Borrowed<'_>,
        ttl: Option<Time>,
    ) -> std::result::Result<(EntryTerms, Time), (Raised, Borrowed<'_>)> {
        let ask = |callable: Borrowed<'_>, takes_key: bool| match key {
            Some(key) if takes_key => call::with(callable, &[key, value]),
            _ => call::with(callable, &[value]),
        };
        let ttl = match (ttl, &self.options.ttl) {
            (Some(ttl), _) => ttl,
            (None, Ttl::Never) => NEVER,
            (None, Ttl::Fixed(span)) => *span,
            (None, Ttl::Of(callable)) => {
                let callable = callable.borrow();
                ask(callable, self.options.keyed.ttl)
                    .and_then(|answer| options::values::ttl_of(answer.borrow()))
                    .map_err(|raised| (raised, callable))?
            }
        };
        let weight = self.weight_or_blame(|weigher| ask(weigher, self.options.keyed.weigher))?;
        let now = self.options.now().map_err(|raised| match &self.options.clock {
            Clock::Given(clock) => (raised, clock.borrow()),
            // These don't fail.
            Clock::Unused | Clock::Coarse | Clock::Exact => (raised, self.given()),
        })?;
        let fresh_until = clock::after(now, self.shortened(ttl));
        let times = Terms { fresh_until, stale_until: self.last_use(fresh_until), idle: self.options.tti };
        Ok((EntryTerms { times, weight, version: Words::default() }, now))
    }

    /// What `weigher` says, whom `ask` calls, or the error that is due to it.
    fn weight_or_blame<'a>(
        &'a self,
        ask: impl FnOnce(Borrowed<'a>) -> Result<Owned>,
    ) -> std::result::Result<u64, (Raised, Borrowed<'a>)> {
        let Some((weigher, _)) = &self.options.weight else { return Ok(0) };
        let weigher = weigher.borrow();
        ask(weigher).and_then(|answer| options::values::weight_of(answer.borrow())).map_err(|raised| (raised, weigher))
    }

    /// A span of freshness, as `jitter` shortens it.
    fn shortened(&self, ttl: Time) -> Time {
        if self.options.jitter > 0.0 {
            // Relaxed: any number will do. Forked children begin with the same one.
            let number = self.random.fetch_add(1, Ordering::Relaxed) ^ u64::from(std::process::id()).rotate_right(24);
            clock::shortened(ttl, self.options.jitter, clock::scrambled(number))
        } else {
            ttl
        }
    }

    /// Until when, or for how long, an entry may be used at all that is fresh until then, or for so long.
    fn last_use(&self, fresh: Time) -> Time {
        let used = clock::after(fresh, self.options.stale);
        clock::after(used, self.options.on_error.map_or(0, |on_error| on_error.span))
    }

    /// For how long a value is fresh, and to be used at all, that a server is to have. None, and the error is reported, as
    /// [`Policy::terms_of_computed`] does where the value was `computed`. Reenters: `ttl`, `sys.unraisablehook`.
    pub fn spans(&self, value: Borrowed<'_>, computed: bool) -> Result<Option<(Time, Time)>> {
        let ttl = match &self.options.ttl {
            Ttl::Never => NEVER,
            Ttl::Fixed(span) => *span,
            Ttl::Of(callable) => {
                let answer = call::with(callable.borrow(), &[value]);
                match answer.and_then(|answer| options::values::ttl_of(answer.borrow())) {
                    Ok(ttl) => ttl,
                    Err(raised) if computed => return raised.report(callable.borrow()).map(|()| None),
                    Err(raised) => return Err(raised),
                }
            }
        };
        let fresh = self.shortened(ttl);
        Ok(Some((fresh, self.last_use(fresh))))
    }

    /// The terms on which the near cache is to keep what a tier has answered, if it is. Reenters: `weigher`, `sys.unraisablehook`.
    pub fn terms_of_answer(&self, answer: &Answer) -> Result<Option<(EntryTerms, Time)>> {
        let Some((fresh, used, version)) = answer.keep else { return Ok(None) };
        let weight = match self.weight_or_blame(|weigher| call::with(weigher, &[answer.value.borrow()])) {
            Ok(weight) => weight,
            Err((raised, weigher)) => return raised.report(weigher).map(|()| None),
        };
        let now = self.options.now()?;
        let times = Terms {
            fresh_until: clock::after(now, fresh),
            stale_until: clock::after(now, used),
            idle: self.options.tti,
        };
        Ok(Some((EntryTerms { times, weight, version }, now)))
    }
}
