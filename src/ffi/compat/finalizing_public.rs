//! Whether the interpreter is about to end, as CPython tells it from 3.13 on.

unsafe extern "C" {
    /// Include/cpython/pylifecycle.h
    fn Py_IsFinalizing() -> std::ffi::c_int;
}

/// Whether the interpreter is about to end: other threads don't go on.
pub fn is_finalizing() -> bool {
    // SAFETY: has no conditions.
    unsafe { Py_IsFinalizing() != 0 }
}
