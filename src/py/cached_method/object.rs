//! A cached method as an object: what it holds, and how that is visited and freed.

use crate::ffi::dropper::Dropper;
use crate::ffi::method_table::Receiver;
use crate::ffi::{Borrowed, Owned, Raised, Result, types};
use crate::py::cache::capacity::Bound;
use crate::py::cached_method::caches::Caches;
use crate::state::State;
use pyo3_ffi as py;
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::ptr;

/// A cached method, as it lies in its class.
#[repr(C)]
pub struct CachedMethod {
    ob_base: UnsafeCell<py::PyObject>,
    pub(super) vectorcall: py::vectorcallfunc,
    /// None once the collector has taken this object apart, or before it was made.
    pub(super) parts: UnsafeCell<Option<Box<Parts>>>,
    pub(super) dict: UnsafeCell<*mut py::PyObject>,
    pub(super) weakrefs: UnsafeCell<*mut py::PyObject>,
}

/// What is in the order of `method_tp_traverse`.
pub(super) struct Parts {
    /// The cache of each instance, under its number.
    pub(super) caches: Caches,
    pub(super) function: Owned,
    pub(super) bound: Bound,
    pub(super) typed: Owned,
    pub(super) given: Owned,
    /// Whether the function is a coroutine function.
    pub(super) coroutine: bool,
}

impl CachedMethod {
    /// # Safety
    /// The object is a live method.
    #[inline(always)]
    pub(super) unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        // SAFETY: as the caller says, held by whoever called the slot function until that returns.
        unsafe { &*object.cast::<Self>() }
    }

    /// The object as a cached method, if it is one.
    pub fn from_object<'a>(state: &State, object: Borrowed<'a>) -> Option<&'a Self> {
        let kind = object.type_ptr().cast();
        let is_one = kind == state.types.method.as_ptr() || kind == state.types.coroutine_method.as_ptr();
        // SAFETY: nobody can derive from the types.
        is_one.then(|| unsafe { Self::of(object.as_ptr()) })
    }

    pub(super) fn as_object(&self) -> Borrowed<'_> {
        // SAFETY: a live object, held by whoever holds the borrow.
        unsafe { Borrowed::from_ptr(ptr::from_ref(self).cast_mut().cast()) }
    }

    #[inline(always)]
    pub(super) fn parts(&self) -> Result<&Parts> {
        // SAFETY: written when it is made, and in `method_tp_clear`, of garbage that nobody calls.
        match unsafe { &*self.parts.get() } {
            Some(parts) => Ok(parts),
            None => Err(Raised::type_error(c"this cached method is being taken apart")),
        }
    }
}

// SAFETY: no other conditions.
unsafe impl<'a> Receiver<'a> for &'a CachedMethod {
    unsafe fn of(object: Borrowed<'a>) -> Self {
        // SAFETY: a method, held for `'a`, as the caller says.
        unsafe { CachedMethod::of(object.as_ptr()) }
    }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub(super) unsafe extern "C" fn method_tp_traverse(
    object: *mut py::PyObject,
    visit: py::visitproc,
    arg: *mut c_void,
) -> c_int {
    let visit = |object: *mut py::PyObject| {
        // SAFETY: the collector's own function and argument; it is shown live objects alone.
        if object.is_null() { 0 } else { unsafe { visit(object, arg) } }
    };
    // SAFETY: a method.
    let this = unsafe { CachedMethod::of(object) };
    // SAFETY: nobody writes the field now.
    if let Some(parts) = unsafe { &*this.parts.get() } {
        let stop = parts.caches.visit(|cache| visit(cache.as_ptr()));
        if stop != 0 {
            return stop;
        }
        for held in [&parts.function, &parts.typed, &parts.given] {
            let stop = visit(held.as_ptr());
            if stop != 0 {
                return stop;
            }
        }
    }
    // SAFETY: CPython's own field, read while nobody else runs.
    let dict = unsafe { *this.dict.get() };
    // An instance shows its type (since 3.9).
    match visit(this.as_object().type_ptr().cast()) {
        0 => visit(dict),
        stop => stop,
    }
}

fn drop_parts(parts: Option<Box<Parts>>) {
    let Some(parts) = parts else { return };
    let Parts { caches, function, typed, given, .. } = *parts;
    let mut dropper = Dropper::new();
    caches.take_apart(&mut dropper);
    [function, typed, given].into_iter().for_each(|held| dropper.push(held));
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub(super) unsafe extern "C" fn method_tp_clear(object: *mut py::PyObject) -> c_int {
    // SAFETY: a method.
    let this = unsafe { CachedMethod::of(object) };
    // SAFETY: nobody is inside a call of garbage.
    let parts = unsafe { (*this.parts.get()).take() };
    // SAFETY: CPython's own field, of an object that is garbage.
    let dict = unsafe { this.dict.get().replace(ptr::null_mut()) };
    drop_parts(parts);
    // SAFETY: the method's own reference, or null.
    unsafe { py::Py_XDECREF(dict) };
    0
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub(super) unsafe extern "C" fn method_tp_dealloc(object: *mut py::PyObject) {
    let clear = || {
        // SAFETY: a method, to which no reference is left.
        unsafe { method_tp_clear(object) };
    };
    // SAFETY: as above. What `method_tp_clear` leaves behind needs no drop.
    unsafe { types::dealloc_referenced(object, clear) };
}
