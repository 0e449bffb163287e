//! What the options of a cache take, and what is wrong with what was given.

use crate::core::clock::{NEVER, Time};
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, build, call, exact};
use crate::py::options::fields::{Background, Clock, CopyPolicy, Keyed, OnError, Options, Ttl};
use crate::py::options::shared::{BackendOption, SharedOptions};
use crate::py::options::values::{fraction, names, natural, span, wrong};
use pyo3_ffi as py;
use std::ffi::CStr;

/// The names of all options, for those who take them.
pub const NAMES: &[&CStr] = &[
    c"ttl",
    c"tti",
    c"jitter",
    c"stale",
    c"stale_if_error",
    c"retry",
    c"background",
    c"key",
    c"ignore",
    c"single_flight",
    c"weigher",
    c"maxweight",
    c"on_evict",
    c"copy",
    c"clock",
    c"backend",
    c"name",
    c"path",
    c"max_bytes",
    c"serializer",
];

/// Spans of so many nanoseconds are told well enough by a clock that is some milliseconds late.
const COARSE_FROM: Time = 1_000_000_000;

/// `retry` where it is not given.
const DEFAULT_RETRY: Time = 1_000_000_000;

/// A dict of options, which nobody changes any more.
#[derive(Clone, Copy)]
struct Given<'a>(Borrowed<'a>);

impl Given<'_> {
    /// What was given for an option.
    fn option(self, name: &CStr) -> Result<Option<Owned>> {
        let name = build::interned(name)?;
        // SAFETY: a dict and a str; a borrowed reference or null.
        let value = unsafe { py::PyDict_GetItemWithError(self.0.as_ptr(), name.as_ptr()) };
        // SAFETY: the dict holds it, and nobody changes this dict.
        Ok((!value.is_null()).then(|| unsafe { Borrowed::from_ptr(value) }.to_owned()))
    }

    /// A callable. The message is for what is none.
    fn callable(self, name: &CStr, message: &'static CStr) -> Result<Option<Owned>> {
        match self.option(name)? {
            Some(value) if !value.borrow().is_callable() => Err(wrong(message, value.borrow())),
            other => Ok(other),
        }
    }

    /// A span of time. The messages are for what is not positive, and for what is none.
    fn span(self, name: &CStr, not_positive: &'static CStr, message: &'static CStr) -> Result<Option<Time>> {
        let Some(value) = self.option(name)? else { return Ok(None) };
        span(value.borrow(), not_positive)?.map_or_else(|| Err(wrong(message, value.borrow())), |span| Ok(Some(span)))
    }

    fn ttl(self) -> Result<Ttl> {
        let Some(value) = self.option(c"ttl")? else { return Ok(Ttl::Never) };
        let borrowed = value.borrow();
        let is_plain_number = exact::is_int_instance(borrowed) || exact::is_float_instance(borrowed);
        if borrowed.is_callable() && !is_plain_number {
            return Ok(Ttl::Of(value));
        }
        let message = c"ttl takes seconds (a number), a timedelta, or a callable result -> seconds or None, not %.200s";
        let span = span(borrowed, c"ttl takes more than 0 seconds, not %R")?;
        span.map(Ttl::Fixed).ok_or_else(|| wrong(message, borrowed))
    }

    fn on_error(self) -> Result<Option<OnError>> {
        let message = c"stale_if_error takes seconds (a number) or a timedelta, not %.200s";
        let span = self.span(c"stale_if_error", c"stale_if_error takes more than 0 seconds, not %R", message)?;
        let message = c"retry takes seconds (a number) or a timedelta, not %.200s";
        let retry = self.span(c"retry", c"retry takes more than 0 seconds, not %R", message)?;
        match (span, retry) {
            (Some(span), retry) => Ok(Some(OnError { span, retry: retry.unwrap_or(DEFAULT_RETRY) })),
            (None, None) => Ok(None),
            (None, Some(_)) => {
                Err(Raised::new(Kind::Value, c"retry needs stale_if_error, whose failed calls it spaces"))
            }
        }
    }

    fn background(self) -> Result<Background> {
        match self.option(c"background")? {
            None => Ok(Background::No),
            Some(value) if exact::is_bool(value.borrow()) => {
                Ok(if value.borrow().is_true()? { Background::Task } else { Background::No })
            }
            Some(value) if value.borrow().is_callable() => Ok(Background::By(value)),
            Some(value) => {
                let message =
                    c"background takes a callable (job) -> None, such as an executor's submit, or for coroutine \
                    functions True, not %.200s";
                Err(wrong(message, value.borrow()))
            }
        }
    }

    fn single_flight(self) -> Result<Option<bool>> {
        match self.option(c"single_flight")? {
            None => Ok(None),
            Some(value) if exact::is_bool(value.borrow()) => value.borrow().is_true().map(Some),
            Some(value) => Err(wrong(c"single_flight takes True or False, not %.200s", value.borrow())),
        }
    }

    fn weight(self) -> Result<Option<(Owned, u64)>> {
        let weigher = self.callable(c"weigher", c"weigher takes a callable value -> int, not %.200s")?;
        let maxweight = match self.option(c"maxweight")? {
            None => None,
            Some(value) => {
                let most = natural(value.borrow(), c"maxweight takes an int, 0 or more, not %.200s")?;
                let message = c"maxweight takes an int from 0 to 2**63 - 1, not %R";
                Some(most.ok_or_else(|| Raised::with(Kind::Value, message, value.borrow()))?)
            }
        };
        match (weigher, maxweight) {
            (Some(weigher), Some(maxweight)) => Ok(Some((weigher, maxweight))),
            (None, None) => Ok(None),
            _ => {
                let message = c"weigher and maxweight go together: one weighs, the other is the maximum total weight";
                Err(Raised::new(Kind::Value, message))
            }
        }
    }

    fn copy(self) -> Result<CopyPolicy> {
        match self.option(c"copy")? {
            None => Ok(CopyPolicy::No),
            Some(value) if exact::is_bool(value.borrow()) => match value.borrow().is_true()? {
                true => Ok(CopyPolicy::By(call::import(c"copy", c"deepcopy")?)),
                false => Ok(CopyPolicy::No),
            },
            Some(value) if value.borrow().is_callable() => Ok(CopyPolicy::By(value)),
            Some(value) => {
                let message = c"copy takes True (deep copies), False, or a callable value -> value, not %.200s";
                Err(wrong(message, value.borrow()))
            }
        }
    }
}

