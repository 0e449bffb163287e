//! The lock of a cache. It is held for a fraction of a microsecond, by threads that reach no safe point meanwhile.
//!
//! CPython's own mutex hands itself over to a thread that sleeps. Such a thread first has to attach to the interpreter again,
//! which it never does when the interpreter ends meanwhile, or in the child of a fork; and then nobody gives the mutex back.
//! Here a thread tries, detaches to sleep for a moment, attaches, and tries again. So whoever holds the lock is running.
//! In particular nobody holds it while the world is stopped, and `os.fork()` forks in such a pause.

use crate::core::forks::process;
use pyo3_ffi as py;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often a thread tries before it sleeps. It pauses once, and then each time for twice as many pauses; all together take
/// some ten microseconds.
///
/// Whoever waits leaves the lock alone meanwhile, so that its holder may take it several times over, with all that it
/// guards in its own cache. That is faster for both than to hand it over after each change.
const TRIES: u32 = 9;
const FIRST_SLEEP: Duration = Duration::from_micros(50);
const LONGEST_SLEEP: Duration = Duration::from_millis(1);

const FREE: u32 = 0;

/// A lock, on cache lines of its own: those who wait read it, while its holder writes other things.
#[repr(align(128))]
pub struct Mutex {
    /// [`FREE`], or the number of the process whose thread holds it.
    holder: AtomicU32,
}

/// Gives the lock back when dropped.
pub struct Locked<'a>(&'a Mutex);

impl Mutex {
    /// Nobody holds it.
    pub fn new() -> Self {
        Self { holder: AtomicU32::new(FREE) }
    }

    /// Waits for it, detached from the interpreter if that takes more than a moment.
    #[inline]
    pub fn lock(&self) -> Locked<'_> {
        if !self.try_lock() {
            self.wait();
        }
        Locked(self)
    }

    #[inline(always)]
    fn try_lock(&self) -> bool {
        self.take_from(FREE)
    }

    #[inline(always)]
    fn take_from(&self, holder: u32) -> bool {
        // Acquire: pairs with the Release in `drop`.
        self.holder.compare_exchange(holder, process(), Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) {
        // A thread of a parent, before a fork that did not stop the world, as C code may do it: that thread is not here.
        let holder = self.holder.load(Ordering::Relaxed);
        if holder != FREE && holder != process() && self.take_from(holder) {
            return;
        }
        for tried in 0..TRIES {
            for _ in 0..1 << tried {
                spin_loop();
            }
            if self.try_lock() {
                return;
            }
        }
        let mut sleep = FIRST_SLEEP;
        loop {
            // SAFETY: an attached thread.
            let state = unsafe { py::PyEval_SaveThread() };
            std::thread::sleep(sleep);
            // SAFETY: the state of this thread. In an interpreter that is ending this does not return, and nothing is held.
            unsafe { py::PyEval_RestoreThread(state) };
            if self.try_lock() {
                return;
            }
            sleep = LONGEST_SLEEP.min(sleep * 2);
        }
    }
}

impl Drop for Locked<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `try_lock`.
        self.0.holder.store(FREE, Ordering::Release);
    }
}
