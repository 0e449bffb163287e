//! References that are lent, and counts of what is no Python object: without the GIL.

use crate::ffi::reference::{Borrowed, Owned};
use crate::ffi::sync::biased;
use std::sync::atomic::{AtomicU32, Ordering};

/// An object that somebody is to use at once: without the GIL, by a reference of its own, since other threads may take it out.
pub struct Lent(Owned);

impl Lent {
    /// Lends what a cache holds.
    ///
    /// # Safety
    /// As where there is a GIL.
    #[inline(always)]
    pub unsafe fn new(object: &Owned) -> Self {
        Self(object.clone())
    }

    /// The object.
    #[inline(always)]
    pub fn borrow(&self) -> Borrowed<'_> {
        self.0.borrow()
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

/// Whether the object belongs to another thread than the one that asks, as far as that can be told.
pub fn is_foreign(object: Borrowed<'_>) -> bool {
    // SAFETY: a live object.
    unsafe { biased::is_foreign(object.as_ptr()) }
}
