//! Kills the process in the middle of a write, on purpose. Tests only; elsewhere `hooks_none.rs` stands for this.

pub use super::steps::Step;
use std::sync::atomic::{AtomicU64, Ordering};

/// All steps.
pub const STEPS: u64 = Step::Done as u64;

static FATAL: AtomicU64 = AtomicU64::new(0);

/// This process dies when it comes here.
pub fn die_at(step: u64) {
    FATAL.store(step, Ordering::Relaxed);
}

/// The writer is here.
pub fn at(step: Step) {
    if FATAL.load(Ordering::Relaxed) == step as u64 {
        // SAFETY: signals this process, which ends at once.
        unsafe { libc::kill(std::process::id() as libc::pid_t, libc::SIGKILL) };
    }
}
