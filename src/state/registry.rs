//! The caches that decorators have made, as long as somebody holds them.

use super::imported::AnyThread;
use crate::ffi::{Borrowed, Owned, Result, compat};
use pyo3_ffi as py;
use std::sync::{Mutex, PoisonError};

/// So many may be dead before it is looked for these.
const FIRST_LOOK: usize = 64;

/// References to caches that don't keep them alive, in the order of their making.
pub struct Registry(Mutex<References>);

struct References {
    all: Vec<AnyThread<Owned>>,
    /// When there are so many, the dead ones are dropped.
    look_at: usize,
}

impl Registry {
    /// Without any.
    pub fn new() -> Self {
        Self(Mutex::new(References { all: Vec::new(), look_at: FIRST_LOOK }))
    }

    /// Notes a cache. Reenters: a collection, on versions that have one where an object is made.
    pub fn add(&self, cache: Borrowed<'_>) -> Result<()> {
        // SAFETY: a live object, and no callback.
        let reference = unsafe { py::PyWeakref_NewRef(cache.as_ptr(), std::ptr::null_mut()) };
        // SAFETY: a new reference, or null with an exception set.
        let reference = unsafe { Owned::from_call(reference) }?;
        let mut references = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        references.all.push(AnyThread(reference));
        let is_due = references.all.len() >= references.look_at;
        drop(references);
        if is_due { self.drop_dead() } else { Ok(()) }
    }

    fn references(&self) -> Vec<Owned> {
        let references = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        references.all.iter().map(|AnyThread(reference)| reference.clone()).collect()
    }

    /// Those that live, from the first that was made to the last.
    pub fn live(&self) -> Result<Vec<Owned>> {
        self.references().into_iter().filter_map(|reference| compat::referent(reference.borrow()).transpose()).collect()
    }

    #[cold]
    fn drop_dead(&self) -> Result<()> {
        let mut dead = Vec::new();
        for reference in self.references() {
            if compat::referent(reference.borrow())?.is_none() {
                dead.push(reference);
            }
        }
        let mut references = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // They are dropped below, behind the lock.
        let mut dropped = Vec::new();
        let mut next = dead.iter().peekable();
        let mut kept = Vec::with_capacity(references.all.len());
        for AnyThread(reference) in references.all.drain(..) {
            // Both are in the order of their making.
            match next.next_if(|dead| dead.borrow().is(reference.borrow())) {
                Some(_) => dropped.push(reference),
                None => kept.push(AnyThread(reference)),
            }
        }
        references.look_at = FIRST_LOOK.max(2 * kept.len());
        references.all = kept;
        drop(references);
        drop(dropped);
        Ok(())
    }
}
