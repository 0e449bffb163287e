//! The address lies in the thread's static block, two loads away, as the number of `sync/free/threads_x86_64_linux.rs` does: that
//! file says why. This takes eight bytes.

use std::arch::{asm, global_asm};

// What a thread keeps that has not asked yet is higher than any stack pointer.
global_asm!(
    ".pushsection .tdata.tamis_stack_lowest,\"awT\",@progbits",
    ".hidden tamis_stack_lowest",
    ".globl tamis_stack_lowest",
    ".type tamis_stack_lowest, @tls_object",
    ".size tamis_stack_lowest, 8",
    ".p2align 3",
    "tamis_stack_lowest:",
    ".quad 0xFFFFFFFFFFFFFFFF",
    ".popsection",
);

/// The lowest address of a level's beginning.
#[inline(always)]
pub fn get() -> usize {
    let address: usize;
    // SAFETY: reads eight bytes of this thread's block.
    unsafe {
        asm!(
            "mov {address}, qword ptr [rip + tamis_stack_lowest@GOTTPOFF]",
            "mov {address}, qword ptr fs:[{address}]",
            address = out(reg) address,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    address
}

/// Sets it.
pub fn set(address: usize) {
    // SAFETY: writes eight bytes of this thread's block.
    unsafe {
        asm!(
            "mov {offset}, qword ptr [rip + tamis_stack_lowest@GOTTPOFF]",
            "mov qword ptr fs:[{offset}], {address}",
            offset = out(reg) _,
            address = in(reg) address,
            options(nostack, preserves_flags),
        );
    }
}

/// Where the stack ends now.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {pointer}, rsp", pointer = out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}
