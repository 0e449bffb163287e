//! The attributes of a coroutine of ours, by which `inspect` and debuggers go.

use crate::ffi::method_table::{Receiver, Table, getter};
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, build, to_slot};
use crate::py::completed;
use crate::py::function::coroutine_call::CoroutineCall;
use crate::py::function::coroutine_stage::{BEGUN, NEW};
use pyo3_ffi as py;
use std::ffi::{CStr, c_void};
use std::sync::atomic::Ordering;

/// The cached function's name. Reenters: its attributes.
pub(in crate::py) fn named(call: &CoroutineCall, name: &CStr) -> Result<Owned> {
    let wrapper = call.wrapper.borrow();
    for name in [name, c"__name__"] {
        match wrapper.attr(build::interned(name)?.borrow()) {
            Ok(found) => return Ok(found),
            Err(raised) => raised.unless_attribute_error()?,
        }
    }
    build::interned(c"coroutine")
}

macro_rules! getters {
    ($($name:ident = |$this:ident| $body:expr;)*) => {$(
        /// # Safety
        /// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
        unsafe extern "C" fn $name(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
            // SAFETY: the getter's own argument.
            let object = unsafe { Borrowed::from_ptr(object) };
            let _alive = object.to_owned();
            // SAFETY: the getters of the type are called on instances of it.
            let $this = unsafe { <&CoroutineCall>::of(object) };
            to_slot($body)
        }
    )*};
}

getters! {
    name = |call| named(call, c"__name__");
    qualname = |call| named(call, c"__qualname__");
    cr_origin = |call| Ok(call.origin.clone());
    cr_running = |call| Ok(build::boolean(call.running.load(Ordering::Relaxed)));
    cr_suspended = |call| Ok(build::boolean(is_suspended(call)));
    // By which inspect goes from 3.15 on.
    cr_state = |call| build::interned(state_of(call));
    cr_frame = |call| of_awaited(call, c"cr_frame").map(|found| found.unwrap_or_else(build::none));
    cr_await = |call| of_awaited(call, c"cr_await").and_then(|found| found.ok_or_else(|| missing(c"cr_await")));
    cr_code = |call| match of_awaited(call, c"cr_code") {
        Ok(Some(code)) => Ok(code),
        Ok(None) => code_of_function(call),
        Err(raised) => Err(raised),
    };
}

fn state_of(call: &CoroutineCall) -> &'static CStr {
    // Relaxed: numbers alone, as a caller of another thread may find them.
    match call.phase.load(Ordering::Relaxed) {
        _ if call.running.load(Ordering::Relaxed) => c"CORO_RUNNING",
        NEW => c"CORO_CREATED",
        BEGUN => c"CORO_SUSPENDED",
        _ => c"CORO_CLOSED",
    }
}

fn is_suspended(call: &CoroutineCall) -> bool {
    call.phase.load(Ordering::Relaxed) == BEGUN && !call.running.load(Ordering::Relaxed)
}

/// An attribute of what is awaited. While the function's own coroutine is, that shows what it does; this one has no frame.
fn of_awaited(call: &CoroutineCall, name: &CStr) -> Result<Option<Owned>> {
    let Some(awaited) = call.awaited() else { return Ok(None) };
    match awaited.borrow().attr(build::interned(name)?.borrow()) {
        Ok(found) => Ok(Some(found)),
        Err(raised) => raised.unless_attribute_error().map(|()| None),
    }
}

fn code_of_function(call: &CoroutineCall) -> Result<Owned> {
    let wrapper = call.wrapper.borrow();
    wrapper.attr(build::interned(c"__code__")?.borrow())
}

fn missing(name: &'static CStr) -> Raised {
    Raised::new(Kind::Attribute, name)
}

/// All of them.
pub(in crate::py) static ATTRIBUTES: Table<py::PyGetSetDef, 10> = Table::new([
    getter(c"__class__", completed::class, None),
    getter(c"__name__", name, None),
    getter(c"__qualname__", qualname, None),
    getter(c"cr_await", cr_await, None),
    getter(c"cr_code", cr_code, None),
    getter(c"cr_frame", cr_frame, None),
    getter(c"cr_origin", cr_origin, None),
    getter(c"cr_running", cr_running, None),
    getter(c"cr_state", cr_state, None),
    getter(c"cr_suspended", cr_suspended, None),
]);
