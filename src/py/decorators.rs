//! `lru_cache` and `cache`.

use crate::ffi::method_table::{Table, methods, with_arguments, with_one_argument};
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call, exact, read};
use crate::py::cache::capacity::Bound;
use crate::py::cached_method::object::CachedMethod;
use crate::py::function::Wrapper;
use crate::py::options::{self, Options};
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::CStr;
use std::ptr;

const DEFAULT_MAXSIZE: usize = 128;

/// The options that functools has.
const OWN_NAMES: [&CStr; 2] = [c"maxsize", c"typed"];

/// The options of one decoration.
#[derive(Clone)]
struct Decoration {
    bound: Bound,
    /// As it was given.
    typed: Owned,
    /// The others: a dict.
    others: Owned,
    /// Whether each instance is to have a cache of its own.
    per_instance: bool,
}

impl Decoration {
    fn new(bound: Bound) -> Result<Self> {
        Ok(Self { bound, typed: build::boolean(false), others: options::values::empty()?, per_instance: false })
    }

    /// Takes one of the options beside `maxsize` and `typed`. None is as if it had not been given.
    fn take(&self, name: &CStr, value: Borrowed<'_>) -> Result<()> {
        if value.is_none() {
            return Ok(());
        }
        // SAFETY: a live object.
        let once = name == c"ignore" && unsafe { py::PyIter_Check(value.as_ptr()) } != 0;
        // What can be iterated over once is iterated over here.
        let names = if once { Some(options::values::names(value)?) } else { None };
        let value = names.as_ref().map_or(value, Owned::borrow);
        // SAFETY: a dict, a terminated string and a live object.
        match unsafe { py::PyDict_SetItemString(self.others.as_ptr(), name.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::by_callee()),
        }
    }

    /// Wraps the function.
    fn decorate(&self, module: Borrowed<'_>, function: Borrowed<'_>) -> Result<Owned> {
        if self.per_instance
            && let Some((kind, function, is_static)) = CachedMethod::inside(function)?
        {
            let options = Self { per_instance: !is_static, ..Self::clone(self) };
            let made = options.decorate(module, function.borrow())?;
            return call::with(kind.borrow(), &[made.borrow()]);
        }
        if self.per_instance {
            CachedMethod::check_options(Options::parse(self.others.borrow(), false)?.as_ref())?;
        }
        if !function.is_callable() {
            CachedMethod::refuse_descriptor("the first argument must be callable", function)?;
            return Err(Raised::type_error_naming_type(c"the first argument must be callable, not %.200s", function));
        }
        let state = State::of_module(module)?;
        let (typed, others) = (self.typed.borrow(), self.others.borrow());
        if self.per_instance {
            CachedMethod::decorate(state, function, self.bound, typed, others)
        } else {
            Wrapper::decorate(state, function, self.bound, typed, others, None)
        }
    }

    /// A decorator with these options, for `lru_cache(...)` and `cache(...)` without a function.
    ///
    /// It is a builtin function whose self is a tuple of the module and the options as Python objects.
    fn into_decorator(self, module: Borrowed<'_>) -> Result<Owned> {
        let maxsize = match self.bound {
            Bound::Unbounded => build::none(),
            Bound::Off => build::count(0)?,
            Bound::Entries(entries) => build::count(entries as u64)?,
        };
        // Parsed now, so that errors are raised where the options are written.
        let parsed = Options::parse(self.others.borrow(), false)?;
        if self.per_instance {
            CachedMethod::check_options(parsed.as_ref())?;
        }
        let bundle = build::tuple(&[
            module,
            maxsize.borrow(),
            self.typed.borrow(),
            self.others.borrow(),
            build::boolean(self.per_instance).borrow(),
        ])?;
        // SAFETY: a static definition, which C only reads; a new reference or null.
        let pointer = unsafe { py::PyCFunction_NewEx(DECORATING.as_ptr(), bundle.as_ptr(), ptr::null_mut()) };
        // SAFETY: a new reference, or null with an exception set.
        unsafe { Owned::from_call(pointer) }
    }
}