impl Options {
    /// What these options ask for: a dict of names to values, all names known. Nothing if it is empty, but for a coroutine
    /// function.
    ///
    /// Reenters: `__float__` and the like of odd values, imports.
    pub fn parse(given: Borrowed<'_>, coroutine: bool) -> Result<Option<Self>> {
        // SAFETY: a dict.
        if !coroutine && unsafe { py::PyDict_Size(given.as_ptr()) } == 0 {
            return Ok(None);
        }
        let given = Given(given);
        let ttl = given.ttl()?;
        let message = c"tti takes seconds (a number) or a timedelta, not %.200s";
        let tti = given.span(c"tti", c"tti takes more than 0 seconds, not %R", message)?.unwrap_or(NEVER);
        let message = c"stale takes seconds (a number) or a timedelta, not %.200s";
        let stale = given.span(c"stale", c"stale takes more than 0 seconds, not %R", message)?.unwrap_or(0);
        let jitter = given.option(c"jitter")?.map_or(Ok(0.0), |value| fraction(value.borrow()))?;
        let on_error = given.on_error()?;
        if matches!(ttl, Ttl::Never) && (stale > 0 || jitter > 0.0 || on_error.is_some()) {
            return Err(Raised::new(
                Kind::Value,
                c"stale, stale_if_error and jitter need a ttl, from which they count",
            ));
        }
        let background = given.background()?;
        if stale == 0 && !matches!(background, Background::No) {
            return Err(Raised::new(Kind::Value, c"background needs stale: it computes what is stale"));
        }
        let key = given.callable(c"key", c"key takes a callable (*args, **kwargs) -> hashable, not %.200s")?;
        let ignore = given.option(c"ignore")?.map(|value| names(value.borrow())).transpose()?;
        if key.is_some() && ignore.is_some() {
            return Err(Raised::new(Kind::Value, c"key and ignore can't be combined: let key leave the parameter out"));
        }
        let single_flight = given.single_flight()?.unwrap_or(coroutine);
        let weight = given.weight()?;
        let on_evict = given.callable(c"on_evict", c"on_evict takes a callable (key, value, cause), not %.200s")?;
        let copy = given.copy()?;
        let option = |name: &_| given.option(name);
        let backend = BackendOption::parse(option)?;
        let shared = SharedOptions::parse(&backend, option)?;
        let clock = given.callable(c"clock", c"clock takes a callable () -> seconds, not %.200s")?;
        let mut clock = Clock::that_suits(clock, &ttl, tti, stale, on_error)?;
        let tier = backend.into_tier();
        if tier.is_some() && matches!(clock, Clock::Unused) {
            // Near entries are used for as long as the server is heard of.
            clock = Clock::Coarse;
        }
        Ok(Some(Self {
            ttl,
            tti,
            jitter,
            stale,
            on_error,
            background,
            key,
            ignore,
            single_flight,
            coroutine,
            weight,
            keyed: Keyed::default(),
            on_evict,
            copy,
            clock,
            shared,
            tier,
        }))
    }
}

impl Background {
    /// Whether a function of this kind can do with it.
    pub fn check(&self, coroutine: bool) -> Result<()> {
        let message = match (self, coroutine) {
            (Self::Task, false) => {
                c"background=True is for coroutine functions: for others background takes a callable (job) -> None, such as \
                an executor's submit"
            }
            (Self::By(_), true) => c"background takes True for coroutine functions: a task of the running loop",
            _ => return Ok(()),
        };
        Err(Raised::type_error(message))
    }
}

impl Clock {
    fn that_suits(given: Option<Owned>, ttl: &Ttl, tti: Time, stale: Time, on_error: Option<OnError>) -> Result<Self> {
        let is_unused = matches!(ttl, Ttl::Never) && tti == NEVER;
        let is_short = match ttl {
            Ttl::Never => false,
            Ttl::Fixed(span) => *span < COARSE_FROM,
            Ttl::Of(_) => true,
        } || tti < COARSE_FROM
            || stale > 0 && stale < COARSE_FROM
            || on_error.is_some_and(|on_error| on_error.span.min(on_error.retry) < COARSE_FROM);
        match given {
            Some(_) if is_unused => {
                Err(Raised::new(Kind::Value, c"clock needs ttl or tti: without them it is asked for nothing"))
            }
            Some(clock) => Ok(Self::Given(clock)),
            None if is_unused => Ok(Self::Unused),
            None if is_short => Ok(Self::Exact),
            None => Ok(Self::Coarse),
        }
    }
}
