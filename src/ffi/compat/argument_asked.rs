//! Whether an argument is the caller's alone, from CPython 3.14 on: what is on its stack may be borrowed from a variable.

use crate::ffi::Borrowed;
use pyo3_ffi as py;
use std::ffi::c_int;

unsafe extern "C" {
    /// Include/cpython/object.h; the older pyo3-ffi leaves it out.
    fn PyUnstable_Object_IsUniqueReferencedTemporary(object: *mut py::PyObject) -> c_int;
}

/// Whether nobody knows this argument of a call but the caller's stack: it is given back with the call.
pub fn is_only_argument(argument: Borrowed<'_>) -> bool {
    // SAFETY: an attached thread and a live object.
    unsafe { PyUnstable_Object_IsUniqueReferencedTemporary(argument.as_ptr()) != 0 }
}
