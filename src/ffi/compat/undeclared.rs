//! What CPython's headers have and pyo3-ffi leaves out, in some versions at least. All of it is there in every version that tamis
//! is for; what is not has a file of its own.

use pyo3_ffi as py;
use std::ffi::{c_int, c_ulong, c_void};

/// `Py_am_send` of Include/typeslots.h.
pub const PY_AM_SEND: c_int = 81;
/// `PY_LOCK_ACQUIRED` of Include/pythread.h.
pub const PY_LOCK_ACQUIRED: c_int = 1;
/// `PY_LOCK_INTR` of Include/pythread.h.
pub const PY_LOCK_INTR: c_int = 2;

unsafe extern "C" {
    /// Include/cpython/classobject.h
    pub fn PyMethod_New(function: *mut py::PyObject, instance: *mut py::PyObject) -> *mut py::PyObject;
    /// Include/cpython/classobject.h
    pub fn PyMethod_Function(method: *mut py::PyObject) -> *mut py::PyObject;
    /// Include/cpython/classobject.h
    pub fn PyMethod_Self(method: *mut py::PyObject) -> *mut py::PyObject;
    /// Include/cpython/classobject.h
    pub static mut PyMethod_Type: py::PyTypeObject;

    /// Include/pythread.h. -1 if there is no new thread.
    pub fn PyThread_start_new_thread(function: unsafe extern "C" fn(*mut c_void), argument: *mut c_void) -> c_ulong;
    /// Include/pythread.h
    pub fn PyThread_get_thread_ident() -> c_ulong;
    /// Include/pythread.h
    pub fn PyThread_allocate_lock() -> *mut c_void;
    /// Include/pythread.h
    pub fn PyThread_free_lock(lock: *mut c_void);
    /// Include/pythread.h
    pub fn PyThread_acquire_lock_timed(lock: *mut c_void, microseconds: i64, interruptible: c_int) -> c_int;
    /// Include/pythread.h
    pub fn PyThread_release_lock(lock: *mut c_void);
}
