//! The lock of the writers, which survives its owner.
//!
//! One word: 0, or the identity of the process that holds it, and whether someone sleeps. Who finds it held for long looks
//! whether that process lives and still has the region mapped; if not, the lock is taken over by one compare-and-swap, and
//! its new owner makes the region's structures anew. Robust mutexes of pthreads would do the same, with pointers of theirs in
//! shared memory, through which damage could become wild writes in the kernel's and the C library's hands.
//!
//! What that covers: SIGKILL at any instruction, numbers of processes that come again, fork(2) while a thread holds it (the
//! parent's thread still does), exec(2) meanwhile. A process that is stopped lives; others are [`Busy`] after [`PATIENCE`] once,
//! and then at once, until it goes on. Nobody attaches to an interpreter or runs foreign code while holding it.

use super::identity::Identity;
use super::layout::state;
use super::space::Space;
use crate::backend::{Busy, Wait};
use crate::core::atomics::{AtomicU64, Ordering, spin_loop};
use std::time::{Duration, Instant};

/// How often the lock is looked at before its user sleeps: some microseconds.
const SPINS: u32 = 100;
/// How long one sleep takes at most.
const NAP: Duration = Duration::from_millis(20);
/// How long anyone waits for one turn of another.
pub const PATIENCE: Duration = Duration::from_millis(1000);

const SLEEPERS: u64 = Identity::SPARE;
const FREE: u64 = 0;

/// What a process remembers of a lock: the turn that it waits for no more, plus one.
#[derive(Default)]
pub struct AbandonedTurn(AtomicU64);

/// Held until dropped.
pub struct WriterLock<'a> {
    space: &'a Space,
    /// Its last owner died with it.
    pub orphaned: bool,
}

impl Drop for WriterLock<'_> {
    fn drop(&mut self) {
        // Release: pairs with the Acquire of the next owner.
        let word = self.space.state(state::LOCK).swap(FREE, Ordering::Release);
        if word & SLEEPERS != 0 {
            wake(self.space.state(state::LOCK), 1);
        }
    }
}

fn try_swap(space: &Space, seen: u64, sleepers: u64, orphaned: bool) -> Option<WriterLock<'_>> {
    // Those who sleep on a dead owner's lock are still asleep.
    let own = Identity::own();
    if !own.is_known() {
        // Others would take it for dead.
        return None;
    }
    let word = own.0 | (seen & SLEEPERS) | sleepers;
    // Acquire: pairs with the Release of the last owner.
    space.state(state::LOCK).compare_exchange(seen, word, Ordering::Acquire, Ordering::Relaxed).ok()?;
    let turn = space.state(state::TURN);
    // Relaxed: the lock orders it; others only look whether it changes.
    turn.store(turn.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    Some(WriterLock { space, orphaned })
}

/// Takes the lock, if that can be done without waiting.
#[inline]
pub fn try_lock(space: &Space) -> Option<WriterLock<'_>> {
    try_swap(space, FREE, 0, false)
}

/// Takes the lock from the same process's earlier image, before exec(2): nobody of this one can hold it.
pub fn take_own(space: &Space) -> Option<WriterLock<'_>> {
    // Relaxed: a look.
    let word = space.state(state::LOCK).load(Ordering::Relaxed);
    (word & !SLEEPERS == Identity::own().0).then(|| try_swap(space, word, 0, true))?
}

/// Takes the lock, or gives up after a while.
#[inline]
pub fn lock<'a>(
    space: &'a Space,
    inode: u64,
    abandoned: &AbandonedTurn,
    wait: &dyn Wait,
) -> Result<WriterLock<'a>, Busy> {
    match try_lock(space) {
        Some(locked) => Ok(locked),
        None => lock_slowly(space, inode, abandoned, wait),
    }
}

#[cold]
#[inline(never)]
fn lock_slowly<'a>(
    space: &'a Space,
    inode: u64,
    abandoned: &AbandonedTurn,
    wait: &dyn Wait,
) -> Result<WriterLock<'a>, Busy> {
    if !Identity::own().is_known() || !wait.may_wait() {
        return Err(Busy);
    }
    let lock = space.state(state::LOCK);
    for _ in 0..SPINS {
        // Relaxed: a look; `try_swap` orders.
        if lock.load(Ordering::Relaxed) == FREE
            && let Some(locked) = try_swap(space, FREE, 0, false)
        {
            return Ok(locked);
        }
        spin_loop();
    }
    let turn = || space.state(state::TURN).load(Ordering::Relaxed).wrapping_add(1);
    let begin = Instant::now();
    let (mut since, mut waited_for) = (begin, turn());
    // Who has slept wakes others, who may be asleep still: one at a time is woken.
    let mut slept = 0;
    loop {
        let word = lock.load(Ordering::Relaxed);
        if word == FREE {
            if let Some(locked) = try_swap(space, FREE, slept, false) {
                return Ok(locked);
            }
            continue_or_busy(begin)?;
            continue;
        }
        let owner = Identity(word & !SLEEPERS);
        if waited_for != turn() {
            (since, waited_for) = (Instant::now(), turn());
        }
        let is_abandoned = abandoned.0.load(Ordering::Relaxed) == waited_for;
        if !owner.lives() || ((since.elapsed() >= NAP || is_abandoned) && owner.has_left(inode)) {
            if let Some(locked) = try_swap(space, word, slept, true) {
                return Ok(locked);
            }
            continue_or_busy(begin)?;
            continue;
        }
        if is_abandoned || since.elapsed() >= PATIENCE {
            abandoned.0.store(waited_for, Ordering::Relaxed);
            return Err(Busy);
        }
        continue_or_busy(begin)?;
        // Relaxed: a flag for the owner, who gives the lock back by a read-modify-write of the same word.
        if word & SLEEPERS != 0
            || lock.compare_exchange(word, word | SLEEPERS, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            wait.detached(&mut || {
                sleep(lock, (word | SLEEPERS) as u32, NAP);
            });
            slept = SLEEPERS;
        }
    }
}

/// Bounds all waiting, for those who are always overtaken.
fn continue_or_busy(begin: Instant) -> Result<(), Busy> {
    if begin.elapsed() < PATIENCE * 3 { Ok(()) } else { Err(Busy) }
}

/// Sleeps while the low half of the word is so, at most for a while. True: a signal has ended it. It may end for no reason.
pub fn sleep(word: &AtomicU64, low: u32, at_most: Duration) -> bool {
    let time = libc::timespec {
        tv_sec: at_most.as_secs().min(1 << 30) as libc::time_t,
        tv_nsec: libc::c_long::from(at_most.subsec_nanos() as i32),
    };
    // SAFETY: futex(2): the address of a word that stands, and of a time. Not private: the memory is shared.
    let woken = unsafe { libc::syscall(libc::SYS_futex, low_half(word), libc::FUTEX_WAIT, low, &raw const time) };
    woken != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR)
}

/// Wakes so many who sleep.
pub fn wake(word: &AtomicU64, count: i32) {
    // SAFETY: futex(2): the address of a word that stands.
    unsafe { libc::syscall(libc::SYS_futex, low_half(word), libc::FUTEX_WAKE, count) };
}

fn low_half(word: &AtomicU64) -> *const u32 {
    let word = std::ptr::from_ref(word).cast::<u32>();
    // Only the kernel reads there.
    if cfg!(target_endian = "little") { word } else { word.wrapping_add(1) }
}
