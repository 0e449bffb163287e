//! The values of options: numbers, spans of time and names, and what callables among the options answer.

use crate::core::clock;
use crate::core::clock::{NEVER, Time};
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, build, call, exact, read};
use pyo3_ffi as py;
use std::ffi::CStr;

/// A whole number.
enum Whole {
    /// From 0 to 2^63 - 1.
    Natural(u64),
    /// Below or beyond that.
    Other,
}

/// The seconds that a callable `ttl` says of a result, as nanoseconds; [`NEVER`] for None.
pub fn ttl_of(answer: Borrowed<'_>) -> Result<Time> {
    if answer.is_none() {
        return Ok(NEVER);
    }
    match span_of(answer)? {
        Some(seconds) => Ok(clock::nanoseconds(seconds.max(0.0))),
        None => {
            Err(wrong(c"the ttl callable must return seconds (a number), a timedelta, or None, not %.200s", answer))
        }
    }
}

/// The weight that `weigher` says of a value.
pub fn weight_of(answer: Borrowed<'_>) -> Result<u64> {
    let message = c"weigher must return an int, 0 or more, not %R";
    match whole(answer)? {
        Some(Whole::Natural(weight)) => Ok(weight),
        Some(Whole::Other) => Err(Raised::with(Kind::Value, message, answer)),
        None => Err(Raised::with(Kind::Type, message, answer)),
    }
}

/// The time that `clock` says.
pub fn time_of(answer: Borrowed<'_>) -> Result<Time> {
    match number(answer)? {
        Some(seconds) => Ok(clock::nanoseconds(seconds)),
        None => Err(wrong(c"clock must return seconds (a float), not %.200s", answer)),
    }
}

/// A positive span in nanoseconds. Nothing if it is neither a number nor a timedelta. `message` is for the others.
pub fn span(value: Borrowed<'_>, message: &'static CStr) -> Result<Option<Time>> {
    match span_of(value)? {
        // NaN is not positive either.
        Some(seconds) if seconds > 0.0 => Ok(Some(clock::nanoseconds(seconds))),
        Some(_) => Err(Raised::with(Kind::Value, message, value)),
        None => Ok(None),
    }
}

/// `jitter`
pub fn fraction(value: Borrowed<'_>) -> Result<f64> {
    match number(value)? {
        Some(fraction) if (0.0..=1.0).contains(&fraction) => Ok(fraction),
        Some(_) => Err(Raised::with(Kind::Value, c"jitter takes a fraction from 0 to 1, not %R", value)),
        None => Err(wrong(c"jitter takes a fraction from 0 to 1 (a float), not %.200s", value)),
    }
}

/// A whole number from 0 to 2^63 - 1. None if it is below or beyond; the message is for what is no whole number.
pub fn natural(value: Borrowed<'_>, message: &'static CStr) -> Result<Option<u64>> {
    match whole(value)? {
        Some(Whole::Natural(number)) => Ok(Some(number)),
        Some(Whole::Other) => Ok(None),
        None => Err(wrong(message, value)),
    }
}

/// Whether it is a number other than 0 and 1, or a timedelta: no flag, but a span of time in the place of one.
pub fn is_no_flag(value: Borrowed<'_>) -> Result<bool> {
    Ok(span_of(value)?.is_some_and(|seconds| seconds != 0.0 && seconds != 1.0))
}

/// The seconds of a number or a timedelta. Reenters: `__float__`, `__index__`.
fn span_of(value: Borrowed<'_>) -> Result<Option<f64>> {
    if let Some(seconds) = number(value)? {
        return Ok(Some(seconds));
    }
    if !is_timedelta(value)? {
        return Ok(None);
    }
    let method = value.attr(build::interned(c"total_seconds")?.borrow())?;
    number(call::with(method.borrow(), &[])?.borrow())
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
    let class = match unsafe { Borrowed::from_ptr(module) }.attr(build::interned(c"timedelta")?.borrow()) {
        Ok(class) => class,
        // It is being imported, or is not what it seems.
        Err(raised) => return raised.unless(Kind::Attribute).map(|()| false),
    };
    // SAFETY: two live objects.
    match unsafe { py::PyObject_IsInstance(value.as_ptr(), class.as_ptr()) } {
        -1 => Err(Raised::by_callee()),
        answer => Ok(answer != 0),
    }
}

/// What a number is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `__index__`
    Index,
    /// `__float__`
    Float,
}

