//! `_Py_ThreadId` of Include/object.h, on Linux on x86-64.

use std::arch::asm;

/// What CPython knows this thread by in the heads of objects where there is no GIL.
#[inline(always)]
pub fn thread_id() -> Option<usize> {
    let id: usize;
    // SAFETY: the first word of the thread's block is its own address.
    unsafe { asm!("mov {}, qword ptr fs:[0]", out(reg) id, options(pure, readonly, nostack, preserves_flags)) };
    Some(id)
}
