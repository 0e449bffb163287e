//! What a cache is besides its callable: the store, and what options need. A cached function has one, and so has a mapping.

pub mod capacity;
pub mod entries;
pub mod entry_store;
pub mod eviction;
pub mod expiring;
pub mod expiring_ops;
pub mod flights;
pub mod in_flight;
pub mod key_args;
pub mod lookup;
pub mod manage;
pub mod on_error;
pub mod ops;
pub mod policy;
mod policy_stats;
pub mod probe;
pub mod snapshot;
pub mod stats;
mod terms;

use crate::core::OutOfMemory;
use crate::ffi::dropper::Dropper;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Raised, Result};
use crate::py::cache::capacity::{Bound, CurrentBound};
use crate::py::cache::entry_store::Entries;
use crate::py::cache::policy::Policy;
use crate::py::entry::Entry;
use crate::py::key::KeyKind;
use pyo3_ffi as py;
use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keeps values under keys. Hits read the first field.
#[repr(C)]
pub struct Cache {
    pub(in crate::py) store: Entries,
    /// What options need, where there are any. Written by the collector alone, of garbage.
    policy: UnsafeCell<Option<Box<Policy>>>,
    pub(in crate::py) bound: CurrentBound,
    /// What its keys are.
    pub(in crate::py) kind: KeyKind,
    /// How many entries `cache_invalidate()` has dropped.
    pub(in crate::py) invalidations: AtomicU64,
}

impl Cache {
    /// An empty one.
    pub fn new(bound: Bound, kind: KeyKind, policy: Option<Box<Policy>>) -> Result<Self> {
        Self::with_most(bound, kind, policy, usize::MAX)
    }

    /// As [`Cache::new`], of at most so many entries, whatever the bound is.
    pub fn with_most(bound: Bound, kind: KeyKind, policy: Option<Box<Policy>>, most: usize) -> Result<Self> {
        let capacity = match bound {
            Bound::Off => 1,
            Bound::Entries(entries) => entries,
            Bound::Unbounded => usize::MAX,
        };
        let store = Entries::new(capacity.min(most)).map_err(|OutOfMemory| Raised::no_memory())?;
        Ok(Self {
            store,
            policy: UnsafeCell::new(policy),
            bound: CurrentBound::new(bound),
            kind,
            invalidations: AtomicU64::new(0),
        })
    }

    /// What options need, where there are any.
    #[inline(always)]
    pub fn policy(&self) -> Option<&Policy> {
        // SAFETY: see the field: nobody uses garbage meanwhile.
        unsafe { &*self.policy.get() }.as_deref()
    }

    /// Takes the options away, with which the entries went already.
    ///
    /// # Safety
    /// This is garbage that the collector takes apart, and nobody is inside of it.
    pub unsafe fn take_policy(&self) -> Option<Box<Policy>> {
        // SAFETY: as the caller says.
        unsafe { self.policy.get().replace(None) }
    }

    /// Counts an entry that was dropped because somebody asked for it.
    pub fn invalidated(&self) {
        // Relaxed: a number alone.
        self.invalidations.fetch_add(1, Ordering::Relaxed);
    }

    /// Shows the collector all that it holds, until it says stop. Nothing else runs meanwhile.
    pub fn visit(&self, visit: impl Fn(*mut py::PyObject) -> c_int + Copy) -> c_int {
        let stop = self.store.visit(|key, value| match key.visit(visit) {
            // Nobody but this store knows an entry, so it is looked through.
            // SAFETY: the values in the store of a cache with options are entries.
            0 if self.policy().is_some() => visit(unsafe { Entry::of(value) }.value().as_ptr()),
            0 => visit(value.as_ptr()),
            stop => stop,
        });
        if stop != 0 {
            return stop;
        }
        let mut held = self.policy().into_iter().flat_map(Policy::held);
        held.find_map(|object| Some(visit(object.as_ptr())).filter(|&stop| stop != 0)).unwrap_or(0)
    }

    /// Drops all that it holds. Reenters: finalizers.
    pub fn take_apart(self, dropper: &mut Dropper) {
        for (key, value) in self.store.into_contents() {
            key.take_apart(|item| dropper.push(item));
            dropper.push(value);
        }
        if let Some(policy) = self.policy.into_inner() {
            policy.take_apart(dropper);
        }
    }
}
