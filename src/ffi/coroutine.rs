//! Awaiting from C, as CPython's own `await` does it (Objects/genobject.c, PEP 492).

use super::compat::recursion::check_stack;
use super::raise::raise_given;
use super::raised::Kind;
use super::{Borrowed, Owned, Raised, Result, build};
use pyo3_ffi as py;
use std::ffi::CStr;
use std::ptr;

/// What has come of a step.
pub enum Step {
    /// It waits, and this is for who drives it all.
    Yielded(Owned),
    /// It is through, and this is its result.
    Returned(Owned),
    /// It is through, with this exception.
    Raised(Raised),
}

/// `type(object) is types.CoroutineType`
fn is_coroutine(object: Borrowed<'_>) -> bool {
    object.type_ptr() == &raw mut py::PyCoro_Type
}

/// What `await` drives for an object: the coroutine itself, or what `__await__` returns. None where it takes CPython to tell, for
/// generators that `types.coroutine` has marked and for what can't be awaited. Reenters: `__await__`.
pub fn awaited(object: Owned) -> Result<Option<Owned>> {
    if is_coroutine(object.borrow()) {
        return Ok(Some(object));
    }
    // SAFETY: a live object's type is live.
    let methods = unsafe { (*object.borrow().type_ptr()).tp_as_async };
    // SAFETY: null, or a table as long-lived as the type.
    let Some(am_await) = (unsafe { methods.as_ref() }).and_then(|methods| methods.am_await) else { return Ok(None) };
    check_stack()?;
    // SAFETY: the slot of the object's own type.
    let made = unsafe { am_await(object.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let made = unsafe { Owned::from_call(made) }?;
    if is_coroutine(made.borrow()) {
        return Err(Raised::type_error(c"__await__() returned a coroutine"));
    }
    // SAFETY: a live object.
    if unsafe { py::PyIter_Check(made.as_ptr()) } == 0 {
        let message = c"__await__() returned non-iterator of type '%.100s'";
        return Err(Raised::type_error_naming_type(message, made.borrow()));
    }
    Ok(Some(made))
}

/// What the result of a call of `throw` or `send` means: null with `StopIteration` is the end.
///
/// # Safety
/// A new reference, or null with an exception set.
unsafe fn step_of(yielded: *mut py::PyObject) -> Step {
    // SAFETY: as the caller says.
    match unsafe { Owned::from_call(yielded) } {
        Ok(yielded) => Step::Yielded(yielded),
        Err(raised) if raised.is(Kind::StopIteration) => {
            let stop = raised.take();
            // SAFETY: an instance of `StopIteration`, which is laid out like this.
            let value = unsafe { (*stop.as_ptr().cast::<py::PyStopIterationObject>()).value };
            // SAFETY: null, or held by the exception.
            let value = ptr::NonNull::new(value).map(|value| unsafe { Borrowed::from_ptr(value.as_ptr()) });
            Step::Returned(value.map_or_else(build::none, Borrowed::to_owned))
        }
        Err(raised) => Step::Raised(raised),
    }
}

/// One step, with nothing to be sent.
///
/// # Safety
/// What is awaited: a live iterator, which stays alive while it runs.
pub unsafe fn resume(awaited: *mut py::PyObject) -> Step {
    // SAFETY: set up before any extension is imported.
    let none = unsafe { py::Py_None() };
    let mut place = ptr::null_mut();
    // SAFETY: as the caller says, and a place for the result.
    match unsafe { py::PyIter_Send(awaited, none, &raw mut place) } {
        // SAFETY: a new reference.
        py::PySendResult::PYGEN_NEXT => Step::Yielded(unsafe { Owned::from_ptr(place) }),
        // SAFETY: a new reference.
        py::PySendResult::PYGEN_RETURN => Step::Returned(unsafe { Owned::from_ptr(place) }),
        py::PySendResult::PYGEN_ERROR => Step::Raised(Raised::by_callee()),
    }
}

/// Throws an exception into what is awaited, with the arguments of `throw`. It is raised right here where that has no such method.
/// Reenters: what is awaited.
pub fn throw_into(awaited: Borrowed<'_>, args: &[Borrowed<'_>]) -> Step {
    // SAFETY: set up before any extension is imported.
    let exit = unsafe { py::PyExc_GeneratorExit };
    // SAFETY: live objects. Of another kind than a class or an instance nothing matches.
    if args.first().is_some_and(|kind| unsafe { py::PyErr_GivenExceptionMatches(kind.as_ptr(), exit) } != 0) {
        return Step::Raised(match close(awaited) {
            Ok(()) => raise_given(args),
            Err(raised) => raised,
        });
    }
    match call_method(awaited, c"throw", args) {
        // SAFETY: what the method returned.
        Ok(Some(yielded)) => unsafe { step_of(yielded) },
        Ok(None) => Step::Raised(raise_given(args)),
        Err(raised) => Step::Raised(raised),
    }
}

/// Closes what is awaited, if it can be closed. Reenters: what is awaited.
pub fn close(awaited: Borrowed<'_>) -> Result<()> {
    match call_method(awaited, c"close", &[])? {
        // SAFETY: what the method returned: a new reference, or null with an exception set.
        Some(closed) => unsafe { Owned::from_call(closed) }.map(drop),
        None => Ok(()),
    }
}

/// What a method returned: a new reference, or null with an exception set. None if there is no such method.
///
/// CPython calls the methods of a coroutine that another one awaits in C, without counting a level of recursion for each, so that a
/// chain of coroutines can be cancelled that is as deep as it could be made. So it is done here, too.
fn call_method(object: Borrowed<'_>, name: &CStr, args: &[Borrowed<'_>]) -> Result<Option<*mut py::PyObject>> {
    if is_coroutine(object)
        && let Some(definition) = coroutine_method(name)
    {
        let (function, this) = (definition.ml_meth, object.as_ptr());
        match definition.ml_flags {
            py::METH_FASTCALL => {
                // SAFETY: the flag says which kind of function it is.
                let function = unsafe { function.PyCFunctionFast };
                // SAFETY: a method of the object's type, and live arguments.
                return Ok(Some(unsafe {
                    function(this, args.as_ptr().cast_mut().cast(), args.len() as py::Py_ssize_t)
                }));
            }
            py::METH_VARARGS => {
                let tuple = build::tuple(args)?;
                // SAFETY: as above.
                let function = unsafe { function.PyCFunction };
                // SAFETY: as above.
                return Ok(Some(unsafe { function(this, tuple.as_ptr()) }));
            }
            py::METH_NOARGS => {
                // SAFETY: as above.
                let function = unsafe { function.PyCFunction };
                // SAFETY: as above.
                return Ok(Some(unsafe { function(this, ptr::null_mut()) }));
            }
            _ => {}
        }
    }
    let method = match object.attr(build::interned(name)?.borrow()) {
        Ok(method) => method,
        Err(raised) => return raised.unless_attribute_error().map(|()| None),
    };
    // SAFETY: a live object, and live arguments.
    let result = unsafe { py::PyObject_Vectorcall(method.as_ptr(), args.as_ptr().cast(), args.len(), ptr::null_mut()) };
    Ok(Some(result))
}

/// The definition of a method of `types.CoroutineType`.
fn coroutine_method(name: &CStr) -> Option<&'static py::PyMethodDef> {
    // SAFETY: a field of a static, whose address alone is taken.
    let field = unsafe { &raw const py::PyCoro_Type.tp_methods };
    // SAFETY: a static type of CPython's, which is ready before any extension is imported.
    let mut place: *const py::PyMethodDef = unsafe { field.read() };
    loop {
        // SAFETY: null, or an entry of a static table, which ends with one without a name.
        let definition = unsafe { place.as_ref() }.filter(|definition| !definition.ml_name.is_null())?;
        // SAFETY: a terminated string.
        if unsafe { CStr::from_ptr(definition.ml_name) } == name {
            return Some(definition);
        }
        // SAFETY: within the table, since this entry is not the last.
        place = unsafe { place.add(1) };
    }
}
