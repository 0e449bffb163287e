//! What a cache with options keeps beside a value: until when it is fresh, when it was last read, what it weighs.
//!
//! A small object of ours takes the value's place in the store. Nobody outside sees one, so the collector is shown the value
//! instead: see the wrapper's traverse.

use crate::backend::{Backend, Words};
use crate::core::clock::{NEVER, Time, after};
use crate::core::expiry::{Age, Terms};
use crate::ffi::{Borrowed, Owned, Result, types};
use crate::state::State;
use pyo3_ffi as py;
use std::ops::Deref;
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
    /// Before this it is fresh: the first of `terms`, which moves where computing it anew has failed.
    fresh_until: AtomicU64,
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
    /// The version of a tier's entry that it is a copy of, or the ticket with which it was copied: in near caches alone.
    pub version: Words,
}

/// The type of entries, of one interpreter.
pub struct EntryType(Owned);

impl EntryType {
    /// That of this module.
    pub fn of(state: &State) -> Self {
        Self(state.types.entry.clone())
    }

    /// A new entry. Runs no Python code.
    pub fn create(&self, value: Owned, terms: EntryTerms, now: Time) -> Result<EntryRef> {
        let (fresh_until, read) = (AtomicU64::new(terms.times.fresh_until), AtomicU64::new(now));
        let fields = Fields { value, terms, fresh_until, read, refreshing: AtomicBool::new(false) };
        let offset = std::mem::offset_of!(Entry, fields);
        // SAFETY: the type that `make_type` has made, and the field of its instances.
        unsafe { types::plain_instance(self.0.borrow(), fields, offset) }.map(EntryRef)
    }

    /// The entry that this object is, if it is one.
    pub fn entry_of(&self, object: Owned) -> Option<EntryRef> {
        (object.borrow().type_ptr().cast() == self.0.as_ptr()).then_some(EntryRef(object))
    }
}

/// A reference to an entry.
pub struct EntryRef(Owned);

impl EntryRef {
    /// As a store takes it.
    pub fn into_object(self) -> Owned {
        self.0
    }

    /// Whether this object is that entry.
    pub fn is(&self, object: &Owned) -> bool {
        self.0.as_ptr() == object.as_ptr()
    }
}

impl Deref for EntryRef {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        // SAFETY: `EntryType` makes these, of objects of this type, and the reference holds it.
        unsafe { Entry::of(&self.0) }
    }
}

/// An entry past its time that a caller is to replace.
pub struct StaleEntry {
    /// What it is.
    pub place: StalePlace,
    /// Whether this caller alone is to replace it, and gives that up in the end.
    claimed: bool,
}

/// Where such an entry is.
pub enum StalePlace {
    /// In this process's memory.
    InMemory(EntryRef),
    /// In a tier: this version of it. With its value and its terms where these are of use.
    InTier(Words, Option<(Owned, Terms)>),
}

impl StaleEntry {
    /// One that this caller alone is to replace.
    pub fn claimed(place: StalePlace) -> Self {
        Self { place, claimed: true }
    }

    /// One that everybody who calls is to replace.
    pub fn unclaimed(place: StalePlace) -> Self {
        Self { place, claimed: false }
    }

    /// Whether this caller alone is to replace it.
    pub fn is_claimed(&self) -> bool {
        self.claimed
    }

    /// The caller has failed: if the entry is still there, another one is to try. `in_tier` tells the tier so.
    pub fn give_up_refresh(&self, in_tier: impl FnOnce(Words)) {
        match &self.place {
            _ if !self.claimed => {}
            StalePlace::InMemory(entry) => entry.give_up_refresh(),
            StalePlace::InTier(version, _) => in_tier(*version),
        }
    }
}

impl Entry {
    /// The entry that this object is.
    ///
    /// # Safety
    /// It was made by [`EntryType::create`], and stands for `'a`. So are all values in the store of a cache with options.
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

    /// What a near cache knows it by in its tier.
    #[inline(always)]
    pub fn version(&self) -> Words {
        self.fields.terms.version
    }

    /// Until when it is good, as of now.
    #[inline(always)]
    pub fn times(&self) -> Terms {
        // Relaxed: a number alone.
        Terms { fresh_until: self.fields.fresh_until.load(Ordering::Relaxed), ..self.fields.terms.times }
    }

    /// It could not be computed anew: it is fresh until then, but not longer than it is to be used at all.
    pub fn prolong(&self, fresh_until: Time) {
        // Relaxed: as in `times`.
        self.fields.fresh_until.store(fresh_until.min(self.expires()), Ordering::Relaxed);
    }

    /// When it expires, unless it is not read for too long before.
    pub fn expires(&self) -> Time {
        self.fields.terms.times.stale_until
    }

    /// When it expires if nobody reads it.
    pub fn expires_unless_read(&self) -> Time {
        // Relaxed: as in `age`.
        after(self.fields.read.load(Ordering::Relaxed), self.fields.terms.times.idle).min(self.expires())
    }

    /// What it weighs, and when it expires.
    pub fn weight_and_expiry(&self) -> (u64, Time) {
        (self.weight(), self.expires())
    }

    /// How good it is at this time.
    #[inline(always)]
    pub fn age(&self, now: Time) -> Age {
        // Relaxed: a number alone.
        self.times().age(now, || self.fields.read.load(Ordering::Relaxed))
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

    /// The value, if the tier still has it and it is fresh, which counts as reading it. For entries of near caches.
    #[inline(always)]
    pub fn read_near<B: Backend>(&self, backend: &B, now: Time) -> Option<Owned> {
        let terms = &self.fields.terms.times;
        let version = B::Version::from(self.version());
        if !backend.stands(version) || now >= terms.fresh_until {
            return None;
        }
        // Others may have read it meanwhile, so the backend is asked.
        if terms.idle != NEVER && !backend.touch(version, terms, now) {
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

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn entry_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<Entry>()).fields };
    // SAFETY: no reference is left.
    unsafe { types::dealloc_plain(object, place) };
}

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    types::plain_type(module, c"tamis._core.entry", size_of::<Entry>(), entry_tp_dealloc)
}
