//! How cached functions and cached methods are bound to an instance.

use crate::ffi::{Borrowed, call};
use crate::py::bound::object::BoundMethod;
use crate::state::State;
use pyo3_ffi as py;
use std::ptr;

/// `__get__` of cached functions and cached methods: on an instance a bound method, on a class themselves.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub unsafe extern "C" fn callable_tp_descr_get(
    object: *mut py::PyObject,
    instance: *mut py::PyObject,
    _owner: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    if instance.is_null() {
        return this.to_owned().into_ptr();
    }
    // SAFETY: the slot's own argument, and not null.
    let instance = unsafe { Borrowed::from_ptr(instance) };
    if instance.is_none() {
        return this.to_owned().into_ptr();
    }
    call::to_slot(State::of_instance(this).and_then(|state| BoundMethod::of_instance(state, this, instance)))
}

/// Whether it is bound by [`callable_tp_descr_get`].
pub fn is_bound_here(function: Borrowed<'_>) -> bool {
    // SAFETY: a live object's type is live.
    let get = unsafe { (*function.type_ptr()).tp_descr_get };
    get.is_some_and(|get| ptr::fn_addr_eq(get, callable_tp_descr_get as py::descrgetfunc))
}
