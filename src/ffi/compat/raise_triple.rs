//! Raising an exception as it is, before 3.12: with its class and its traceback.

use crate::ffi::Borrowed;
use pyo3_ffi as py;

/// Raises this exception, an instance, whose traceback it keeps.
pub fn raise(exception: Borrowed<'_>) {
    // SAFETY: an instance of an exception; a new reference or null.
    let traceback = unsafe { py::PyException_GetTraceback(exception.as_ptr()) };
    // SAFETY: a live object's type is live.
    let kind = unsafe { Borrowed::from_ptr(exception.type_ptr().cast()) };
    // SAFETY: an instance with its class and its traceback, each as a reference of its own.
    unsafe { py::PyErr_Restore(kind.to_owned().into_ptr(), exception.to_owned().into_ptr(), traceback) };
}
