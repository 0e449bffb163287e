//! What a hit of a cached coroutine function returns: a coroutine that is through already.

use crate::ffi::dropper::Link;
use crate::ffi::method_table::{Table, definition, getter};
use crate::ffi::{Borrowed, Owned, Result, build, call, compat, exact, raise, to_slot, types};
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A coroutine that returns this value at once, to whoever awaits it, and as often.
#[repr(C)]
pub struct CompletedCoroutine {
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

/// The type of completed coroutines, of one interpreter.
pub struct CompletedType(Owned);

impl CompletedType {
    /// That of this module.
    pub fn of(state: &State) -> Self {
        Self(state.types.completed_coroutine.clone())
    }

    /// One that returns this value.
    pub fn create(&self, value: Owned) -> Result<Owned> {
        let fields = Fields { value: Link::new(value), stop: KeptStop(AtomicPtr::new(ptr::null_mut())) };
        let offset = std::mem::offset_of!(CompletedCoroutine, fields);
        // SAFETY: the type that `make_type` has made, and the fields of its instances.
        unsafe { types::plain_instance(self.0.borrow(), fields, offset) }
    }

    /// What it returns, if the object is one of these.
    pub fn value_of<'a>(&self, object: &'a Owned) -> Option<&'a Owned> {
        if object.borrow().type_ptr().cast() != self.0.as_ptr() {
            return None;
        }
        // SAFETY: the type has just been seen, and the reference holds it.
        Some(unsafe { &CompletedCoroutine::fields(object.as_ptr()).value })
    }
}

impl CompletedCoroutine {
    /// # Safety
    /// The object is one of these, and lives for `'a`.
    #[inline(always)]
    unsafe fn fields<'a>(object: *mut py::PyObject) -> &'a Fields {
        // SAFETY: as the caller says.
        unsafe { &(*object.cast::<Self>()).fields }
    }
}

/// Whether the object is one of these, of any interpreter's type.
pub fn is_completed(object: Borrowed<'_>) -> bool {
    const OURS: py::destructor = completed_tp_dealloc;
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
/// it asks for the next item itself.
#[inline(always)]
fn is_as_new(stop: Borrowed<'_>, value: Borrowed<'_>) -> bool {
    if !stop.is_only_reference() {
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
    call::with(class, &[value])
}

/// Raises a `StopIteration` of its own for a caller that may be Python code.
pub fn stop_with(value: Borrowed<'_>) -> *mut py::PyObject {
    if let Ok(stop) = stop_iteration(value) {
        compat::raise(stop.borrow());
    }
    ptr::null_mut()
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn completed_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: an object of this type; all zero until its fields are written.
    let fields = unsafe { &raw const (*object.cast::<CompletedCoroutine>()).fields };
    // SAFETY: as above.
    let value = unsafe { *fields.cast::<*mut py::PyObject>() };
    // SAFETY: as above.
    let stop = unsafe { (*fields).stop.0.load(Ordering::Relaxed) };
    // SAFETY: the collector's own function and argument.
    unsafe { types::traverse_plain(object, &[value, stop], visit, arg) }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn completed_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<CompletedCoroutine>()).fields };
    // SAFETY: no reference is left.
    unsafe { types::dealloc_plain(object, place) };
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn completed_await(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    unsafe { Borrowed::from_ptr(object) }.to_owned().into_ptr()
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn completed_next(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: an object of this type.
    let fields = unsafe { CompletedCoroutine::fields(object) };
    fields.stop.raise(fields.value.borrow());
    ptr::null_mut()
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn completed_am_send(
    object: *mut py::PyObject,
    _sent: *mut py::PyObject,
    result: *mut *mut py::PyObject,
) -> py::PySendResult {
    // SAFETY: an object of this type.
    let value = unsafe { CompletedCoroutine::fields(object) }.value.clone();
    // SAFETY: a place for the result.
    unsafe { result.write(value.into_ptr()) };
    py::PySendResult::PYGEN_RETURN
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn completed_send(object: *mut py::PyObject, _sent: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: an object of this type.
    stop_with(unsafe { CompletedCoroutine::fields(object) }.value.borrow())
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn completed_throw(
    _object: *mut py::PyObject,
    args: *mut *mut py::PyObject,
    count: py::Py_ssize_t,
) -> *mut py::PyObject {
    let count = count as usize;
    // SAFETY: so many arguments, held by the caller; `Borrowed` is a pointer in all but name.
    let args = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(args.cast::<Borrowed<'_>>(), count) } };
    let _raised = raise::raise_given(args);
    ptr::null_mut()
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn completed_close(_object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    build::none().into_ptr()
}

/// `__class__`: that of coroutines, for who asks by `isinstance`, as `inspect.iscoroutine` does. `type()` tells the truth.
///
/// # Safety
/// It has no conditions: it looks at no argument.
pub unsafe extern "C" fn class(_object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    let class = &raw mut py::PyCoro_Type;
    // SAFETY: a static type of CPython's.
    unsafe { Borrowed::from_ptr(class.cast()) }.to_owned().into_ptr()
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn no(_object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    build::boolean(false).into_ptr()
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn nothing(_object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    build::none().into_ptr()
}

/// `cr_state`, by which inspect goes from 3.15 on: it is through.
///
/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn closed(_object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    to_slot(build::interned(c"CORO_CLOSED"))
}

static ATTRIBUTES: Table<py::PyGetSetDef, 7> = Table::new([
    getter(c"__class__", class, None),
    getter(c"cr_await", nothing, None),
    getter(c"cr_frame", nothing, None),
    getter(c"cr_origin", nothing, None),
    getter(c"cr_running", no, None),
    getter(c"cr_state", closed, None),
    getter(c"cr_suspended", no, None),
]);

static METHODS: Table<py::PyMethodDef, 3> =
    Table::new(coroutine_methods(completed_send, completed_throw, completed_close));

/// The methods that a coroutine has, with what CPython says of its own.
pub const fn coroutine_methods(
    send: py::PyCFunction,
    throw: py::PyCFunctionFast,
    close: py::PyCFunction,
) -> [py::PyMethodDef; 3] {
    [
        definition(c"send", py::PyMethodDefPointer { PyCFunction: send }, py::METH_O, Some(SEND)),
        definition(c"throw", py::PyMethodDefPointer { PyCFunctionFast: throw }, py::METH_FASTCALL, Some(THROW)),
        definition(c"close", py::PyMethodDefPointer { PyCFunction: close }, py::METH_NOARGS, Some(CLOSE)),
    ]
}

const SEND: &CStr = c"send(arg) -> send 'arg' into the coroutine, return what it yields next or raise StopIteration.";
const THROW: &CStr =
    c"throw(value)\nthrow(type[,value[,tb]])\n\nRaise an exception in the coroutine, return what it yields next \
    or raise StopIteration.";
const CLOSE: &CStr = c"close() -> raise GeneratorExit inside the coroutine.";

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    types::plain_type_with(
        module,
        c"tamis._core.ready",
        size_of::<CompletedCoroutine>(),
        completed_tp_dealloc,
        &[
            (py::Py_tp_traverse, completed_tp_traverse as *mut c_void),
            (py::Py_am_await, completed_await as *mut c_void),
            (compat::PY_AM_SEND, completed_am_send as *mut c_void),
            (py::Py_tp_iter, completed_await as *mut c_void),
            (py::Py_tp_iternext, completed_next as *mut c_void),
            (py::Py_tp_methods, METHODS.as_slot()),
            (py::Py_tp_getset, ATTRIBUTES.as_slot()),
        ],
    )
}
