//! Coroutine objects where a result is expected. They can be awaited once, so none is stored: whoever got it from the cache would
//! find it used up.
//!
//! A coroutine object is what `collections.abc.Coroutine` has for an instance, and a generator that `types.coroutine` has made one.
//! Our own are among them, but for what a hit returns where it is the awaited result of another call: that can be awaited again and
//! again, as futures and tasks can.

use crate::ffi::{Borrowed, Owned, Raised, Result, build, call, compat, read};
use crate::py::completed;
use pyo3_ffi as py;
use std::ffi::CStr;

/// What a function returned, unless it is a coroutine object: then `TypeError`, and a coroutine that nobody else has is closed.
/// Reenters: for objects that can be awaited an import, and `close`.
#[inline(always)]
pub fn result_of(function: Borrowed<'_>, value: Owned) -> Result<Owned> {
    if may_be_one(value.borrow()) { look_closer(function, value) } else { Ok(value) }
}

/// Refuses the value that `cache_put` is to store, if it is a coroutine object. It is closed if nobody but the call has it. Reenters:
/// as [`result_of`].
#[inline(always)]
pub fn refuse_given(value: Borrowed<'_>) -> Result<()> {
    let message =
        c"cache_put() takes the value to store, not a coroutine object, which can be awaited only once: await it first";
    refuse(value, message, compat::is_only_argument)
}

/// Refuses the awaited result of a coroutine function, if that is a coroutine object itself, and closes it. Reenters: as
/// [`result_of`].
#[inline(always)]
pub fn refuse_awaited(value: Borrowed<'_>) -> Result<()> {
    let message =
        c"a cached coroutine function has returned a coroutine object when it was awaited, which can be awaited only \
        once and so can't be stored: await it inside of the function";
    if completed::is_completed(value) { Ok(()) } else { refuse(value, message, |_| true) }
}

#[inline(always)]
fn refuse(value: Borrowed<'_>, message: &CStr, to_close: impl FnOnce(Borrowed<'_>) -> bool) -> Result<()> {
    if !may_be_one(value) || !is_one(value)? {
        return Ok(());
    }
    if to_close(value) {
        close(value);
    }
    Err(Raised::type_error(message))
}

/// False for nearly all values, at the price of a look at their type.
#[inline(always)]
fn may_be_one(value: Borrowed<'_>) -> bool {
    let kind = value.type_ptr();
    // SAFETY: a live object's type is live.
    let methods = unsafe { (*kind).tp_as_async };
    // SAFETY: a type's own table, or null.
    let Some(methods) = (unsafe { methods.as_ref() }) else { return false };
    methods.am_await.is_some() || kind == &raw mut py::PyGen_Type
}

/// `inspect.CO_ITERABLE_COROUTINE`
const CO_ITERABLE_COROUTINE: i64 = 0x100;

/// Reenters: an import, and what `isinstance` runs.
fn is_one(value: Borrowed<'_>) -> Result<bool> {
    let kind = value.type_ptr();
    if kind == &raw mut py::PyCoro_Type {
        return Ok(true);
    }
    if kind == &raw mut py::PyGen_Type {
        let code = value.attr(build::interned(c"gi_code")?.borrow())?;
        return Ok(read::code_flags(code.borrow())? & CO_ITERABLE_COROUTINE != 0);
    }
    let class = call::import(c"collections.abc", c"Coroutine")?;
    // SAFETY: two live objects.
    match unsafe { py::PyObject_IsInstance(value.as_ptr(), class.as_ptr()) } {
        -1 => Err(Raised::by_callee()),
        answer => Ok(answer != 0),
    }
}

#[cold]
#[inline(never)]
fn look_closer(function: Borrowed<'_>, value: Owned) -> Result<Owned> {
    let function = function.to_owned();
    if !is_one(value.borrow())? {
        return Ok(value);
    }
    if value.borrow().is_only_reference() {
        close(value.borrow());
    }
    drop(value);
    Err(Raised::type_error_with(
        c"%R is no coroutine function, but it has returned a coroutine object, which can be awaited only once and so can't be \
        stored: cache a coroutine function, made by 'async def' or marked by inspect.markcoroutinefunction (Python 3.12 or newer)",
        function.borrow(),
    ))
}

/// Closes a coroutine, so that no warning says that it was never awaited. Whatever that raises is not what went wrong. Reenters:
/// the coroutine, if it has begun.
fn close(value: Borrowed<'_>) {
    let closed = build::interned(c"close")
        .and_then(|name| value.attr(name.borrow()))
        .and_then(|method| call::with(method.borrow(), &[]));
    if closed.is_err() {
        // SAFETY: an attached thread with an exception set, and a live object.
        unsafe { py::PyErr_WriteUnraisable(value.as_ptr()) };
    }
}
