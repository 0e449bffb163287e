//! Reference counts without the GIL: a count of the owning thread's own, and one that all others share (PEP 703;
//! Include/refcount.h). pyo3-ffi calls CPython for each; here they are in line.

use crate::ffi::compat::thread_id;
use pyo3_ffi as py;
use std::ffi::c_int;
use std::sync::atomic::{AtomicIsize, AtomicU32, AtomicUsize, Ordering};

unsafe extern "C" {
    /// Include/refcount.h; pyo3-ffi leaves them out.
    fn _Py_DecRefShared(object: *mut py::PyObject);
    fn _Py_MergeZeroLocalRefcount(object: *mut py::PyObject);
    /// Include/cpython/object.h, from 3.14 on.
    pub fn PyUnstable_Object_EnableDeferredRefcount(object: *mut py::PyObject) -> c_int;
}

/// `_Py_IMMORTAL_REFCNT_LOCAL`
pub const IMMORTAL: u32 = u32::MAX;
/// `_Py_REF_SHARED_SHIFT`: the flags below a shared count.
pub const SHARED_SHIFT: u32 = 2;

/// The count of the owning thread's own.
///
/// # Safety
/// A live object.
#[inline(always)]
pub unsafe fn local<'a>(object: *mut py::PyObject) -> &'a AtomicU32 {
    // SAFETY: a live object's head.
    unsafe { &(*object).ob_ref_local }
}

/// The count that all others share, above its flags.
///
/// # Safety
/// A live object.
#[inline(always)]
pub unsafe fn shared<'a>(object: *mut py::PyObject) -> &'a AtomicIsize {
    // SAFETY: a live object's head.
    unsafe { &(*object).ob_ref_shared }
}

/// # Safety
/// A live object.
#[inline(always)]
unsafe fn owner(object: *mut py::PyObject) -> usize {
    // SAFETY: a live object's head.
    let place = unsafe { &raw mut (*object).ob_tid };
    // SAFETY: as above; others may write it meanwhile.
    let owner = unsafe { AtomicUsize::from_ptr(place) };
    // Relaxed: it is this thread's id, or it will not become it.
    owner.load(Ordering::Relaxed)
}

/// Whether the object belongs to another thread than the one that asks, as far as that can be told.
///
/// # Safety
/// A live object.
pub unsafe fn is_foreign(object: *mut py::PyObject) -> bool {
    // SAFETY: a live object, as the caller says.
    thread_id().is_some_and(|id| unsafe { owner(object) } != id)
}

/// Whether the reference that this object is known by is the only one, and this thread's. Other threads may ask the same at the
/// same time, of the same reference; of them one at most owns the object.
///
/// # Safety
/// A live object.
#[inline(always)]
pub unsafe fn is_only_reference(object: *mut py::PyObject) -> bool {
    // Relaxed: where this thread is the owner, others leave the count alone; one that had a reference and dropped it did so by
    // `shared`, with CPython's own orderings.
    // SAFETY: a live object.
    thread_id().is_some_and(|id| unsafe { owner(object) } == id)
        // SAFETY: as above.
        && unsafe { local(object) }.load(Ordering::Relaxed) == 1
        // Acquire: pairs with the release of whoever dropped a reference, whose writes are to be seen.
        // SAFETY: as above.
        && unsafe { shared(object) }.load(Ordering::Acquire) == 0
}

/// `Py_INCREF`
///
/// # Safety
/// A live object, on an attached thread.
#[inline(always)]
pub unsafe fn incref(object: *mut py::PyObject) {
    let Some(id) = thread_id() else {
        // SAFETY: as the caller says.
        return unsafe { py::Py_INCREF(object) };
    };
    // SAFETY: a live object.
    let local = unsafe { local(object) };
    // Relaxed: only the owner changes it, or it is immortal for ever.
    let more = local.load(Ordering::Relaxed).wrapping_add(1);
    if more == 0 {
        return;
    }
    // SAFETY: a live object.
    if unsafe { owner(object) } == id {
        local.store(more, Ordering::Relaxed);
    } else {
        // Relaxed: somebody holds a reference already.
        // SAFETY: a live object.
        unsafe { shared(object) }.fetch_add(1 << SHARED_SHIFT, Ordering::Relaxed);
    }
}

/// `Py_DECREF`. Reenters with the last reference: finalizers.
///
/// # Safety
/// The caller's own reference to a live object, given up, on an attached thread.
#[inline(always)]
pub unsafe fn decref(object: *mut py::PyObject) {
    let Some(id) = thread_id() else {
        // SAFETY: as the caller says.
        return unsafe { py::Py_DECREF(object) };
    };
    // SAFETY: a live object.
    let local = unsafe { local(object) };
    // Relaxed: as in `incref`.
    let count = local.load(Ordering::Relaxed);
    if count == IMMORTAL {
        return;
    }
    // SAFETY: a live object.
    if unsafe { owner(object) } != id {
        // SAFETY: the caller's reference.
        return unsafe { _Py_DecRefShared(object) };
    }
    local.store(count - 1, Ordering::Relaxed);
    if count == 1 {
        // SAFETY: the owner has no reference left.
        unsafe { _Py_MergeZeroLocalRefcount(object) };
    }
}
