//! The options of a cache beside `maxsize` and `typed`: what they take, and what is wrong with what was given.

use crate::core::clock::{self, NEVER, Time};
use crate::ffi::err::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, clock as clocks, exact, object};
use crate::py::codec::Serializer;
use pyo3_ffi as py;
use std::ffi::CStr;

/// The names of all options, for those who take them.
pub const NAMES: &[&CStr] = &[
    c"ttl",
    c"tti",
    c"jitter",
    c"stale",
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
pub enum Copy {
    /// Nothing.
    No,
    /// This callable is called with it: `copy.deepcopy`, or what was given.
    By(Owned),
}

/// What goes with `backend="shared"`.
pub struct SharedOptions {
    /// `name`: a str. None for the one that the function gives.
    pub name: Option<Owned>,
    /// `path`: a str. None for the user's directory.
    pub path: Option<Owned>,
    /// `max_bytes`
    pub max_bytes: u64,
    /// `serializer`
    pub serializer: Option<Serializer>,
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
    /// `on_evict`
    pub on_evict: Option<Owned>,
    /// `copy`
    pub copy: Copy,
    /// `clock`, or the one that suits.
    pub clock: Clock,
    /// `backend="shared"` and what goes with it.
    pub shared: Option<SharedOptions>,
}

/// Spans of so many nanoseconds are told well enough by a clock that is some milliseconds late.
const COARSE_FROM: Time = 1_000_000_000;

impl Options {
    /// The objects that it holds, handed out.
    pub fn into_held(self) -> impl Iterator<Item = Owned> {
        let ttl = if let Ttl::Of(ttl) = self.ttl { Some(ttl) } else { None };
        let copy = if let Copy::By(copy) = self.copy { Some(copy) } else { None };
        let clock = if let Clock::Given(clock) = self.clock { Some(clock) } else { None };
        let weigher = self.weight.map(|(weigher, _)| weigher);
        [self.key, self.ignore, self.on_evict, ttl, copy, clock, weigher].into_iter().flatten()
    }

    /// What these options ask for: a dict of names to values, all names known. Nothing if it is empty, but for a coroutine
    /// function.
    ///
    /// Reenters: `__float__` and the like of odd values, imports.
    pub fn parse(given: Borrowed<'_>, coroutine: bool) -> Result<Option<Self>> {
        // SAFETY: a dict.
        if !coroutine && unsafe { py::PyDict_Size(given.as_ptr()) } == 0 {
            return Ok(None);
        }
        let option = |name: &CStr| -> Result<Option<Owned>> {
            let name = object::interned(name)?;
            // SAFETY: a dict and a str; a borrowed reference or null.
            let value = unsafe { py::PyDict_GetItemWithError(given.as_ptr(), name.as_ptr()) };
            // SAFETY: the dict holds it, and nobody changes this dict.
            Ok((!value.is_null()).then(|| unsafe { Borrowed::from_ptr(value) }.to_owned()))
        };
        let ttl = match option(c"ttl")? {
            None => Ttl::Never,
            Some(value) => match seconds(value.borrow(), c"ttl")? {
                Some(span) => Ttl::Fixed(span),
                None if value.borrow().is_callable() => Ttl::Of(value),
                None => return Err(wrong(c"ttl takes seconds (an int or float), a timedelta, or a callable result -> seconds or None, not %.200s", value.borrow())),
            },
        };
        let span = |name: &'static CStr, message: &'static CStr| -> Result<Time> {
            match option(name)? {
                None => Ok(NEVER),
                Some(value) => seconds(value.borrow(), name)?.ok_or_else(|| wrong(message, value.borrow())),
            }
        };
        let tti = span(c"tti", c"tti takes seconds (an int or float) or a timedelta, not %.200s")?;
        let stale = span(c"stale", c"stale takes seconds (an int or float) or a timedelta, not %.200s")?;
        let stale = if stale == NEVER && option(c"stale")?.is_none() { 0 } else { stale };
        let jitter = match option(c"jitter")? {
            None => 0.0,
            Some(value) => fraction(value.borrow())?,
        };
        if matches!(ttl, Ttl::Never) && (stale > 0 || jitter > 0.0) {
            return Err(Raised::new(Kind::Value, c"stale and jitter need a ttl, from which they count"));
        }
        let callable = |name: &'static CStr, message: &'static CStr| -> Result<Option<Owned>> {
            match option(name)? {
                Some(value) if !value.borrow().is_callable() => Err(wrong(message, value.borrow())),
                other => Ok(other),
            }
        };
        let key = callable(c"key", c"key takes a callable (*args, **kwargs) -> hashable, not %.200s")?;
        let ignore = option(c"ignore")?.map(|value| names(value.borrow())).transpose()?;
        if key.is_some() && ignore.is_some() {
            return Err(Raised::new(Kind::Value, c"key and ignore can't be combined: let key leave the parameter out"));
        }
        let single_flight = match option(c"single_flight")? {
            None => coroutine,
            Some(value) if exact::is_bool(value.borrow()) => value.borrow().is_true()?,
            Some(value) => return Err(wrong(c"single_flight takes True or False, not %.200s", value.borrow())),
        };
        let weigher = callable(c"weigher", c"weigher takes a callable value -> int, not %.200s")?;
        let maxweight = option(c"maxweight")?.map(|value| whole(value.borrow())).transpose()?;
        let weight = match (weigher, maxweight) {
            (Some(weigher), Some(maxweight)) => Some((weigher, maxweight)),
            (None, None) => None,
            _ => {
                return Err(Raised::new(
                    Kind::Value,
                    c"weigher and maxweight go together: one weighs, the other is the bound",
                ));
            }
        };
        let on_evict = callable(c"on_evict", c"on_evict takes a callable (key, value, cause), not %.200s")?;
        let copy = match option(c"copy")? {
            None => Copy::No,
            Some(value) if exact::is_bool(value.borrow()) => match value.borrow().is_true()? {
                true => Copy::By(object::import(c"copy", c"deepcopy")?),
                false => Copy::No,
            },
            Some(value) if value.borrow().is_callable() => Copy::By(value),
            Some(value) => {
                return Err(wrong(
                    c"copy takes True (deep copies), False, or a callable value -> value, not %.200s",
                    value.borrow(),
                ));
            }
        };
        let is_shared = option(c"backend")?.map_or(Ok(false), |backend| is_shared(backend.borrow()))?;
        let shared = SharedOptions::parse(is_shared, &option)?;
        let exact_is_needed = match &ttl {
            Ttl::Never => false,
            Ttl::Fixed(span) => *span < COARSE_FROM,
            Ttl::Of(_) => true,
        } || tti < COARSE_FROM
            || stale > 0 && stale < COARSE_FROM;
        let clock = match callable(c"clock", c"clock takes a callable () -> seconds, not %.200s")? {
            Some(clock) => Clock::Given(clock),
            None if matches!(ttl, Ttl::Never) && tti == NEVER => Clock::Unused,
            None if exact_is_needed => Clock::Exact,
            None => Clock::Coarse,
        };
        Ok(Some(Self {
            ttl,
            tti,
            jitter,
            stale,
            key,
            ignore,
            single_flight,
            coroutine,
            weight,
            on_evict,
            copy,
            clock,
            shared,
        }))
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
            Clock::Given(clock) => {
                let seconds = object::call_with(clock.borrow(), &[])?;
                number(seconds.borrow())?
                    .map(clock::nanoseconds)
                    .ok_or_else(|| wrong(c"clock must return seconds (a float), not %.200s", seconds.borrow()))
            }
        }
    }
}