/// `maxsize` as functools takes it: an int, negative for 0, or None; and whatever else is an int to Python, such as those of numpy.
/// Nothing if it is neither. Reenters: `__index__`.
pub fn bound_of(maxsize: Borrowed<'_>) -> Result<Option<Bound>> {
    if maxsize.is_none() {
        return Ok(Some(Bound::Unbounded));
    }
    if !exact::is_int_instance(maxsize) {
        let int = if maxsize.is_callable() { None } else { options::values::int_of_another_type(maxsize)? };
        return int.map_or(Ok(None), |int| bound_of(int.borrow()));
    }
    // SAFETY: a live object. Without an exception to set, what does not fit is clipped.
    if unsafe { py::PyNumber_AsSsize_t(maxsize.as_ptr(), ptr::null_mut()) } <= 0 {
        return Ok(Some(Bound::Off));
    }
    // SAFETY: OverflowError is set up before any extension is imported.
    let overflow = unsafe { py::PyExc_OverflowError };
    // SAFETY: a live object.
    match unsafe { py::PyNumber_AsSsize_t(maxsize.as_ptr(), overflow) } {
        -1 => Err(Raised::by_callee()),
        entries => Ok(Some(Bound::Entries(entries as usize))),
    }
}

/// The error for a keyword argument that is no option: it names those that are, and the one that was perhaps meant. Reenters: an
/// import.
pub fn unknown_option(function: &CStr, name: Borrowed<'_>, known: &[&CStr]) -> Raised {
    let message = || {
        let known = known.iter().map(|known| build::interned(known)).collect::<Result<Vec<_>>>()?;
        let known: Vec<_> = known.iter().map(Owned::borrow).collect();
        let (known, function) = (build::tuple(&known)?, build::interned(function)?);
        let helper = call::import(c"tamis._errors", c"unknown_option")?;
        call::with(helper.borrow(), &[function.borrow(), name, known.borrow()])
    };
    message().map_or_else(|raised| raised, |message| Raised::saying(Kind::Type, message.borrow()))
}

/// Hands each keyword argument to `take`, or names the first that is none of the known ones.
fn each_option<'a>(
    args: &CallArgs<'a>,
    function: &CStr,
    mut take: impl FnMut(&'static CStr, Borrowed<'a>) -> Result<()>,
) -> Result<()> {
    let names = args.names();
    for (&name, &value) in names.iter().zip(&args.values()[args.positional().len()..]) {
        let known = OWN_NAMES.iter().chain(options::parse::NAMES).find(|known| {
            // SAFETY: a str and a terminated string.
            unsafe { py::PyUnicode_CompareWithASCIIString(name.as_ptr(), known.as_ptr()) == 0 }
        });
        match known {
            Some(known) => take(known, value)?,
            None => return Err(unknown_option(function, name, &[&OWN_NAMES, options::parse::NAMES].concat())),
        }
    }
    Ok(())
}

/// `lru_cache(maxsize=128, typed=False, **options)`
fn lru_cache(module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    lru_cache_of(module, args, false)
}

/// `cached_method(maxsize=128, typed=False, **options)`
fn cached_method(module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    lru_cache_of(module, args, true)
}

/// `lru_cache(**options)(function)`, for C: without options, `lru_cache(function)`. `options` is a dict.
///
/// Reenters: as [`Wrapper::decorate`], iteration over `ignore`.
pub fn around(module: Borrowed<'_>, function: Borrowed<'_>, options: Option<Borrowed<'_>>) -> Result<Owned> {
    // A copy, which nobody else changes.
    let options = options.map_or_else(options::values::empty, options::values::copied)?;
    let items = read::dict_pairs(options.borrow())?;
    let (names, values): (Vec<_>, Vec<_>) = items.iter().map(|(name, value)| (name.borrow(), value.borrow())).unzip();
    if let Some(&name) = names.iter().find(|&&name| !exact::is_str_instance(name)) {
        return Err(Raised::type_error_naming_type(c"options have names (str), not %.200s", name));
    }
    let kwnames = if names.is_empty() { None } else { Some(build::tuple(&names)?) };
    let args = CallArgs::of(&values, 0, kwnames.as_ref().map(Owned::borrow));
    let (mut options, maxsize) = lru_cache_options(&args, false)?;
    if let Some(maxsize) = maxsize {
        let message = c"maxsize takes an int or None, not %.200s";
        options.bound = bound_of(maxsize)?.ok_or_else(|| Raised::type_error_naming_type(message, maxsize))?;
    }
    options.decorate(module, function)
}

