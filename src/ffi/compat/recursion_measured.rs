//! How deep calls nest, from 3.14 on: CPython looks at the stack, and counts Python's own frames alone.

use crate::ffi::{Raised, Result};
use pyo3_ffi as py;

/// One level of calls. There is nothing to do where it ends.
#[must_use = "as in older versions"]
pub struct Level(());

impl Level {
    /// One more level. `RecursionError` where the stack has no room for it.
    #[inline(always)]
    pub fn enter() -> Result<Self> {
        check_stack()?;
        Ok(Self(()))
    }
}

/// `RecursionError` where the stack has no room for another level.
#[inline(always)]
pub fn check_stack() -> Result<()> {
    // SAFETY: an attached thread and a terminated string.
    match unsafe { py::Py_EnterRecursiveCall(c" while calling a cached function".as_ptr()) } {
        0 => Ok(()),
        _ => Err(Raised::by_callee()),
    }
}