/// The options that can't hold for an entry that other processes replace, evict and clear, and why.
const NOT_SHARED: [(&CStr, &CStr); 4] = [
    (c"on_evict", c"on_evict can't be used with backend='shared': other processes evict, and have neither the callback nor the objects"),
    (c"weigher", c"weigher can't be used with backend='shared': max_bytes bounds what the entries of all processes take together"),
    (c"maxweight", c"maxweight can't be used with backend='shared': max_bytes bounds what the entries of all processes take together"),
    (c"clock", c"clock can't be used with backend='shared': all processes go by the machine's monotonic clock"),
];

/// `max_bytes` where it is not given: 64 MiB.
const DEFAULT_MAX_BYTES: u64 = 64 << 20;

impl SharedOptions {
    /// Reenters: `__fspath__`, attributes of the serializer.
    fn parse(is_shared: bool, option: &impl Fn(&CStr) -> Result<Option<Owned>>) -> Result<Option<Self>> {
        let (name, path) = (option(c"name")?, option(c"path")?);
        let (max_bytes, serializer) = (option(c"max_bytes")?, option(c"serializer")?);
        if !is_shared {
            let given = name.is_some() || path.is_some() || max_bytes.is_some() || serializer.is_some();
            let message = c"name, path, max_bytes and serializer go with backend='shared'";
            return if given { Err(Raised::new(Kind::Value, message)) } else { Ok(None) };
        }
        for (name, why) in NOT_SHARED {
            if option(name)?.is_some() {
                return Err(Raised::new(Kind::Value, why));
            }
        }
        if let Some(name) = &name {
            if !exact::is_str_instance(name.borrow()) {
                return Err(wrong(c"name takes the name of a shared region (a str), not %.200s", name.borrow()));
            }
            // A lone surrogate has no bytes in a file's header, and is not to stand for another name.
            let text = object::text(name.borrow())?;
            let whole = object::string(&text)?;
            // SAFETY: two strs.
            if text.is_empty() || unsafe { py::PyUnicode_Compare(name.as_ptr(), whole.as_ptr()) } != 0 {
                return Err(Raised::with(
                    Kind::Value,
                    c"name takes the name of a shared region, not %R",
                    name.borrow(),
                ));
            }
        }
        let path = path.map(|path| directory(path.borrow())).transpose()?;
        let max_bytes = match max_bytes {
            None => DEFAULT_MAX_BYTES,
            Some(value) => {
                match natural(value.borrow(), c"max_bytes takes the size of the region in bytes (an int), not %.200s")?
                {
                    Some(bytes @ 1..) => bytes,
                    _ => {
                        let message = c"max_bytes takes the size of the region in bytes, from 1 to 2**63 - 1, not %R";
                        return Err(Raised::with(Kind::Value, message, value.borrow()));
                    }
                }
            }
        };
        let serializer = serializer.filter(|value| !value.borrow().is_none());
        let serializer = serializer.map(|value| serializer_of(value.borrow())).transpose()?;
        Ok(Some(Self { name, path, max_bytes, serializer }))
    }
}