/// How an object is a number, if it is one: an int, a float, or whatever else has `__index__` or `__float__`. A bool is none, nor is
/// one of numpy's, and nor are its strings, dates and spans of time, which have `__float__` too. Reenters: `dtype`.
fn form_of(value: Borrowed<'_>) -> Result<Option<Form>> {
    if exact::is_int_instance(value) {
        return Ok((!exact::is_bool(value)).then_some(Form::Index));
    }
    if exact::is_float_instance(value) {
        return Ok(Some(Form::Float));
    }
    let form = match (exact::has_index(value), exact::has_float(value)) {
        (true, _) => Form::Index,
        (false, true) => Form::Float,
        (false, false) => return Ok(None),
    };
    let kind = match value.attr(build::interned(c"dtype")?.borrow()) {
        Ok(dtype) => dtype.borrow().attr(build::interned(c"kind")?.borrow()),
        Err(raised) => Err(raised),
    };
    match kind {
        // numpy.dtype.kind: int, unsigned int, float.
        Ok(kind) if exact::is_str(kind.borrow()) => {
            Ok(matches!(read::text(kind.borrow())?.as_str(), "i" | "u" | "f").then_some(form))
        }
        Ok(_) => Ok(Some(form)),
        Err(raised) => raised.unless(Kind::Attribute).map(|()| Some(form)),
    }
}

/// The value of a number. Nothing of anything else. Reenters: `__float__`, `__index__`, `dtype`.
fn number(value: Borrowed<'_>) -> Result<Option<f64>> {
    match form_of(value)? {
        None => Ok(None),
        Some(Form::Float) => float(value),
        Some(Form::Index) => match index(value)? {
            Some(int) => float(int.borrow()),
            // An array of floats, say, of which only one is a number.
            None if exact::has_float(value) => float(value),
            None => Ok(None),
        },
    }
}

/// `float(value)`. Nothing if that is a `TypeError`. An int beyond all floats is infinite.
fn float(value: Borrowed<'_>) -> Result<Option<f64>> {
    // SAFETY: a live object.
    let number = unsafe { py::PyFloat_AsDouble(value.as_ptr()) };
    // SAFETY: an attached thread.
    if number != -1.0 || unsafe { py::PyErr_Occurred() }.is_null() {
        return Ok(Some(number));
    }
    if !exact::is_int_instance(value) {
        return Raised::by_callee().unless(Kind::Type).map(|()| None);
    }
    Raised::by_callee().unless(Kind::Overflow)?;
    Ok(Some(f64::INFINITY.copysign(f64::from(sign(value)))))
}

/// `operator.index(value)`. Nothing if that is a `TypeError`.
pub fn index(value: Borrowed<'_>) -> Result<Option<Owned>> {
    // SAFETY: a live object.
    let int = unsafe { py::PyNumber_Index(value.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    match unsafe { Owned::from_call(int) } {
        Ok(int) => Ok(Some(int)),
        Err(raised) => raised.unless(Kind::Type).map(|()| None),
    }
}

/// An object of a type that is no int, as the int that it is, if it is one: a number of numpy's.
pub fn int_of_another_type(value: Borrowed<'_>) -> Result<Option<Owned>> {
    match form_of(value)? {
        Some(Form::Index) => index(value),
        _ => Ok(None),
    }
}

/// The sign of an int beyond 64 bits: 1 or -1.
fn sign(int: Borrowed<'_>) -> i32 {
    let mut sign = 0;
    // SAFETY: an int, and a place for which way it is too large.
    unsafe { py::PyLong_AsLongLongAndOverflow(int.as_ptr(), &raw mut sign) };
    sign
}

/// The value of a whole number, which may be a float. Nothing of anything else. Reenters: as [`number`].
fn whole(value: Borrowed<'_>) -> Result<Option<Whole>> {
    let int = match form_of(value)? {
        None => return Ok(None),
        Some(Form::Index) => index(value)?,
        Some(Form::Float) => None,
    };
    if let Some(int) = int {
        let mut beyond = 0;
        // SAFETY: an int, and a place for which way it is too large.
        let number = unsafe { py::PyLong_AsLongLongAndOverflow(int.as_ptr(), &raw mut beyond) };
        return Ok(Some(u64::try_from(number).ok().filter(|_| beyond == 0).map_or(Whole::Other, Whole::Natural)));
    }
    let number = if exact::has_float(value) { float(value)? } else { None };
    Ok(number.filter(|number| number.is_finite() && number.fract() == 0.0).map(|number| {
        const END: f64 = (1u64 << 63) as f64;
        if (0.0..END).contains(&number) { Whole::Natural(number as u64) } else { Whole::Other }
    }))
}

/// `ignore` as a tuple of names. Reenters: iteration.
pub fn names(value: Borrowed<'_>) -> Result<Owned> {
    if exact::is_str_instance(value) {
        return build::tuple(&[value]);
    }
    // SAFETY: a live object.
    let tuple = unsafe { py::PySequence_Tuple(value.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let tuple = match unsafe { Owned::from_call(tuple) } {
        Ok(tuple) => tuple,
        Err(raised) => {
            raised.unless(Kind::Type)?;
            return Err(wrong(c"ignore takes the name of a parameter, or several of them, not %.200s", value));
        }
    };
    match exact::tuple_items(tuple.borrow()).iter().find(|&&name| !exact::is_str_instance(name)) {
        Some(&name) => Err(wrong(c"ignore takes names of parameters (str), not %.200s", name)),
        None => Ok(tuple),
    }
}

/// `TypeError` that names the type of the value.
pub fn wrong(message: &'static CStr, value: Borrowed<'_>) -> Raised {
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
    build::dict()
}
