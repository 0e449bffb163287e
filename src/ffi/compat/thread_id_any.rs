//! `_Py_ThreadId` of Include/object.h, where only CPython can tell it.

/// What CPython knows this thread by in the heads of objects where there is no GIL. None where only CPython can tell.
#[inline(always)]
pub fn thread_id() -> Option<usize> {
    None
}
