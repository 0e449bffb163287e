//! `_PyType_Lookup`, which lends what it finds.

use crate::ffi::reference::{Borrowed, Owned};
use pyo3_ffi as py;

unsafe extern "C" {
    fn _PyType_Lookup(kind: *mut py::PyTypeObject, name: *mut py::PyObject) -> *mut py::PyObject;
}

/// What a class has under a name, itself or by those that it inherits from. Runs no Python code, and raises nothing.
///
/// # Safety
/// A live type, and an interned string.
pub unsafe fn lookup_in_type(kind: *mut py::PyTypeObject, name: *mut py::PyObject) -> Option<Owned> {
    // SAFETY: as the caller says.
    let found = unsafe { _PyType_Lookup(kind, name) };
    // SAFETY: lent by the class, for as long as nothing of Python runs.
    (!found.is_null()).then(|| unsafe { Borrowed::from_ptr(found) }.to_owned())
}
