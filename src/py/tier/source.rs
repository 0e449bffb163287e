//! What a kind of tier says of itself.

use crate::backend::{Backend, Wait};
use crate::ffi::{Borrowed, Owned, Raised, Result, thread};
use crate::py::cache::stats::Counts;
use crate::state::Serializer;
use pyo3_ffi as py;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A call that found a value.
    Hit,
    /// A call that found none.
    Miss,
    /// A hit on a stale value.
    StaleHit,
    /// A call that another one's computation has answered.
    Coalesced,
    /// A key or a value that is too large.
    Oversize,
    /// A value that can't be made bytes.
    Unserializable,
}

/// A backend as Python's side uses it.
pub trait Source {
    /// Where the entries live.
    type Backend: Backend;

    /// The backend.
    fn backend(&self) -> &Self::Backend;

    /// Counts something.
    fn count(&self, event: Event);

    /// The exception where there is no answer, and the caller is to know it.
    fn raised(error: <Self::Backend as Backend>::Error) -> Raised;

    /// Hits, misses and entries, of all who share it.
    fn summary(&self) -> [u64; 3];

    /// All that is counted of every cache.
    fn counts(&self) -> Counts;

    /// A dict of all that is counted.
    fn stats(&self) -> Result<Owned>;
}

/// A kind of tier, and what all kinds need besides.
pub struct Tiered<S> {
    /// The kind's own.
    pub source: S,
    /// None for pickle.
    pub serializer: Option<Serializer>,
    /// How many bytes a value or a key may take.
    pub most: usize,
    /// Whether somebody was told of a value that can't be serialized.
    warned: AtomicBool,
}

impl<S: Source> Tiered<S> {
    /// Values and keys may take `most` bytes each.
    pub fn new(source: S, serializer: Option<Serializer>, most: usize) -> Self {
        Self { source, serializer, most, warned: AtomicBool::new(false) }
    }

    /// Where the entries live.
    #[inline(always)]
    pub fn backend(&self) -> &S::Backend {
        self.source.backend()
    }

    /// Counts something.
    #[inline(always)]
    pub fn count(&self, event: Event) {
        self.source.count(event);
    }

    /// Warns of a value that has no bytes, the first time. Reenters: filters of warnings, which may raise.
    pub fn warn(&self, exception: Borrowed<'_>) -> Result<()> {
        // Relaxed: only who is first matters.
        if self.warned.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        // SAFETY: set up before any extension is imported.
        let category = unsafe { py::PyExc_RuntimeWarning };
        let format = c"a shared cache could not serialize a value, and returns such values without storing them: %R";
        // SAFETY: a class, and a format that takes exactly one object.
        match unsafe { py::PyErr_WarnFormat(category, 1, format.as_ptr(), exception.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::by_callee()),
        }
    }
}

/// A backend's waits happen detached from the interpreter.
pub struct Detached;

impl Wait for Detached {
    fn detached(&self, work: &mut dyn FnMut()) {
        thread::detached(work);
    }
}
