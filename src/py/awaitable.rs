//! What a hit of a cached coroutine function returns: a coroutine that is through already.

use crate::ffi::{Borrowed, Owned, Raised, Result, object};
use crate::py::wrapper::Table;
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

/// `Py_am_send` of Include/typeslots.h; the older pyo3-ffi leaves it out.
const PY_AM_SEND: c_int = 81;

/// A coroutine that returns this value at once, to whoever awaits it, and as often.
#[repr(C)]
pub struct Ready {
    _ob_base: py::PyObject,
    fields: Owned,
}

impl Ready {
    /// For this value.
    pub fn create(kind: Borrowed<'_>, value: Owned) -> Result<Owned> {
        // SAFETY: a field of a fresh object of ours.
        unsafe { object::plain_instance(kind, value, std::mem::offset_of!(Self, fields)) }
    }

    /// # Safety
    /// The object is one of these, held by the caller.
    unsafe fn value<'a>(object: *mut py::PyObject) -> &'a Owned {
        // SAFETY: as the caller says.
        unsafe { &(*object.cast::<Self>()).fields }
    }
}

/// Ends an iteration with this value: `StopIteration(value)`.
fn stop_with(value: Borrowed<'_>) -> *mut py::PyObject {
    // SAFETY: set up before any extension is imported.
    let class = unsafe { py::PyExc_StopIteration };
    // SAFETY: there as long as the interpreter.
    let class = unsafe { Borrowed::from_ptr(class) };
    if let Ok(stop) = object::call_with(class, &[value]) {
        let _raised = Raised::again(stop.borrow());
    }
    ptr::null_mut()
}

unsafe extern "C" fn ready_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<Ready>()).fields };
    // SAFETY: no reference is left.
    unsafe { object::dealloc_plain(object, place) };
}

unsafe extern "C" fn ready_await(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    unsafe { Borrowed::from_ptr(object) }.to_owned().into_ptr()
}

unsafe extern "C" fn ready_next(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: an object of this type.
    stop_with(unsafe { Ready::value(object) }.borrow())
}

unsafe extern "C" fn ready_am_send(
    object: *mut py::PyObject,
    _sent: *mut py::PyObject,
    result: *mut *mut py::PyObject,
) -> py::PySendResult {
    // SAFETY: an object of this type.
    let value = unsafe { Ready::value(object) }.clone();
    // SAFETY: a place for the result.
    unsafe { result.write(value.into_ptr()) };
    py::PySendResult::PYGEN_RETURN
}

unsafe extern "C" fn ready_send(object: *mut py::PyObject, _sent: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: an object of this type.
    stop_with(unsafe { Ready::value(object) }.borrow())
}

unsafe extern "C" fn ready_throw(
    _object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    count: py::Py_ssize_t,
    _kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    if count < 1 {
        let _raised = Raised::type_error(c"throw takes an exception");
        return ptr::null_mut();
    }
    // SAFETY: so many arguments, held by the caller.
    let kind = unsafe { Borrowed::first_of(args) };
    // SAFETY: a live object.
    if unsafe { py::PyExceptionInstance_Check(kind.as_ptr()) } != 0 {
        let _raised = Raised::again(kind);
        return ptr::null_mut();
    }
    // SAFETY: a live object.
    if unsafe { py::PyExceptionClass_Check(kind.as_ptr()) } == 0 {
        let _raised = Raised::type_error(c"throw takes an exception");
        return ptr::null_mut();
    }
    // SAFETY: so many arguments, held by the caller; `Borrowed` is a pointer in all but name.
    let args = unsafe { std::slice::from_raw_parts(args.cast::<Borrowed<'_>>(), count as usize) };
    let value = args.get(1).map_or_else(object::none, |&value| Borrowed::to_owned(value));
    // SAFETY: a class and a value, None or an instance or its argument.
    unsafe { py::PyErr_SetObject(kind.as_ptr(), value.as_ptr()) };
    ptr::null_mut()
}

unsafe extern "C" fn ready_close(_object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    object::none().into_ptr()
}

static READY_METHODS: Table<py::PyMethodDef, 4> = Table([
    method(c"send", py::PyMethodDefPointer { PyCFunction: ready_send }, py::METH_O),
    method(
        c"throw",
        py::PyMethodDefPointer { PyCFunctionFastWithKeywords: ready_throw },
        py::METH_FASTCALL | py::METH_KEYWORDS,
    ),
    method(c"close", py::PyMethodDefPointer { PyCFunction: ready_close }, py::METH_NOARGS),
    // SAFETY: a table of C pointers and numbers, for which zero ends the list.
    unsafe { std::mem::zeroed() },
]);

const fn method(name: &'static CStr, function: py::PyMethodDefPointer, flags: c_int) -> py::PyMethodDef {
    py::PyMethodDef { ml_name: name.as_ptr(), ml_meth: function, ml_flags: flags, ml_doc: ptr::null() }
}

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    object::plain_type_with(
        module,
        c"tamis._core.ready",
        size_of::<Ready>(),
        ready_tp_dealloc,
        &[
            (py::Py_am_await, ready_await as *mut c_void),
            (PY_AM_SEND, ready_am_send as *mut c_void),
            (py::Py_tp_iter, ready_await as *mut c_void),
            (py::Py_tp_iternext, ready_next as *mut c_void),
            (py::Py_tp_methods, READY_METHODS.0.as_ptr().cast_mut().cast()),
        ],
    )
}
