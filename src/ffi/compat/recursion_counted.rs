//! How deep calls nest, before 3.14: CPython counts levels, of Python and C code together (3.10, 3.11) or of C code alone (3.12,
//! 3.13), and its count says little about memory. So the stack is looked at, too.

use crate::ffi::{Raised, Result, stack};
use pyo3_ffi as py;

/// One level of calls, which ends when this is dropped.
#[must_use = "the level ends at once"]
pub struct Level(());

impl Level {
    /// One more level, as CPython counts it around each object that C code calls. `RecursionError` where there are too many.
    #[inline(always)]
    pub fn enter() -> Result<Self> {
        check_stack()?;
        // SAFETY: an attached thread and a terminated string.
        if unsafe { py::Py_EnterRecursiveCall(c" while calling a cached function".as_ptr()) } != 0 {
            return Err(Raised::by_callee());
        }
        Ok(Self(()))
    }
}

impl Drop for Level {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: entered when it was made.
        unsafe { py::Py_LeaveRecursiveCall() };
    }
}

/// `RecursionError` where the stack has no room for another level. Counts nothing: for what CPython counts by itself.
#[inline(always)]
pub fn check_stack() -> Result<()> {
    if stack::has_room() { Ok(()) } else { Err(Raised::stack_overflow(stack::size())) }
}
