//! A `classmethod` whose function is a cached method, and is told of the class. CPython's own makes methods of CPython's own from
//! 3.13 on, whose attributes know nothing of the class.

use crate::ffi::{Borrowed, Owned, Result, object};
use crate::py::bound::{BoundMethod, is_bound_here};
use crate::py::function::methods::{Table, without_arguments};
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::{c_int, c_void};
use std::ptr;

/// `class_method.__get__(instance, owner)`. Reenters: nothing, but for memory.
unsafe extern "C" fn class_tp_descr_get(
    object: *mut py::PyObject,
    instance: *mut py::PyObject,
    owner: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    // SAFETY: the slot's own arguments: without an owner there is an instance, which has a type.
    let owner = if owner.is_null() { unsafe { py::Py_TYPE(instance) }.cast() } else { owner };
    // SAFETY: as above.
    let owner = unsafe { Borrowed::from_ptr(owner) };
    object::to_slot(State::of_instance(this).and_then(|state| {
        let function = this.attr(object::interned(c"__func__")?.borrow())?;
        if is_bound_here(function.borrow()) {
            BoundMethod::of_instance(state, function.borrow(), owner)
        } else {
            object::bound_method(function.borrow(), owner)
        }
    }))
}

unsafe extern "C" fn class_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: a live object of this type.
    let kind = unsafe { py::Py_TYPE(object) };
    // SAFETY: the collector's own function and argument, and a live object.
    let stop = unsafe { visit(kind.cast(), arg) };
    if stop != 0 {
        return stop;
    }
    // SAFETY: a live type; nobody can derive from it, so that its base is `classmethod`.
    let base = unsafe { (*kind).tp_base };
    // SAFETY: a live type.
    match unsafe { (*base).tp_traverse } {
        // SAFETY: what `classmethod` itself does with an object that begins as its own do.
        Some(traverse) => unsafe { traverse(object, visit, arg) },
        None => 0,
    }
}

/// `class_method.__reduce__()`: for those who pickle classes by value. Reenters: nothing, but for memory.
unsafe extern "C" fn reduce(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a method of the type, called on an instance of it.
    let this = unsafe { Borrowed::from_ptr(object) };
    // SAFETY: a live object's type is live.
    let kind = unsafe { Borrowed::from_ptr(this.type_ptr().cast()) };
    object::to_slot(object::interned(c"__func__").and_then(|name| {
        let function = this.attr(name.borrow())?;
        object::tuple(&[kind, object::tuple(&[function.borrow()])?.borrow()])
    }))
}

static METHODS: Table<py::PyMethodDef, 2> = Table([
    without_arguments(c"__reduce__", reduce, py::METH_NOARGS, c"Pickle by the function."),
    // SAFETY: a table of C pointers and numbers, for which zero ends the list.
    unsafe { std::mem::zeroed() },
]);

/// Makes the type, for one interpreter.
pub fn make_class_type(module: Borrowed<'_>) -> Result<Owned> {
    let base = object::import(c"builtins", c"classmethod")?;
    let slots: [(_, *mut c_void); 5] = [
        (py::Py_tp_base, base.as_ptr().cast()),
        (py::Py_tp_traverse, class_tp_traverse as *mut c_void),
        (py::Py_tp_descr_get, class_tp_descr_get as *mut c_void),
        (py::Py_tp_methods, METHODS.0.as_ptr().cast_mut().cast()),
        (0, ptr::null_mut()),
    ];
    let mut slots = slots.map(|(slot, pfunc)| py::PyType_Slot { slot, pfunc });
    let flags = py::Py_TPFLAGS_DEFAULT | py::Py_TPFLAGS_HAVE_GC | py::Py_TPFLAGS_IMMUTABLETYPE;
    // A size of zero is the base's.
    object::type_from_slots(module, c"tamis._core.class_method", 0, flags, &mut slots)
}
