//! What a weak reference leads to, as CPython tells it from 3.13 on.

use crate::ffi::{Borrowed, Owned, Raised, Result};
use pyo3_ffi as py;
use std::ptr;

/// The object of a `weakref.ref`, or None if it is gone.
pub fn referent(reference: Borrowed<'_>) -> Result<Option<Owned>> {
    let mut object = ptr::null_mut();
    // SAFETY: a live object, whose type the call checks, and a place for a new reference or null.
    match unsafe { py::PyWeakref_GetRef(reference.as_ptr(), &raw mut object) } {
        -1 => Err(Raised::by_callee()),
        0 => Ok(None),
        // SAFETY: a new reference, as the call says.
        _ => Ok(Some(unsafe { Owned::from_ptr(object) })),
    }
}
