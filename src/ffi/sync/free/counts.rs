//! What of an object's and a type's head differs: without the GIL.

use pyo3_ffi as py;
use std::ffi::c_ulong;
use std::sync::atomic::Ordering;

pub use crate::ffi::sync::biased::{decref, incref, is_only_reference};

/// Whether this build runs without the GIL.
pub const FREE_THREADED: bool = true;

/// `tp_flags`
///
/// # Safety
/// A live type.
#[inline(always)]
pub unsafe fn type_flags(kind: *mut py::PyTypeObject) -> c_ulong {
    // SAFETY: a live type, as the caller says.
    let flags = unsafe { &(*kind).tp_flags };
    // Relaxed: the flag asked for is set before the type has instances.
    flags.load(Ordering::Relaxed)
}
