//! Whether the interpreter is about to end, as CPython tells it before 3.13.

unsafe extern "C" {
    /// Include/cpython/pylifecycle.h
    fn _Py_IsFinalizing() -> std::ffi::c_int;
}

/// Whether the interpreter is about to end: other threads don't go on.
pub fn is_finalizing() -> bool {
    // SAFETY: has no conditions.
    unsafe { _Py_IsFinalizing() != 0 }
}
