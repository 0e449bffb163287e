//! The number lies in the thread's static block, two loads away. Rust would ask `__tls_get_addr`, whose call takes longer
//! than the rest of a hit (the "initial exec" model of Drepper, "ELF Handling For Thread-Local Storage"). glibc keeps room
//! there for libraries that are loaded later; this takes four bytes of it.

use std::arch::{asm, global_asm};

global_asm!(
    ".pushsection .tdata.tamis_thread_number,\"awT\",@progbits",
    ".hidden tamis_thread_number",
    ".globl tamis_thread_number",
    ".type tamis_thread_number, @tls_object",
    ".size tamis_thread_number, 4",
    ".p2align 2",
    "tamis_thread_number:",
    ".long 0xFFFFFFFF",
    ".popsection",
);

const _: () = assert!(super::NONE == 0xFFFF_FFFF);

/// This thread's number.
#[inline(always)]
pub fn number() -> u32 {
    let number: u32;
    // SAFETY: reads four bytes of this thread's block.
    unsafe {
        asm!(
            "mov {offset}, qword ptr [rip + tamis_thread_number@GOTTPOFF]",
            "mov {number:e}, dword ptr fs:[{offset}]",
            offset = out(reg) _,
            number = lateout(reg) number,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    number
}

/// Sets it.
pub fn set_number(number: u32) {
    // SAFETY: writes four bytes of this thread's block.
    unsafe {
        asm!(
            "mov {offset}, qword ptr [rip + tamis_thread_number@GOTTPOFF]",
            "mov dword ptr fs:[{offset}], {number:e}",
            offset = out(reg) _,
            number = in(reg) number,
            options(nostack, preserves_flags),
        );
    }
}

/// What CPython knows this thread by in the heads of objects (`_Py_ThreadId` of Include/object.h).
#[inline(always)]
pub fn thread_id() -> Option<usize> {
    let id: usize;
    // SAFETY: the first word of the thread's block is its own address.
    unsafe { asm!("mov {}, qword ptr fs:[0]", out(reg) id, options(pure, readonly, nostack, preserves_flags)) };
    Some(id)
}
