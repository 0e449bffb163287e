//! Types of ours, and their instances.

use super::thread::with_exception_aside;
use super::{Borrowed, Owned, Result};
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};

/// A type of ours, for one interpreter, whose instances only we make: of such a size, given back by such a function.
pub fn plain_type(module: Borrowed<'_>, name: &'static CStr, size: usize, dealloc: py::destructor) -> Result<Owned> {
    plain_type_with(module, name, size, dealloc, &[])
}

/// As [`plain_type`], with more slots. With `tp_traverse` among them the collector knows the instances; what they hold never
/// changes, so that others in a cycle through them have to let go.
pub fn plain_type_with(
    module: Borrowed<'_>,
    name: &'static CStr,
    size: usize,
    dealloc: py::destructor,
    more: &[(c_int, *mut c_void)],
) -> Result<Owned> {
    let mut slots: Vec<_> = more.iter().map(|&(slot, pfunc)| py::PyType_Slot { slot, pfunc }).collect();
    slots.push(py::PyType_Slot { slot: py::Py_tp_dealloc, pfunc: dealloc as *mut c_void });
    slots.push(py::PyType_Slot { slot: 0, pfunc: std::ptr::null_mut() });
    let mut flags = py::Py_TPFLAGS_DEFAULT | py::Py_TPFLAGS_IMMUTABLETYPE | py::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    if more.iter().any(|&(slot, _)| slot == py::Py_tp_traverse) {
        flags |= py::Py_TPFLAGS_HAVE_GC;
    }
    type_from_slots(module, name, size, flags, &mut slots)
}

/// A type of the module, for one interpreter. The slots end with one that is zero, and lead to whole tables.
pub fn type_from_slots(
    module: Borrowed<'_>,
    name: &'static CStr,
    size: usize,
    flags: std::ffi::c_ulong,
    slots: &mut [py::PyType_Slot],
) -> Result<Owned> {
    debug_assert!(slots.last().is_some_and(|last| last.slot == 0));
    let mut spec = py::PyType_Spec {
        name: name.as_ptr(),
        basicsize: size as c_int,
        itemsize: 0,
        flags: flags as std::ffi::c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the tables are whole; those that are not static are copied before the call returns.
    let pointer = unsafe { py::PyType_FromModuleAndSpec(module.as_ptr(), &raw mut spec, std::ptr::null_mut()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// A fresh instance of a type of ours or of a subclass. All of it but the head is zero. Runs no Python code.
///
/// # Safety
/// A ready type, whose instances may be all zero as long as nobody else knows them.
pub unsafe fn allocate(kind: Borrowed<'_>) -> Result<Owned> {
    // SAFETY: a ready type, as the caller says.
    let object = unsafe { py::PyType_GenericAlloc(kind.as_ptr().cast(), 0) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(object) }
}

/// Frees the memory of an instance of a type of ours, of which nothing is left to drop but its reference to its type. That is handed
/// out, so that the type stands for as long as what the instance held is dropped.
///
/// # Safety
/// No reference to the object is left, and nothing uses it any more.
pub unsafe fn free(object: *mut py::PyObject) -> Owned {
    // SAFETY: still a whole object.
    let kind = unsafe { py::Py_TYPE(object) };
    // SAFETY: a live type.
    if unsafe { py::PyType_HasFeature(kind, py::Py_TPFLAGS_HAVE_GC) } != 0 {
        // SAFETY: of such a type, by which the collector knows the object.
        unsafe { py::PyObject_GC_UnTrack(object.cast()) };
        // SAFETY: as the caller says.
        return unsafe { free_untracked(object) };
    }
    // SAFETY: memory of `PyType_GenericAlloc` of a type without that flag.
    unsafe { py::PyObject_Free(object.cast()) };
    // SAFETY: an object of a heap type holds a reference to its type.
    unsafe { Owned::from_ptr(kind.cast()) }
}

/// [`free`] for an instance that the collector knew and knows no more.
///
/// # Safety
/// As there.
#[inline]
pub unsafe fn free_untracked(object: *mut py::PyObject) -> Owned {
    // SAFETY: still a whole object.
    let kind = unsafe { py::Py_TYPE(object) };
    // SAFETY: memory of `PyType_GenericAlloc` of a type with the collector's flag.
    unsafe { py::PyObject_GC_Del(object.cast()) };
    // SAFETY: an object of a heap type holds a reference to its type.
    unsafe { Owned::from_ptr(kind.cast()) }
}

/// `tp_dealloc` of types that the collector knows and whose instances can be weakly referenced: clears the references to the object,
/// has `drop_fields` drop what it holds, and frees it. Reenters: callbacks of weak references, while the object is still whole, and
/// as `drop_fields` does.
///
/// # Safety
/// No reference to the object is left. After `drop_fields` nothing in it needs a drop but the reference to its type.
pub unsafe fn dealloc_referenced(object: *mut py::PyObject, drop_fields: impl FnOnce()) {
    // SAFETY: an object that the collector knows, whether it tracks it or not.
    unsafe { py::PyObject_GC_UnTrack(object.cast()) };
    // SAFETY: a whole object.
    unsafe { py::PyObject_ClearWeakRefs(object) };
    with_exception_aside(drop_fields);
    // SAFETY: as the caller says.
    drop(unsafe { free_untracked(object) });
}

/// An instance of a [`plain_type`], with its fields at such an offset. Runs no Python code.
///
/// # Safety
/// The fields lie within the type's size, and are what its functions expect there.
pub unsafe fn plain_instance<F>(kind: Borrowed<'_>, fields: F, offset: usize) -> Result<Owned> {
    // SAFETY: a ready type of ours.
    let object = unsafe { allocate(kind) }?;
    // SAFETY: within the object, as the caller says.
    let place = unsafe { object.as_ptr().byte_add(offset) }.cast::<F>();
    // SAFETY: a fresh object of this type, which nobody else knows yet; the memory is zero and owns nothing.
    unsafe { place.write(fields) };
    Ok(object)
}

/// Gives back an instance of a [`plain_type`], and drops its fields. Reenters: as that does.
///
/// # Safety
/// No reference to the object is left, and `place` points to its fields.
pub unsafe fn dealloc_plain<F>(object: *mut py::PyObject, place: *const F) {
    // SAFETY: nobody else reaches the fields; they are not used any more where they lie.
    let fields = unsafe { place.read() };
    // SAFETY: no reference is left, as the caller says, and the fields are out.
    let kind = unsafe { free(object) };
    drop(fields);
    drop(kind);
}

/// Shows the collector the type of an instance of a [`plain_type`], and these objects, of which some may be null.
///
/// # Safety
/// A live instance, live objects, and the collector's own function and argument.
pub unsafe fn traverse_plain(
    object: *mut py::PyObject,
    held: &[*mut py::PyObject],
    visit: py::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: a live object.
    let kind = unsafe { py::Py_TYPE(object) }.cast();
    let all = std::iter::once(kind).chain(held.iter().copied()).filter(|object| !object.is_null());
    // SAFETY: as the caller says.
    all.map(|object| unsafe { visit(object, arg) }).find(|&stop| stop != 0).unwrap_or(0)
}
