//! Numbers for threads: small, dense, and used again when a thread has ended. A thread's number says where at each cache
//! it keeps what it alone writes.
//!
//! In the child of a fork there is one thread, and the numbers of all others are nobody's. But each cache there still has what
//! their threads have left, and finds out about the fork when it is first changed. So with each number stands the process in which
//! it was taken, and no number is taken while a cache looks which of them are of this process.

#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
#[path = "threads_x86_64_linux.rs"]
mod platform;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
#[path = "threads_any.rs"]
mod platform;

use crate::core::forks::{self, Lock, process};
use platform::NONE;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many threads may have a number at once; all others call with locks.
const MOST_THREADS: usize = 4096;
/// The number is free.
const NOBODY: u32 = 0;

/// The process in which each number was taken, or [`NOBODY`].
static TAKEN_IN: [AtomicU32; MOST_THREADS] = [const { AtomicU32::new(NOBODY) }; MOST_THREADS];
/// Held by who takes a number.
static TAKING: Lock<()> = Lock::new(());
static PREPARED: AtomicBool = AtomicBool::new(false);

/// Has children keep the number of the thread that forks.
pub fn prepare() {
    forks::prepare();
    forks::in_children(&PREPARED, after_fork_in_child);
}

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

/// The smallest number that is free. If there is none, one of a thread that was left behind by a fork: not before, since what it has
/// left may look as if it were still inside of a hit, and is cleared away only where its number is nobody's.
fn take() -> Option<u32> {
    let _taking = TAKING.lock();
    let own = process();
    // Acquire: pairs with the Release in `give_back`: this thread goes on with what that one has counted.
    let find = |fits: &dyn Fn(u32) -> bool| TAKEN_IN.iter().position(|it| fits(it.load(Ordering::Acquire)));
    let number = find(&|process| process == NOBODY).or_else(|| find(&|process| process != own))?;
    // Relaxed: the lock orders it.
    TAKEN_IN[number].store(own, Ordering::Relaxed);
    Some(number as u32)
}

fn give_back(number: u32) {
    // Release: pairs with the Acquire in `take` and in `while_none_is_taken`.
    TAKEN_IN[number as usize].store(NOBODY, Ordering::Release);
}

/// Does something while no thread gets a number, with what tells whether a number is that of a thread of this process. A thread
/// that has got its number before is seen; one that gets it later sees what was done.
pub fn while_none_is_taken(work: impl FnOnce(&dyn Fn(usize) -> bool)) {
    let _taking = TAKING.lock();
    // Acquire: pairs with the Release in `give_back`.
    work(&|number| TAKEN_IN.get(number).is_some_and(|it| it.load(Ordering::Acquire) == process()));
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
unsafe extern "C" fn after_fork_in_child() {
    let number = platform::number();
    if number != NONE {
        // Relaxed: there is no other thread yet.
        TAKEN_IN[number as usize].store(process(), Ordering::Relaxed);
    }
}
