//! What a hit of a cached coroutine function returns: a coroutine that is through already.

use crate::ffi::dropper::Link;
use crate::ffi::{Borrowed, Owned, Result, compat, err, exact, object, sync};
use crate::py::function::methods::Table;
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

/// `Py_am_send` of Include/typeslots.h; the older pyo3-ffi leaves it out.
pub const PY_AM_SEND: c_int = 81;

/// A coroutine that returns this value at once, to whoever awaits it, and as often.
#[repr(C)]
pub struct Ready {
    _ob_base: py::PyObject,
    fields: Fields,
}

#[repr(C)]
struct Fields {
    value: Link,
    stop: KeptStop,
}

/// What carries the value out of an iteration, `StopIteration(value)`, kept from the first time: making one takes longer than
/// all the rest of an await. Null until then.
struct KeptStop(AtomicPtr<py::PyObject>);

impl Ready {
    /// For this value.
    pub fn create(kind: Borrowed<'_>, value: Owned) -> Result<Owned> {
        let fields = Fields { value: Link::new(value), stop: KeptStop(AtomicPtr::new(ptr::null_mut())) };
        // SAFETY: the fields of a fresh object of ours.
        unsafe { object::plain_instance(kind, fields, std::mem::offset_of!(Self, fields)) }
    }

    /// What it returns.
    ///
    /// # Safety
    /// It was made by [`Ready::create`].
    pub unsafe fn value_of(object: &Owned) -> &Owned {
        // SAFETY: as the caller says; the reference holds it.
        unsafe { &Self::fields(object.as_ptr()).value }
    }

    /// # Safety
    /// The object is one of these, held by the caller.
    #[inline(always)]
    unsafe fn fields<'a>(object: *mut py::PyObject) -> &'a Fields {
        // SAFETY: as the caller says.
        unsafe { &(*object.cast::<Self>()).fields }
    }
}

/// Whether the object is one of these, of any interpreter's type.
pub fn is_ready(object: Borrowed<'_>) -> bool {
    const OURS: py::destructor = ready_tp_dealloc;
    // SAFETY: a live object's type is live.
    unsafe { (*object.type_ptr()).tp_dealloc }.map(|dealloc| dealloc as usize) == Some(OURS as usize)
}

impl KeptStop {
    /// Ends an iteration with this value, the one that it was first called with.
    #[inline(always)]
    fn raise(&self, value: Borrowed<'_>) {
        // Acquire: pairs with the release in `make`.
        let kept = self.0.load(Ordering::Acquire);
        if let Some(kept) = NonNull::new(kept) {
            // SAFETY: held by this object, which the caller holds.
            let kept = unsafe { Borrowed::from_ptr(kept.as_ptr()) };
            if is_as_new(kept, value) {
                return compat::raise(kept);
            }
        }
        self.make(value);
    }

    #[cold]
    #[inline(never)]
    fn make(&self, value: Borrowed<'_>) {
        let Ok(stop) = stop_iteration(value) else { return };
        let pointer = stop.to_owned().into_ptr();
        // Release: pairs with the acquire in `raise`. Only the first is kept: others may be looking at it.
        if self.0.compare_exchange(ptr::null_mut(), pointer, Ordering::Release, Ordering::Relaxed).is_err() {
            // SAFETY: the reference that was to be kept.
            drop(unsafe { Owned::from_ptr(pointer) });
        }
        compat::raise(stop.borrow());
    }
}

impl Drop for KeptStop {
    fn drop(&mut self) {
        if let Some(kept) = NonNull::new(*self.0.get_mut()) {
            // SAFETY: the reference that `make` has kept.
            drop(unsafe { Owned::from_ptr(kept.as_ptr()) });
        }
    }
}

/// Whether nobody else has this exception now, and nobody who had it has left a trace in it: Python code may have caught it, where
/// it asked for the next item itself.
#[inline(always)]
fn is_as_new(stop: Borrowed<'_>, value: Borrowed<'_>) -> bool {
    if !sync::is_only_reference(stop) {
        return false;
    }
    // SAFETY: an exact `StopIteration`, which nobody else has: see above.
    let fields = unsafe { &*stop.as_ptr().cast::<py::PyStopIterationObject>() };
    // SAFETY: its arguments, held by it.
    let args = unsafe { Borrowed::from_ptr(fields.args) };
    fields.traceback.is_null()
        && fields.context.is_null()
        && fields.cause.is_null()
        && fields.dict.is_null()
        && fields.value == value.as_ptr()
        && matches!(exact::tuple_items(args), [argument] if argument.is(value))
}

/// `StopIteration(value)`, whatever the value is: `PyErr_SetObject` would take a tuple apart.
fn stop_iteration(value: Borrowed<'_>) -> Result<Owned> {
    // SAFETY: set up before any extension is imported.
    let class = unsafe { py::PyExc_StopIteration };
    // SAFETY: there as long as the interpreter.
    let class = unsafe { Borrowed::from_ptr(class) };
    object::call_with(class, &[value])
}

