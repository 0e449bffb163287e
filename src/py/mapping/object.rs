//! A mapping as an object: what it holds, and how that is visited and dropped.

use crate::core::hash::Hash;
use crate::ffi::dropper::Dropper;
use crate::ffi::method_table::Receiver;
use crate::ffi::{Borrowed, CallArgs, Raised, Result, to_slot, types};
use crate::py::cache::Cache;
use crate::py::cache::flights::Flights;
use crate::py::key;
use crate::py::key::KeyKind;
use crate::state::State;
use pyo3_ffi as py;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

/// A mapping. What CPython writes to lies in a cell.
#[repr(C)]
pub struct Mapping {
    _ob_base: UnsafeCell<py::PyObject>,
    pub(super) parts: UnsafeCell<Parts>,
    pub(super) weakrefs: UnsafeCell<*mut py::PyObject>,
}

/// Taken out by the collector alone, of garbage that nobody calls.
pub(super) struct Parts {
    /// Filled by `__init__`.
    pub(super) cache: OnceLock<Cache>,
    /// What is being computed, once `get_or_compute` was called.
    pub(super) flights: OnceLock<Flights>,
    /// How many calls another one's computation has answered.
    pub(super) coalesced: AtomicU64,
}

impl Parts {
    const fn new() -> Self {
        Self { cache: OnceLock::new(), flights: OnceLock::new(), coalesced: AtomicU64::new(0) }
    }
}

const NOT_MADE: &CStr = c"SieveCache.__init__() has not been called";

impl Mapping {
    /// # Safety
    /// The object is a live mapping, and the caller holds it for `'a`.
    #[inline(always)]
    pub(super) unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        // SAFETY: as the caller says.
        unsafe { &*object.cast::<Self>() }
    }

    #[inline(always)]
    pub(super) fn as_object(&self) -> Borrowed<'_> {
        // SAFETY: this is a live object, held by whoever holds the borrow.
        unsafe { Borrowed::from_ptr(ptr::from_ref(self).cast_mut().cast()) }
    }

    #[inline(always)]
    pub(super) fn parts(&self) -> &Parts {
        // SAFETY: written in `mapping_tp_clear` alone, of garbage that nobody calls.
        unsafe { &*self.parts.get() }
    }

    #[inline(always)]
    pub(super) fn cache(&self) -> Result<&Cache> {
        self.parts().cache.get().ok_or_else(|| Raised::type_error(NOT_MADE))
    }

    /// The type of mappings, if a class is it or a subclass of it.
    pub(super) fn base_of(class: Borrowed<'_>) -> Option<Borrowed<'_>> {
        const OURS: py::destructor = mapping_tp_dealloc;
        // SAFETY: a live object.
        if unsafe { py::PyType_Check(class.as_ptr()) } == 0 {
            return None;
        }
        let mut kind = class.as_ptr().cast::<py::PyTypeObject>();
        // The chain of bases leads over the type that gives the instances their layout. No other type has our function.
        while !kind.is_null() {
            // SAFETY: a live type, which holds its bases.
            if unsafe { (*kind).tp_dealloc }.map(|dealloc| dealloc as usize) == Some(OURS as usize) {
                // SAFETY: as above.
                return Some(unsafe { Borrowed::from_ptr(kind.cast()) });
            }
            // SAFETY: as above.
            kind = unsafe { (*kind).tp_base };
        }
        None
    }

    /// The module's state. The object's type may be a subclass that is no type of this module.
    pub(super) fn state(&self) -> Result<&State> {
        // SAFETY: a live object's type is live.
        let class = unsafe { Borrowed::from_ptr(self.as_object().type_ptr().cast()) };
        let Some(kind) = Self::base_of(class) else { unreachable!("a mapping is an instance of this type") };
        State::of_type(kind)
    }

    /// Runs `work` with the key as an argument, and its hash. Reenters: `__hash__`, which may take the caller's references
    /// away, and as `work` does.
    #[inline(always)]
    pub(super) fn with_key<R>(
        &self,
        key: Borrowed<'_>,
        work: impl FnOnce(&CallArgs<'_>, Hash) -> Result<R>,
    ) -> Result<R> {
        let _alive = self.as_object().to_owned();
        let held = key.to_owned();
        let values = [held.borrow()];
        let args = CallArgs::of_positional(&values);
        let hash = key::hash::hash(&args, KeyKind::Item)?;
        work(&args, hash)
    }

    pub(super) fn flights(&self) -> Result<&Flights> {
        let flights = &self.parts().flights;
        if flights.get().is_none() {
            // Whoever comes second drops their own.
            drop(flights.set(Flights::new(self.state()?)?));
        }
        flights.get().ok_or_else(|| Raised::type_error(NOT_MADE))
    }
}

// SAFETY: no other conditions.
unsafe impl<'a> Receiver<'a> for &'a Mapping {
    unsafe fn of(object: Borrowed<'a>) -> Self {
        // SAFETY: a mapping, held for `'a`, as the caller says.
        unsafe { Mapping::of(object.as_ptr()) }
    }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub(super) unsafe extern "C" fn mapping_tp_new(
    kind: *mut py::PyTypeObject,
    _args: *mut py::PyObject,
    _keywords: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    let kind = unsafe { Borrowed::from_ptr(kind.cast()) };
    // SAFETY: a ready type, this one or a subclass, of whose fresh instance nobody else knows.
    let made = unsafe { types::allocate(kind) };
    to_slot(made.inspect(|object| {
        let this = object.as_ptr().cast::<Mapping>();
        // SAFETY: an object of this type.
        let place = unsafe { &raw mut (*this).parts };
        // SAFETY: as above. The other fields are zero, as they should be.
        unsafe { place.write(UnsafeCell::new(Parts::new())) };
    }))
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub(super) unsafe extern "C" fn mapping_tp_traverse(
    object: *mut py::PyObject,
    visit: py::visitproc,
    arg: *mut c_void,
) -> c_int {
    let visit = |object: *mut py::PyObject| {
        // SAFETY: the collector's own function and argument; it is shown live objects alone.
        if object.is_null() { 0 } else { unsafe { visit(object, arg) } }
    };
    // SAFETY: a mapping.
    let this = unsafe { Mapping::of(object) };
    // An instance shows its type (since 3.9).
    match visit(this.as_object().type_ptr().cast()) {
        0 => this.parts().cache.get().map_or(0, |cache| cache.visit(visit)),
        stop => stop,
    }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub(super) unsafe extern "C" fn mapping_tp_clear(object: *mut py::PyObject) -> c_int {
    // SAFETY: a mapping.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: nobody is inside a method of garbage.
    let Parts { cache, flights, .. } = unsafe { this.parts.get().replace(Parts::new()) };
    let mut dropper = Dropper::new();
    if let Some(cache) = cache.into_inner() {
        cache.take_apart(&mut dropper);
    }
    drop(flights);
    0
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub(super) unsafe extern "C" fn mapping_tp_dealloc(object: *mut py::PyObject) {
    let clear = || {
        // SAFETY: a mapping, to which no reference is left.
        unsafe { mapping_tp_clear(object) };
    };
    // SAFETY: as above. What `mapping_tp_clear` leaves behind needs no drop.
    unsafe { types::dealloc_referenced(object, clear) };
}
