//! What of an object's and a type's head differs: with the GIL.

use pyo3_ffi as py;
use std::ffi::c_ulong;

pub use crate::ffi::compat::count::{decref, incref};

/// Whether this build runs without the GIL.
pub const FREE_THREADED: bool = false;

/// `tp_flags`
///
/// # Safety
/// A live type.
#[inline(always)]
pub unsafe fn type_flags(kind: *mut py::PyTypeObject) -> c_ulong {
    // SAFETY: a live type, as the caller says.
    unsafe { (*kind).tp_flags }
}

/// Whether the reference that this object is known by is the only one.
///
/// # Safety
/// A live object.
#[inline(always)]
pub unsafe fn is_only_reference(object: *mut py::PyObject) -> bool {
    // SAFETY: a live object, as the caller says.
    unsafe { py::Py_REFCNT(object) == 1 }
}
