//! An `int` from its bytes, which CPython has no public function for before 3.13.

use crate::ffi::{Owned, Result};
use pyo3_ffi as py;
use std::ffi::c_int;

unsafe extern "C" {
    /// Include/cpython/longobject.h; pyo3-ffi has it for some versions only.
    fn _PyLong_FromByteArray(
        bytes: *const u8,
        count: usize,
        little_endian: c_int,
        is_signed: c_int,
    ) -> *mut py::PyObject;
}

/// The natural number of these bytes, the lowest first.
pub fn natural(bytes: &[u8]) -> Result<Owned> {
    // SAFETY: so many bytes.
    let natural = unsafe { _PyLong_FromByteArray(bytes.as_ptr(), bytes.len(), 1, 0) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(natural) }
}
