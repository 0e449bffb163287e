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

/// The number of a thread that has none, as above.
pub const NONE: u32 = 0xFFFF_FFFF;

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