/// Raises a `StopIteration` of its own for a caller that may be Python code.
pub fn stop_with(value: Borrowed<'_>) -> *mut py::PyObject {
    if let Ok(stop) = stop_iteration(value) {
        compat::raise(stop.borrow());
    }
    ptr::null_mut()
}

unsafe extern "C" fn ready_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: an object of this type; all zero until its fields are written.
    let fields = unsafe { &raw const (*object.cast::<Ready>()).fields };
    // SAFETY: as above.
    let value = unsafe { *fields.cast::<*mut py::PyObject>() };
    // SAFETY: as above.
    let stop = unsafe { (*fields).stop.0.load(Ordering::Relaxed) };
    // SAFETY: the collector's own function and argument.
    unsafe { object::traverse_plain(object, &[value, stop], visit, arg) }
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
    let fields = unsafe { Ready::fields(object) };
    fields.stop.raise(fields.value.borrow());
    ptr::null_mut()
}

unsafe extern "C" fn ready_am_send(
    object: *mut py::PyObject,
    _sent: *mut py::PyObject,
    result: *mut *mut py::PyObject,
) -> py::PySendResult {
    // SAFETY: an object of this type.
    let value = unsafe { Ready::fields(object) }.value.clone();
    // SAFETY: a place for the result.
    unsafe { result.write(value.into_ptr()) };
    py::PySendResult::PYGEN_RETURN
}

unsafe extern "C" fn ready_send(object: *mut py::PyObject, _sent: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: an object of this type.
    stop_with(unsafe { Ready::fields(object) }.value.borrow())
}

unsafe extern "C" fn ready_throw(
    _object: *mut py::PyObject,
    args: *mut *mut py::PyObject,
    count: py::Py_ssize_t,
) -> *mut py::PyObject {
    let count = count as usize;
    // SAFETY: so many arguments, held by the caller; `Borrowed` is a pointer in all but name.
    let args = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(args.cast::<Borrowed<'_>>(), count) } };
    let _raised = err::raise_given(args);
    ptr::null_mut()
}

unsafe extern "C" fn ready_close(_object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    object::none().into_ptr()
}

/// `__class__`: that of coroutines, for who asks by `isinstance`, as `inspect.iscoroutine` does. `type()` tells the truth.
pub unsafe extern "C" fn class(_object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    let class = &raw mut py::PyCoro_Type;
    // SAFETY: a static type of CPython's.
    unsafe { Borrowed::from_ptr(class.cast()) }.to_owned().into_ptr()
}

unsafe extern "C" fn no(_object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    object::boolean(false).into_ptr()
}

unsafe extern "C" fn nothing(_object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    object::none().into_ptr()
}

/// `cr_state`, by which inspect goes from 3.15 on: it is through.
unsafe extern "C" fn closed(_object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    object::to_slot(object::interned(c"CORO_CLOSED"))
}

/// An attribute of a coroutine.
pub const fn getter(name: &'static CStr, get: py::getter) -> py::PyGetSetDef {
    py::PyGetSetDef { name: name.as_ptr(), get: Some(get), set: None, doc: ptr::null(), closure: ptr::null_mut() }
}

static READY_ATTRIBUTES: Table<py::PyGetSetDef, 8> = Table([
    getter(c"__class__", class),
    getter(c"cr_await", nothing),
    getter(c"cr_frame", nothing),
    getter(c"cr_origin", nothing),
    getter(c"cr_running", no),
    getter(c"cr_state", closed),
    getter(c"cr_suspended", no),
    // SAFETY: a table of C pointers and numbers, for which zero ends the list.
    unsafe { std::mem::zeroed() },
]);

static READY_METHODS: Table<py::PyMethodDef, 4> = Table([
    method(c"send", py::PyMethodDefPointer { PyCFunction: ready_send }, py::METH_O),
    method(c"throw", py::PyMethodDefPointer { PyCFunctionFast: ready_throw }, py::METH_FASTCALL),
    method(c"close", py::PyMethodDefPointer { PyCFunction: ready_close }, py::METH_NOARGS),
    // SAFETY: a table of C pointers and numbers, for which zero ends the list.
    unsafe { std::mem::zeroed() },
]);

/// A method of a coroutine.
pub const fn method(name: &'static CStr, function: py::PyMethodDefPointer, flags: c_int) -> py::PyMethodDef {
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
            (py::Py_tp_traverse, ready_tp_traverse as *mut c_void),
            (py::Py_am_await, ready_await as *mut c_void),
            (PY_AM_SEND, ready_am_send as *mut c_void),
            (py::Py_tp_iter, ready_await as *mut c_void),
            (py::Py_tp_iternext, ready_next as *mut c_void),
            (py::Py_tp_methods, READY_METHODS.0.as_ptr().cast_mut().cast()),
            (py::Py_tp_getset, READY_ATTRIBUTES.0.as_ptr().cast_mut().cast()),
        ],
    )
}
