//! Numbers for threads: small, dense, and used again when a thread has ended. A thread's number says where at each cache
//! it keeps what it alone writes.

#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
#[path = "threads_x86_64_linux.rs"]
mod platform;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
#[path = "threads_any.rs"]
mod platform;

use std::sync::atomic::{AtomicU64, Ordering};

pub use platform::thread_id;

/// The number of a thread that has none.
pub const NONE: u32 = u32::MAX;
/// How many threads may have a number at once; all others call with locks.
const MOST_THREADS: usize = 4096;

/// One bit a number, set while it is taken.
static TAKEN: [AtomicU64; MOST_THREADS / 64] = [const { AtomicU64::new(0) }; MOST_THREADS / 64];

/// This thread's number. [`NONE`], which is larger than any, if it has none.
#[inline(always)]
pub fn current() -> usize {
    platform::number() as usize
}

/// This thread's number, which it gets now if it has none. None if there is none left, or if the thread is ending.
pub fn register() -> Option<usize> {
    if platform::number() == NONE {
        GUARD.try_with(|_| ()).ok()?;
        platform::set_number(take()?);
    }
    Some(current())
}

/// The smallest number that is free.
fn take() -> Option<u32> {
    for (at, word) in TAKEN.iter().enumerate() {
        // Relaxed: the loop below decides.
        let mut seen = word.load(Ordering::Relaxed);
        while seen != u64::MAX {
            let bit = seen.trailing_ones();
            // Acquire: pairs with the Release in `give_back`: this thread goes on with what that one has counted.
            match word.compare_exchange_weak(seen, seen | 1 << bit, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(at as u32 * 64 + bit),
                Err(now) => seen = now,
            }
        }
    }
    None
}

fn give_back(number: u32) {
    // Release: pairs with the Acquire in `take`.
    TAKEN[number as usize / 64].fetch_and(!(1 << (number % 64)), Ordering::Release);
}

/// Gives the thread's number back when the thread ends.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        let number = platform::number();
        if number != NONE {
            platform::set_number(NONE);
            give_back(number);
        }
    }
}

thread_local! {
    static GUARD: Guard = const { Guard };
}

/// In a child there is this thread alone.
pub fn after_fork_in_child() {
    let number = platform::number();
    for (at, word) in TAKEN.iter().enumerate() {
        let own = if number != NONE && number as usize / 64 == at { 1 << (number % 64) } else { 0 };
        // Relaxed: there is no other thread yet.
        word.store(own, Ordering::Relaxed);
    }
}