fn serializer_of(value: Borrowed<'_>) -> Result<Serializer> {
    let message = c"serializer takes an object with dumps(obj) -> bytes and loads(bytes) -> obj, not %.200s";
    match Serializer::of(value) {
        Ok(serializer) if serializer.is_callable() => Ok(serializer),
        Ok(_) => Err(wrong(message, value)),
        Err(raised) => {
            raised.unless_attribute_error()?;
            Err(wrong(message, value))
        }
    }
}

/// A directory as a str. Reenters: `__fspath__`.
fn directory(value: Borrowed<'_>) -> Result<Owned> {
    let message = c"path takes a directory (a str or os.PathLike), not %.200s";
    // SAFETY: a live object.
    let path = unsafe { py::PyOS_FSPath(value.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    match unsafe { Owned::from_call(path) } {
        Ok(path) if exact::is_str_instance(path.borrow()) => Ok(path),
        Ok(other) => Err(wrong(message, other.borrow())),
        Err(raised) => {
            // SAFETY: set up before any extension is imported.
            let type_error = unsafe { py::PyExc_TypeError };
            // SAFETY: an attached thread with an exception set.
            if unsafe { py::PyErr_ExceptionMatches(type_error) } == 0 {
                return Err(raised);
            }
            drop(raised.take());
            Err(wrong(message, value))
        }
    }
}

/// The seconds that a callable `ttl` says of a result, as nanoseconds; [`NEVER`] for None.
pub fn ttl_of(answer: Borrowed<'_>) -> Result<Time> {
    if answer.is_none() {
        return Ok(NEVER);
    }
    match span_of(answer)? {
        Some(seconds) => Ok(clock::nanoseconds(seconds.max(0.0))),
        None => Err(wrong(
            c"the ttl callable must return seconds (an int or float), a timedelta, or None, not %.200s",
            answer,
        )),
    }
}

/// The weight that `weigher` says of a value.
pub fn weight_of(answer: Borrowed<'_>) -> Result<u64> {
    let message = c"weigher must return an int, 0 or more, not %R";
    if !is_whole(answer) {
        return Err(Raised::with(Kind::Type, message, answer));
    }
    // SAFETY: an int; -1 with an exception set if it does not fit.
    let weight = unsafe { py::PyLong_AsLongLong(answer.as_ptr()) };
    if weight < 0 {
        // SAFETY: an attached thread.
        unsafe { py::PyErr_Clear() };
        return Err(Raised::with(Kind::Value, message, answer));
    }
    Ok(weight as u64)
}

/// A positive span in nanoseconds. Nothing if it is neither a number nor a timedelta.
fn seconds(value: Borrowed<'_>, name: &'static CStr) -> Result<Option<Time>> {
    let Some(seconds) = span_of(value)? else { return Ok(None) };
    // NaN is not positive either.
    if seconds > 0.0 {
        return Ok(Some(clock::nanoseconds(seconds)));
    }
    let message = match name.to_bytes() {
        b"ttl" => c"ttl takes more than 0 seconds, not %R",
        b"tti" => c"tti takes more than 0 seconds, not %R",
        _ => c"stale takes more than 0 seconds, not %R",
    };
    Err(Raised::with(Kind::Value, message, value))
}

/// The seconds of a number or a timedelta.
fn span_of(value: Borrowed<'_>) -> Result<Option<f64>> {
    if let Some(seconds) = number(value)? {
        return Ok(Some(seconds));
    }
    if !is_timedelta(value)? {
        return Ok(None);
    }
    let method = value.attr(object::interned(c"total_seconds")?.borrow())?;
    number(object::call_with(method.borrow(), &[])?.borrow())
}

/// Whether it is a `datetime.timedelta`. Without that module loaded nothing is.
fn is_timedelta(value: Borrowed<'_>) -> Result<bool> {
    // SAFETY: an attached thread; a borrowed reference.
    let modules = unsafe { py::PyImport_GetModuleDict() };
    // SAFETY: a dict and a terminated string; a borrowed reference or null, without an exception.
    let module = unsafe { py::PyDict_GetItemString(modules, c"datetime".as_ptr()) };
    if module.is_null() {
        return Ok(false);
    }
    // SAFETY: `sys.modules` holds it.
    let class = match unsafe { Borrowed::from_ptr(module) }.attr(object::interned(c"timedelta")?.borrow()) {
        Ok(class) => class,
        // It is being imported, or is not what it seems.
        Err(raised) => return raised.unless_attribute_error().map(|()| false),
    };
    // SAFETY: two live objects.
    match unsafe { py::PyObject_IsInstance(value.as_ptr(), class.as_ptr()) } {
        -1 => Err(Raised::by_callee()),
        answer => Ok(answer != 0),
    }
}

/// The value of an int or a float, but not of a bool. Nothing of anything else.
fn number(value: Borrowed<'_>) -> Result<Option<f64>> {
    if exact::is_bool(value) || !exact::is_int_instance(value) && !exact::is_float_instance(value) {
        return Ok(None);
    }
    // SAFETY: a live object.
    let number = unsafe { py::PyFloat_AsDouble(value.as_ptr()) };
    // SAFETY: an attached thread.
    if number != -1.0 || unsafe { py::PyErr_Occurred() }.is_null() {
        return Ok(Some(number));
    }
    // SAFETY: set up before any extension is imported.
    let overflow = unsafe { py::PyExc_OverflowError };
    // SAFETY: an attached thread with an exception set.
    if unsafe { py::PyErr_ExceptionMatches(overflow) } == 0 {
        return Err(Raised::by_callee());
    }
    // An int beyond all floats.
    // SAFETY: an attached thread.
    unsafe { py::PyErr_Clear() };
    let mut sign = 0;
    // SAFETY: an int, and a place for which way it is too large.
    unsafe { py::PyLong_AsLongLongAndOverflow(value.as_ptr(), &raw mut sign) };
    Ok(Some(f64::INFINITY.copysign(f64::from(sign))))
}

fn fraction(value: Borrowed<'_>) -> Result<f64> {
    match number(value)? {
        Some(fraction) if (0.0..=1.0).contains(&fraction) => Ok(fraction),
        Some(_) => Err(Raised::with(Kind::Value, c"jitter takes a fraction from 0 to 1, not %R", value)),
        None => Err(wrong(c"jitter takes a fraction from 0 to 1 (a float), not %.200s", value)),
    }
}

fn is_whole(value: Borrowed<'_>) -> bool {
    !exact::is_bool(value) && exact::is_int_instance(value)
}

fn whole(value: Borrowed<'_>) -> Result<u64> {
    let message = c"maxweight takes an int from 0 to 2**63 - 1, not %R";
    natural(value, c"maxweight takes an int, 0 or more, not %.200s")?
        .ok_or_else(|| Raised::with(Kind::Value, message, value))
}

/// The value of an int. None if it is below 0 or beyond 63 bits.
fn natural(value: Borrowed<'_>, message: &'static CStr) -> Result<Option<u64>> {
    if !is_whole(value) {
        return Err(wrong(message, value));
    }
    // SAFETY: an int; -1 with an exception set if it does not fit.
    let number = unsafe { py::PyLong_AsLongLong(value.as_ptr()) };
    if number < 0 {
        // SAFETY: an attached thread.
        unsafe { py::PyErr_Clear() };
        return Ok(None);
    }
    Ok(Some(number as u64))
}

/// `ignore` as a tuple of names. Reenters: iteration.
pub fn names(value: Borrowed<'_>) -> Result<Owned> {
    let message = c"ignore takes the name of a parameter, or several of them, not %.200s";
    if exact::is_str_instance(value) {
        // SAFETY: a live object.
        let tuple = unsafe { py::PyTuple_Pack(1, value.as_ptr()) };
        // SAFETY: a new reference or null.
        return unsafe { Owned::from_call(tuple) };
    }
    // SAFETY: a live object.
    let tuple = unsafe { py::PySequence_Tuple(value.as_ptr()) };
    if tuple.is_null() {
        // SAFETY: set up before any extension is imported.
        let type_error = unsafe { py::PyExc_TypeError };
        // SAFETY: an attached thread with an exception set.
        if unsafe { py::PyErr_ExceptionMatches(type_error) } == 0 {
            return Err(Raised::by_callee());
        }
        // SAFETY: an attached thread.
        unsafe { py::PyErr_Clear() };
        return Err(wrong(message, value));
    }
    // SAFETY: a new reference.
    let tuple = unsafe { Owned::from_ptr(tuple) };
    match exact::tuple_items(tuple.borrow()).iter().find(|&&name| !exact::is_str_instance(name)) {
        Some(&name) => Err(wrong(c"ignore takes names of parameters (str), not %.200s", name)),
        None => Ok(tuple),
    }
}

fn is_shared(backend: Borrowed<'_>) -> Result<bool> {
    let is = |name: &CStr| {
        // SAFETY: a str and a terminated string.
        exact::is_str_instance(backend)
            && unsafe { py::PyUnicode_CompareWithASCIIString(backend.as_ptr(), name.as_ptr()) == 0 }
    };
    match is(c"shared") {
        false if !is(c"memory") => {
            Err(Raised::with(Kind::Value, c"backend takes 'memory' or 'shared', not %R", backend))
        }
        shared => Ok(shared),
    }
}

fn wrong(message: &'static CStr, value: Borrowed<'_>) -> Raised {
    Raised::type_error_naming_type(message, value)
}

/// A dict that holds what another one holds.
pub fn copied(dict: Borrowed<'_>) -> Result<Owned> {
    // SAFETY: a dict.
    let copy = unsafe { py::PyDict_Copy(dict.as_ptr()) };
    // SAFETY: a new reference or null.
    unsafe { Owned::from_call(copy) }
}

/// An empty dict.
pub fn empty() -> Result<Owned> {
    // SAFETY: an attached thread.
    let dict = unsafe { py::PyDict_New() };
    // SAFETY: a new reference or null.
    unsafe { Owned::from_call(dict) }
}
