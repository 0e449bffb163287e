//! CPython's own mutex, tried for a while before the thread is put to sleep, and made anew after a fork.

use super::threads;
use pyo3_ffi as py;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// `_Py_UNLOCKED` and `_Py_LOCKED` of Include/cpython/lock.h
const UNLOCKED: u8 = 0;
const LOCKED: u8 = 1;
/// How long a thread waits before it tries again: so many pauses, and each time twice as many as before.
///
/// Whoever waits leaves the lock alone meanwhile, so that its holder may take it several times over, with all that it
/// guards in its own cache. That is faster for both than to hand it over after each change. All tries together take some
/// ten microseconds at most.
const FIRST_PAUSES: u32 = 1;
const TRIES: u32 = 9;

/// How many forks lie between the first process and this one, in which caches may be used.
static FORKS: AtomicU32 = AtomicU32::new(0);
/// Held while a child's cache gets a new mutex.
static RENEWING: Raw = Raw::new();

/// Sees to it that children find no mutex held.
pub fn prepare() {
    // SAFETY: a function of ours, which stays loaded, as extension modules do.
    unsafe { libc::pthread_atfork(None, None, Some(after_fork_in_child)) };
}

/// There is one thread in a child, and nobody who could give back what others held.
unsafe extern "C" fn after_fork_in_child() {
    threads::after_fork_in_child();
    // SAFETY: there is no other thread, and this one is not inside.
    unsafe { RENEWING.renew() };
    // Relaxed: there is no other thread yet.
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// The mutex of a cache, on cache lines of its own: those who wait read it, while its holder writes other things.
#[repr(align(128))]
pub struct Mutex {
    raw: Raw,
    /// It is of this process, if this is [`FORKS`].
    forks: AtomicU32,
}

/// Gives the mutex back when dropped.
pub struct Locked<'a>(&'a Raw);

struct Raw(UnsafeCell<py::PyMutex>);

// SAFETY: that is what it is for.
unsafe impl Sync for Raw {}

impl Mutex {
    /// Nobody holds it.
    pub fn new() -> Self {
        Self { raw: Raw::new(), forks: AtomicU32::new(FORKS.load(Ordering::Relaxed)) }
    }

    /// Waits for it. An attached thread detaches before it goes to sleep.
    #[inline]
    pub fn lock(&self) -> Locked<'_> {
        // Acquire: pairs with the Release in `renew`.
        if self.forks.load(Ordering::Acquire) != FORKS.load(Ordering::Relaxed) {
            self.renew();
        }
        self.raw.lock()
    }

    /// The first lock in a child. A thread of the parent that was handed the mutex just before the fork will never give
    /// it back; it had not begun, since `os.fork()` forks in a pause.
    #[cold]
    fn renew(&self) {
        let _renewing = RENEWING.lock();
        let forks = FORKS.load(Ordering::Relaxed);
        // Relaxed: written under `RENEWING` alone.
        if self.forks.load(Ordering::Relaxed) != forks {
            // SAFETY: nobody in this process has locked it yet: all come by here first.
            unsafe { self.raw.renew() };
            // Release: pairs with the Acquire in `lock`.
            self.forks.store(forks, Ordering::Release);
        }
    }
}

impl Raw {
    const fn new() -> Self {
        Self(UnsafeCell::new(py::PyMutex::new()))
    }

    /// The byte that it is, which CPython too uses as an atomic alone.
    #[inline(always)]
    fn bits(&self) -> &AtomicU8 {
        const { assert!(size_of::<py::PyMutex>() == 1) };
        // SAFETY: one byte, which lives as long as this borrow.
        unsafe { AtomicU8::from_ptr(self.0.get().cast()) }
    }

    #[inline(always)]
    fn try_lock(&self) -> bool {
        // Acquire: pairs with the Release in `drop`, and with CPython's.
        self.bits().compare_exchange(UNLOCKED, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline(always)]
    fn lock(&self) -> Locked<'_> {
        if !self.try_lock() {
            self.wait();
        }
        Locked(self)
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) {
        for tried in 0..TRIES {
            for _ in 0..FIRST_PAUSES << tried {
                spin_loop();
            }
            if self.try_lock() {
                return;
            }
        }
        // SAFETY: the mutex stands as long as this borrow, and the thread is attached.
        unsafe { py::PyMutex_Lock(self.0.get()) };
    }

    /// # Safety
    /// Whoever holds it or waits for it is no more.
    unsafe fn renew(&self) {
        // SAFETY: as the caller says.
        unsafe { self.0.get().write(py::PyMutex::new()) };
    }
}

impl Drop for Locked<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `try_lock`.
        if self.0.bits().compare_exchange(LOCKED, UNLOCKED, Ordering::Release, Ordering::Relaxed).is_err() {
            // Somebody sleeps.
            // SAFETY: locked by this thread in `lock`.
            unsafe { py::PyMutex_Unlock(self.0.0.get()) };
        }
    }
}
