//! A `classmethod` whose function is a cached method, and is told of the class. CPython's own makes methods of CPython's own from
//! 3.13 on, whose attributes know nothing of the class.

use crate::ffi::method_table::{Table, methods, without_arguments};
use crate::ffi::{Borrowed, Owned, Result, build, call, types};
use crate::py::bound::binding::is_bound_here;
use crate::py::bound::object::BoundMethod;
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::{c_int, c_void};
use std::ptr;

/// `class_method.__get__(instance, owner)`. Reenters: nothing, but for memory.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
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
    call::to_slot(State::of_instance(this).and_then(|state| {
        let function = this.attr(build::interned(c"__func__")?.borrow())?;
        if is_bound_here(function.borrow()) {
            BoundMethod::of_instance(state, function.borrow(), owner)
        } else {
            build::bound_method(function.borrow(), owner)
        }
    }))
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
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
fn reduced(this: Borrowed<'_>) -> Result<Owned> {
    // SAFETY: a live object's type is live.
    let kind = unsafe { Borrowed::from_ptr(this.type_ptr().cast()) };
    let function = this.attr(build::interned(c"__func__")?.borrow())?;
    build::tuple(&[kind, build::tuple(&[function.borrow()])?.borrow()])
}

methods! {
    Borrowed<'_>:
    reduce = |this| reduced(this);
}

static METHODS: Table<py::PyMethodDef, 1> =
    Table::new([without_arguments(c"__reduce__", reduce, c"Pickle by the function.")]);

/// Makes the type, for one interpreter.
pub fn make_class_type(module: Borrowed<'_>) -> Result<Owned> {
    let base = call::import(c"builtins", c"classmethod")?;
    let slots: [(_, *mut c_void); 5] = [
        (py::Py_tp_base, base.as_ptr().cast()),
        (py::Py_tp_traverse, class_tp_traverse as *mut c_void),
        (py::Py_tp_descr_get, class_tp_descr_get as *mut c_void),
        (py::Py_tp_methods, METHODS.as_slot()),
        (0, ptr::null_mut()),
    ];
    let mut slots = slots.map(|(slot, pfunc)| py::PyType_Slot { slot, pfunc });
    let flags = py::Py_TPFLAGS_DEFAULT | py::Py_TPFLAGS_HAVE_GC | py::Py_TPFLAGS_IMMUTABLETYPE;
    // A size of zero is the base's.
    types::type_from_slots(module, c"tamis._core.class_method", 0, flags, &mut slots)
}