/// What `lru_cache` was called with, and what was given for `maxsize`, which may be the function. Reenters: iteration over
/// `ignore`.
fn lru_cache_options<'a>(args: &CallArgs<'a>, per_instance: bool) -> Result<(Decoration, Option<Borrowed<'a>>)> {
    let (mut maxsize, mut typed) = match *args.positional() {
        [] => (None, None),
        [maxsize] => (Some(maxsize), None),
        [maxsize, typed] => {
            let message = c"typed takes True or False, not %R: a time is given by name, as in lru_cache(128, ttl=60)";
            if options::values::is_no_flag(typed)? {
                return Err(Raised::type_error_with(message, typed));
            }
            (Some(maxsize), Some(typed))
        }
        _ => {
            return Err(Raised::type_error(c"lru_cache() takes at most 2 positional arguments: maxsize and typed"));
        }
    };
    let function = if per_instance { c"cached_method" } else { c"lru_cache" };
    let mut options = Decoration { per_instance, ..Decoration::new(Bound::Entries(DEFAULT_MAXSIZE))? };
    each_option(args, function, |name, value| {
        if name != c"maxsize" && name != c"typed" {
            return options.take(name, value);
        }
        let place = if name == c"maxsize" { &mut maxsize } else { &mut typed };
        if place.replace(value).is_some() {
            return Err(Raised::type_error(c"lru_cache() got maxsize or typed both by position and by keyword"));
        }
        Ok(())
    })?;
    if let Some(typed) = typed {
        options.typed = typed.to_owned();
    }
    Ok((options, maxsize))
}

fn lru_cache_of(module: Borrowed<'_>, args: &CallArgs<'_>, per_instance: bool) -> Result<Owned> {
    let (mut options, maxsize) = lru_cache_options(args, per_instance)?;
    let Some(maxsize) = maxsize else {
        return options.into_decorator(module);
    };
    if let Some(bound) = bound_of(maxsize)? {
        options.bound = bound;
        return options.into_decorator(module);
    }
    let is_function = maxsize.is_callable() || (per_instance && CachedMethod::inside(maxsize)?.is_some());
    if is_function && exact::is_bool(options.typed.borrow()) {
        return options.decorate(module, maxsize);
    }
    CachedMethod::refuse_descriptor("Expected first argument to be an integer, a callable, or None", maxsize)?;
    let message =
        c"Expected first argument to be an integer, a callable, or None: maxsize takes an int or None, not %.200s";
    Err(Raised::type_error_naming_type(message, maxsize))
}

/// `cache(user_function=None, /, *, maxsize=None, typed=False)`
fn cache(module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    let function = match *args.positional() {
        [] => None,
        [function] => Some(function),
        _ => {
            return Err(Raised::type_error(c"cache() takes at most 1 positional argument: the function"));
        }
    };
    let mut options = Decoration::new(Bound::Unbounded)?;
    each_option(args, c"cache", |name, value| {
        if name != c"maxsize" && name != c"typed" {
            return options.take(name, value);
        }
        if name == c"typed" {
            options.typed = value.to_owned();
            return Ok(());
        }
        let message = c"cache() maxsize takes an int or None, not %.200s";
        options.bound = bound_of(value)?.ok_or_else(|| Raised::type_error_naming_type(message, value))?;
        Ok(())
    })?;
    match function.filter(|function| !function.is_none()) {
        None => options.into_decorator(module),
        Some(function) => options.decorate(module, function),
    }
}

/// What [`Decoration::into_decorator`] makes: wraps the function. Reenters: as that does.
fn decorate_with(bundle: Borrowed<'_>, function: Borrowed<'_>) -> Result<Owned> {
    let &[module, maxsize, typed, others, per_instance] = exact::tuple_items(bundle) else {
        return Err(Raised::type_error(c"a decorator of tamis is called on its own options"));
    };
    let bound = bound_of(maxsize)?.unwrap_or(Bound::Unbounded);
    let per_instance = per_instance.is_true()?;
    Decoration { bound, typed: typed.to_owned(), others: others.to_owned(), per_instance }.decorate(module, function)
}

