//! Raising an exception as it is, as CPython has it from 3.12 on.

use crate::ffi::Borrowed;
use pyo3_ffi as py;

/// Raises this exception, an instance, whose traceback it keeps.
#[inline(always)]
pub fn raise(exception: Borrowed<'_>) {
    // SAFETY: an attached thread and an instance of an exception, of which a reference is given away.
    unsafe { py::PyErr_SetRaisedException(exception.to_owned().into_ptr()) };
}
