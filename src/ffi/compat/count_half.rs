//! Reference counts from 3.12 on, with the GIL and 64-bit pointers: 32 bits of the field count, and an object whose count
//! is negative is immortal (Include/refcount.h, PEP 683).
//!
//! CPython writes 32 bits when it counts up. To read all 64 just after that, as pyo3-ffi does, makes the processor wait
//! until the write has reached the cache: no load can take its bytes from a store that has only some of them.

use pyo3_ffi as py;

unsafe extern "C" {
    /// Include/object.h; pyo3-ffi keeps it to itself.
    fn _Py_Dealloc(object: *mut py::PyObject);
}

/// An object begins with its count.
#[inline(always)]
const fn place(object: *mut py::PyObject) -> *mut u32 {
    object.cast::<u32>().wrapping_add(if cfg!(target_endian = "big") { 1 } else { 0 })
}

/// Writes a count as wide as the interpreter reads it next: all 64 bits in 3.12 and 3.13, whose `Py_DECREF` counts down
/// the whole field (the upper half of a mortal object's is zero), and 32 from 3.14 on.
///
/// # Safety
/// A live object that is not immortal, on an attached thread.
#[inline(always)]
unsafe fn set(object: *mut py::PyObject, count: u32) {
    if cfg!(Py_3_14) {
        // SAFETY: an object begins with its count.
        unsafe { place(object).write(count) };
    } else {
        // SAFETY: as above.
        unsafe { object.cast::<u64>().write(u64::from(count)) };
    }
}

/// `Py_INCREF`
///
/// # Safety
/// A live object, on an attached thread.
#[inline(always)]
pub unsafe fn incref(object: *mut py::PyObject) {
    // SAFETY: a live object begins with its count.
    let count = unsafe { place(object).read() };
    if (count as i32) < 0 {
        return;
    }
    // SAFETY: as above.
    unsafe { set(object, count + 1) };
}

/// `Py_DECREF`. Reenters with the last reference: finalizers.
///
/// # Safety
/// The caller's own reference to a live object, given up, on an attached thread.
#[inline(always)]
pub unsafe fn decref(object: *mut py::PyObject) {
    // SAFETY: a live object begins with its count.
    let count = unsafe { place(object).read() };
    if (count as i32) < 0 {
        return;
    }
    // SAFETY: as above.
    unsafe { set(object, count - 1) };
    if count == 1 {
        // SAFETY: that was the last reference.
        unsafe { _Py_Dealloc(object) };
    }
}