methods! {
    Borrowed<'_>:
    lru_cache_fastcall = |module, args| lru_cache(module, &args);
    cache_fastcall = |module, args| cache(module, &args);
    cached_method_fastcall = |module, args| cached_method(module, &args);
    decorating_function = |bundle; function| decorate_with(bundle, function);
}

static DECORATING: Table<py::PyMethodDef, 1> = Table::new([with_one_argument(
    c"decorating_function",
    decorating_function,
    c"decorating_function($self, user_function, /)\n--\n\nWrap the function in a cache.",
)]);

/// The module's functions.
pub const FUNCTIONS: [py::PyMethodDef; 3] = [
    with_arguments(
        c"lru_cache",
        lru_cache_fastcall,
        c"lru_cache($module, /, maxsize=128, typed=False, *, ttl=None, tti=None, jitter=None, stale=None, stale_if_error=None, \
            retry=None, background=None, key=None, ignore=None, single_flight=None, weigher=None, maxweight=None, on_evict=None, copy=None, clock=None, \
            backend=None, name=None, path=None, max_bytes=None, serializer=None)\n--\n\n\
            Decorator that remembers the results of up to maxsize calls, with SIEVE eviction.\n\n\
            maxsize: how many entries at most; None for no bound, 0 (or less) to store nothing.\n\
            typed: whether arguments of different types are remembered apart even if they are equal.\n\n\
            Options, by keyword; None is as if one were not given:\n\
            ttl: how long an entry is fresh, in seconds or as a timedelta, or a callable result -> seconds or None.\n\
            tti: after how long without a read an entry is dropped.\n\
            jitter: the part, 0 to 1, of which a random share is taken off each ttl.\n\
            stale: for how long past its ttl an entry is still returned to all callers but one, who recomputes it.\n\
            stale_if_error: for how long past its ttl, and past stale, an entry is returned if computing it anew raised an\n\
            Exception. It is then not computed anew for retry seconds (1 if not given).\n\
            background: who computes a stale entry anew, so that no caller of one waits: a callable that gets the job, such\n\
            as an executor's submit; for coroutine functions True, for a task of the running loop.\n\
            key: a callable of the call's arguments that returns the key.\n\
            ignore: a parameter's name, or several, that are no part of the key.\n\
            single_flight: whether concurrent misses of one key compute once, and the others wait for that; True for\n\
            coroutine functions if not given.\n\
            weigher, maxweight: a callable value -> int, and the maximum total weight.\n\
            on_evict: called with key, value and cause when an entry has left: 'size', 'expired', 'invalidated',\n\
            'replaced' or 'cleared'.\n\
            copy: True, or a callable value -> value: makes the copies that calls return, of which the entry keeps none.\n\
            clock: a callable () -> seconds in the place of the monotonic clock.\n\
            backend: 'memory', a tier such as tamis.remote.Redis, or 'shared' for one cache of all processes; then also\n\
            name, path, max_bytes and serializer.\n\n\
            Takes the place of functools.lru_cache. The arguments must be hashable.",
    ),
    with_arguments(
        c"cache",
        cache_fastcall,
        c"cache($module, user_function=None, /, *, maxsize=None, typed=False, ttl=None, tti=None, jitter=None, \
            stale=None, stale_if_error=None, retry=None, background=None, key=None, ignore=None, single_flight=None, weigher=None, \
            maxweight=None, on_evict=None, copy=None, \
            clock=None, backend=None, name=None, path=None, max_bytes=None, serializer=None)\n--\n\n\
            Decorator that remembers the results of all calls, as lru_cache(maxsize=None) does.\n\n\
            Takes the place of functools.cache, and takes lru_cache's options besides.",
    ),
    with_arguments(
        c"cached_method",
        cached_method_fastcall,
        c"cached_method($module, /, maxsize=128, typed=False, *, ttl=None, tti=None, jitter=None, stale=None, stale_if_error=None, \
            retry=None, background=None, key=None, ignore=None, single_flight=None, weigher=None, maxweight=None, on_evict=None, copy=None, clock=None, \
            backend=None, name=None, path=None, max_bytes=None, serializer=None)\n--\n\n\
            Decorator for methods, with one cache for each instance, which is freed with it.\n\n\
            Takes lru_cache's arguments. Instances need not be hashable, and are not kept alive.",
    ),
];
