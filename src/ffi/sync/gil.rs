//! With the GIL: it is the lock. Whoever runs without calling Python is alone.

use pyo3_ffi as py;
use std::cell::{Cell, UnsafeCell};
use std::ffi::c_ulong;

pub use crate::ffi::compat::count::{decref, incref};

/// `tp_flags`
#[inline(always)]
pub fn type_flags(kind: &py::PyTypeObject) -> c_ulong {
    kind.tp_flags
}

/// Whether this build runs without the GIL.
pub const FREE_THREADED: bool = false;

/// State that is used only while nothing else can run.
pub struct Guarded<T>(UnsafeCell<T>);

impl<T> Guarded<T> {
    /// Guards `state`.
    pub const fn new(state: T) -> Self {
        Self(UnsafeCell::new(state))
    }

    /// Lends the state to `work`, which runs no Python code, drops no reference and does not come back here.
    #[inline(always)]
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the GIL is held by this thread until `work` returns, since `work` runs no Python code, and for the
        // same reason nobody further up this thread's stack is inside `with`.
        work(unsafe { &mut *self.0.get() })
    }

    /// The state, when nobody else can reach it any more.
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }

    /// Lends the state to the garbage collector's visit, during which nothing else runs.
    #[inline]
    pub fn visit<R>(&self, work: impl FnOnce(&T) -> R) -> R {
        // SAFETY: as in `with`; a collection starts at an allocation of a Python object, which `work` never makes.
        work(unsafe { &*self.0.get() })
    }
}

/// A count of events.
pub struct Counter(Cell<u64>);

impl Counter {
    /// Zero.
    pub const fn new() -> Self {
        Self(Cell::new(0))
    }

    /// Counts one.
    #[inline(always)]
    pub fn count(&self) {
        self.0.set(self.0.get().wrapping_add(1));
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.get()
    }

    /// Starts anew.
    pub fn reset(&self) {
        self.0.set(0);
    }
}

/// The reference count of something of ours that is no Python object.
pub struct SharedCount(Cell<u32>);

impl SharedCount {
    /// One reference.
    pub const fn one() -> Self {
        Self(Cell::new(1))
    }

    /// One more.
    #[inline]
    pub fn add(&self) {
        self.0.set(self.0.get() + 1);
    }

    /// One less. True if it was the last.
    #[inline]
    pub fn remove(&self) -> bool {
        let left = self.0.get() - 1;
        self.0.set(left);
        left == 0
    }
}
