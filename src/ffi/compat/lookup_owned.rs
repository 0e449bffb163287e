//! `_PyType_LookupRef`, which came with 3.13: what it finds may be replaced by another thread.

use crate::ffi::reference::Owned;
use pyo3_ffi as py;

unsafe extern "C" {
    fn _PyType_LookupRef(kind: *mut py::PyTypeObject, name: *mut py::PyObject) -> *mut py::PyObject;
}

/// What a class has under a name, itself or by those that it inherits from. Runs no Python code, and raises nothing.
///
/// # Safety
/// A live type, and an interned string.
pub unsafe fn lookup_in_type(kind: *mut py::PyTypeObject, name: *mut py::PyObject) -> Option<Owned> {
    // SAFETY: as the caller says.
    let found = unsafe { _PyType_LookupRef(kind, name) };
    // SAFETY: a new reference.
    (!found.is_null()).then(|| unsafe { Owned::from_ptr(found) })
}
