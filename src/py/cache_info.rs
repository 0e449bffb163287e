//! `CacheInfo`.

use crate::ffi::{Owned, Result};
use crate::state::State;
use pyo3_ffi as py;
use std::ptr;

/// `CacheInfo(hits, misses, maxsize, currsize)`. The class is made by Python on first use: see `tamis/_info.py`.
/// Reenters then: an import.
pub fn cache_info(state: &State, fields: [Owned; 4]) -> Result<Owned> {
    let class = state.cache_info_class.get()?;
    let arguments = fields.each_ref().map(Owned::as_ptr);
    // SAFETY: four live objects.
    let pointer = unsafe { py::PyObject_Vectorcall(class.as_ptr(), arguments.as_ptr(), 4, ptr::null_mut()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}
