//! What a weak reference leads to, as CPython tells it before 3.13.

use crate::ffi::{Borrowed, Owned, Raised, Result};
use pyo3_ffi as py;

/// The object of a `weakref.ref`, or None if it is gone.
pub fn referent(reference: Borrowed<'_>) -> Result<Option<Owned>> {
    // SAFETY: a live object, whose type the call checks.
    let object = unsafe { py::PyWeakref_GetObject(reference.as_ptr()) };
    if object.is_null() {
        return Err(Raised::by_callee());
    }
    // SAFETY: a live object, or None: the GIL is held, and nothing of Python runs before this has a reference of its own.
    let object = unsafe { Borrowed::from_ptr(object) };
    Ok((!object.is_none()).then(|| object.to_owned()))
}
