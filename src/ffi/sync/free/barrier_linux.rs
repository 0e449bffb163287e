//! membarrier(2), from Linux 4.14 on: a system call after which every running thread of the process has passed a full
//! fence. It takes some microseconds, and readers pay nothing.

use std::sync::atomic::{AtomicBool, Ordering};

static THERE: AtomicBool = AtomicBool::new(false);

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: takes numbers, and has no effect on memory but order.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Tells the kernel that this process will use it, which it asks for.
pub fn prepare() {
    let there = membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && heavy();
    // Relaxed: a fact alone.
    THERE.store(there, Ordering::Relaxed);
}

/// Whether there is such a call. Where it is not (old kernels, some sandboxes), hits take the lock.
pub fn is_there() -> bool {
    // Relaxed: as in `prepare`.
    THERE.load(Ordering::Relaxed)
}

/// The writer's half. False if the kernel refuses.
pub fn heavy() -> bool {
    // A child of fork(2) may have to say again that it will use it.
    membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
        || membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
            && membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
}
