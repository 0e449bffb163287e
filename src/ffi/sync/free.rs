//! Without the GIL: CPython's own mutex around the store, and atomic counts.
//!
//! `PyMutex` is what a stop-the-world pause can't deadlock with: whoever has to wait for it detaches first. Its holder
//! runs no Python code and reaches no safe point, so during a pause nobody is in the middle of a change.

use pyo3_ffi as py;
use std::cell::UnsafeCell;
use std::ffi::c_ulong;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

pub use py::{Py_DECREF as decref, Py_INCREF as incref};

/// `tp_flags`
#[inline(always)]
pub fn type_flags(kind: &py::PyTypeObject) -> c_ulong {
    // Relaxed: the flag asked for is set before the type has instances.
    kind.tp_flags.load(Ordering::Relaxed)
}

/// Whether this build runs without the GIL.
pub const FREE_THREADED: bool = true;

/// State that is used by one thread at a time.
pub struct Guarded<T> {
    mutex: UnsafeCell<py::PyMutex>,
    state: UnsafeCell<T>,
}

/// Unlocks when dropped.
struct Locked<'a>(&'a UnsafeCell<py::PyMutex>);

impl<'a> Locked<'a> {
    #[inline]
    fn new(mutex: &'a UnsafeCell<py::PyMutex>) -> Self {
        // SAFETY: the mutex lives as long as 'a, and the thread is attached.
        unsafe { py::PyMutex_Lock(mutex.get()) };
        Self(mutex)
    }
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: locked by this thread in `new`.
        unsafe { py::PyMutex_Unlock(self.0.get()) };
    }
}

impl<T> Guarded<T> {
    /// Guards `state`.
    pub const fn new(state: T) -> Self {
        Self { mutex: UnsafeCell::new(py::PyMutex::new()), state: UnsafeCell::new(state) }
    }

    /// Lends the state to `work`, which runs no Python code, drops no reference and does not come back here.
    #[inline]
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let _locked = Locked::new(&self.mutex);
        // SAFETY: the mutex is held until `work` has returned, and every use of the state is in here or in `visit`.
        work(unsafe { &mut *self.state.get() })
    }

    /// The state, when nobody else can reach it any more.
    pub fn into_inner(self) -> T {
        self.state.into_inner()
    }

    /// Lends the state to the garbage collector's visit, during which every other thread stands at a safe point.
    #[inline]
    pub fn visit<R>(&self, work: impl FnOnce(&T) -> R) -> R {
        // SAFETY: the world is stopped, and no thread stops inside `with`: there is no safe point in it.
        work(unsafe { &*self.state.get() })
    }
}

/// A count of events.
pub struct Counter(AtomicU64);

impl Counter {
    /// Zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts one.
    #[inline(always)]
    pub fn count(&self) {
        // Relaxed: a number alone; nothing is read because of it.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        // Relaxed: as in `count`.
        self.0.load(Ordering::Relaxed)
    }

    /// Starts anew.
    pub fn reset(&self) {
        // Relaxed: as in `count`.
        self.0.store(0, Ordering::Relaxed);
    }
}

/// The reference count of something of ours that is no Python object.
pub struct SharedCount(AtomicU32);

impl SharedCount {
    /// One reference.
    pub const fn one() -> Self {
        Self(AtomicU32::new(1))
    }

    /// One more.
    #[inline]
    pub fn add(&self) {
        // Relaxed: the caller holds a reference already.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One less. True if it was the last.
    #[inline]
    pub fn remove(&self) -> bool {
        // AcqRel: pairs with itself, so that the last holder sees what all others did before they let go.
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
