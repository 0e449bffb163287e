//! What a fork does to a process: which process this is, and a lock that forks don't leave locked.
//!
//! The child of a fork has one thread, and memory as it was at that moment. The thread that forks may belong to one interpreter
//! while threads of another run on, so a thread of the parent may have held any lock then. It does not exist in the child, and
//! never gives the lock back.

use super::atomics::spin_loop;
use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// The number of this process: one more than forks lie between the first process and this one.
static PROCESS: AtomicU32 = AtomicU32::new(1);
static PREPARED: AtomicBool = AtomicBool::new(false);

/// The number of this process. It differs from that of its parent and of all processes before, as soon as somebody has called
/// [`prepare`].
#[inline(always)]
pub fn process() -> u32 {
    // Relaxed: it changes while there is one thread alone.
    PROCESS.load(Ordering::Relaxed)
}

/// Has children count themselves. Before anything is kept that a fork makes wrong.
pub fn prepare() {
    in_children(&PREPARED, after_fork_in_child);
}

/// Has `handler` run in the children of forks from now on, in the order of these calls. It may run more than once in each, where
/// threads of several interpreters call this at the same time: no lock is waited for here, which such a fork could leave locked.
/// No other thread runs in a child then, and the handler may rely on that.
pub fn in_children(registered: &AtomicBool, handler: unsafe extern "C" fn()) {
    // Acquire: pairs with the Release below. Who sees it set may fork.
    if !registered.load(Ordering::Acquire) {
        // SAFETY: a function of ours, which stays loaded, as extension modules do; it is called in children of forks alone, each of
        // which has one thread.
        unsafe { libc::pthread_atfork(None, None, Some(handler)) };
        registered.store(true, Ordering::Release);
    }
}

/// There is one thread in a child.
extern "C" fn after_fork_in_child() {
    // Relaxed: there is no other thread yet.
    PROCESS.fetch_add(1, Ordering::Relaxed);
}

/// How often a thread looks at a lock before it lets others run.
const LOOKS: u32 = 100;
/// How often it lets others run before it sleeps in between.
const TURNS: u32 = 120;
const SLEEP: Duration = Duration::from_micros(50);

const FREE: u32 = 0;

/// A lock for changes that take a moment, run no Python code and wait for nobody. In the child of a fork it is free, whoever
/// held it.
pub struct Lock<T> {
    /// [`FREE`], or the number of the process whose thread holds it.
    holder: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: one thread at a time reaches the value.
unsafe impl<T: Send> Sync for Lock<T> {}

/// Gives the lock back when dropped.
pub struct Locked<'a, T>(&'a Lock<T>);

impl<T> Lock<T> {
    /// Nobody holds it.
    pub const fn new(value: T) -> Self {
        Self { holder: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Default> Lock<T> {
    /// Waits for the lock. Where a thread of a parent held it at the fork, the value may be half changed: then it is neither
    /// looked at nor dropped, and one like new takes its place.
    #[inline]
    pub fn lock(&self) -> Locked<'_, T> {
        if !self.take_from(FREE) {
            self.wait();
        }
        Locked(self)
    }

    #[inline]
    fn take_from(&self, holder: u32) -> bool {
        // Acquire: pairs with the Release in `drop`.
        self.holder.compare_exchange(holder, process(), Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) {
        let mut looked = 0;
        loop {
            // Relaxed: a look; `take_from` orders.
            let holder = self.holder.load(Ordering::Relaxed);
            if holder == FREE && self.take_from(FREE) {
                return;
            }
            if holder != FREE && holder != process() && self.take_from(holder) {
                // SAFETY: this thread holds the lock, and the one that held it is not here.
                unsafe { self.value.get().write(T::default()) };
                return;
            }
            looked += 1;
            match looked {
                ..LOOKS => spin_loop(),
                LOOKS..TURNS => std::thread::yield_now(),
                _ => std::thread::sleep(SLEEP),
            }
        }
    }
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this thread holds the lock as long as `self` stands.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Locked<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Locked<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `take_from`.
        self.0.holder.store(FREE, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// What a child makes of the lock; its exit status says whether that was right.
    fn in_child(work: impl FnOnce() -> bool) {
        // SAFETY: the child runs a few lines of this test and ends without returning.
        match unsafe { libc::fork() } {
            0 => {
                let right = work();
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(if right { 0 } else { 3 }) }
            }
            child => {
                let mut status = 0;
                // SAFETY: waits for the child that was just made.
                assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
                assert_eq!(status, 0, "the child has failed");
            }
        }
    }

    #[test]
    fn a_lock_that_a_thread_of_the_parent_holds_is_free_in_the_child_and_its_value_like_new() {
        prepare();
        let lock = Arc::new(Lock::new(vec![1]));
        let (locked, release) = (Arc::new(std::sync::Barrier::new(2)), Arc::new(std::sync::Barrier::new(2)));
        let holder = std::thread::spawn({
            let (lock, locked, release) = (lock.clone(), locked.clone(), release.clone());
            move || {
                let mut guard = lock.lock();
                guard.push(2);
                locked.wait();
                release.wait();
                guard.push(3);
            }
        });
        locked.wait();
        in_child(|| lock.lock().is_empty() && lock.lock().is_empty());
        release.wait();
        holder.join().expect("the other thread");
        assert_eq!(*lock.lock(), [1, 2, 3]);
        in_child(|| *lock.lock() == [1, 2, 3]);
    }

    #[test]
    fn each_process_has_a_number_of_its_own() {
        prepare();
        let own = process();
        in_child(|| process() > own);
        assert_eq!(process(), own);
    }

    #[test]
    fn one_thread_at_a_time_has_the_lock() {
        let lock = Arc::new(Lock::new(0u64));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let lock = lock.clone();
                std::thread::spawn(move || (0..10_000).for_each(|_| *lock.lock() += 1))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("a thread"));
        assert_eq!(*lock.lock(), 40_000);
    }
}
