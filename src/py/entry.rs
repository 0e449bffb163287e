//! What a cache with options keeps beside a value: until when it is fresh, when it was last read, what it weighs.
//!
//! A small object of ours takes the value's place in the store. Nobody outside sees one, so the collector is shown the value
//! instead: see the wrapper's traverse.

use crate::core::clock::{NEVER, Time};
use crate::core::expiry::{Age, Terms};
use crate::ffi::{Borrowed, Owned, Result, object};
use crate::shm::{Region, Token};
use pyo3_ffi as py;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// One value with its terms.
#[repr(C)]
pub struct Entry {
    _ob_base: py::PyObject,
    fields: Fields,
}

struct Fields {
    value: Owned,
    terms: EntryTerms,
    /// The entry of a region that it is a copy of.
    token: Option<Token>,
    /// When it was last read, where that matters.
    read: AtomicU64,
    /// Whether somebody computes the value anew while others still get this one.
    refreshing: AtomicBool,
}

/// Until when a value is good, and what it weighs.
#[derive(Clone, Copy)]
pub struct EntryTerms {
    /// Until when it is good.
    pub times: Terms,
    /// What `weigher` said.
    pub weight: u64,
}

/// A stale entry that one caller is to replace.
pub enum StaleEntry {
    /// In this process's memory.
    InMemory(Owned),
    /// In a region.
    InRegion(Token),
}

impl Entry {
    /// An entry of the module's entry type. Runs no Python code.
    pub fn create(kind: Borrowed<'_>, value: Owned, terms: EntryTerms, now: Time) -> Result<Owned> {
        Self::with_token(kind, value, terms, now, None)
    }

    /// As [`Entry::create`], for a value that a region has too.
    pub fn with_token(
        kind: Borrowed<'_>,
        value: Owned,
        terms: EntryTerms,
        now: Time,
        token: Option<Token>,
    ) -> Result<Owned> {
        let fields = Fields { value, terms, token, read: AtomicU64::new(now), refreshing: AtomicBool::new(false) };
        // SAFETY: a field of a fresh entry.
        unsafe { object::plain_instance(kind, fields, std::mem::offset_of!(Self, fields)) }
    }

    /// The entry that this object is.
    ///
    /// # Safety
    /// It was made by [`Entry::create`], and stands for `'a`.
    #[inline(always)]
    pub unsafe fn of<'a>(object: &Owned) -> &'a Self {
        // SAFETY: as the caller says.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    /// The value.
    #[inline(always)]
    pub fn value(&self) -> &Owned {
        &self.fields.value
    }

    /// What it weighs.
    pub fn weight(&self) -> u64 {
        self.fields.terms.weight
    }

    /// When it expires, unless it is not read for too long before.
    pub fn expires(&self) -> Time {
        self.fields.terms.times.stale_until
    }

    /// How good it is at this time.
    #[inline(always)]
    pub fn age(&self, now: Time) -> Age {
        // Relaxed: a number alone.
        self.fields.terms.times.age(now, || self.fields.read.load(Ordering::Relaxed))
    }

    /// The value, if it is fresh, which counts as reading it.
    #[inline(always)]
    pub fn read(&self, now: Time) -> Option<Owned> {
        if self.age(now) != Age::Fresh {
            return None;
        }
        self.touch(now);
        Some(self.fields.value.clone())
    }

    /// The value, if the region still has it and it is fresh, which counts as reading it.
    #[inline(always)]
    pub fn read_shared(&self, region: &Region, now: Time) -> Option<Owned> {
        let terms = &self.fields.terms.times;
        let token = self.fields.token?;
        if !region.check(token) || now >= terms.fresh_until {
            return None;
        }
        // Others may have read it meanwhile, so the region is asked.
        if terms.idle != NEVER && !region.touch(token, terms, now) {
            return None;
        }
        Some(self.fields.value.clone())
    }

    /// Notes that it was read. Writes only when the clock has moved on.
    #[inline(always)]
    pub fn touch(&self, now: Time) {
        // Relaxed: as in `age`.
        if self.fields.terms.times.idle != NEVER && self.fields.read.load(Ordering::Relaxed) != now {
            self.fields.read.store(now, Ordering::Relaxed);
        }
    }

    /// True for the one caller who is to compute the value anew.
    pub fn begin_refresh(&self) -> bool {
        // Relaxed: only who is first matters.
        !self.fields.refreshing.swap(true, Ordering::Relaxed)
    }

    /// That caller failed: another one is to try.
    pub fn give_up_refresh(&self) {
        // Relaxed: as above.
        self.fields.refreshing.store(false, Ordering::Relaxed);
    }
}

unsafe extern "C" fn entry_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<Entry>()).fields };
    // SAFETY: no reference is left.
    unsafe { object::dealloc_plain(object, place) };
}

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    object::plain_type(module, c"tamis._core.entry", size_of::<Entry>(), entry_tp_dealloc)
}
