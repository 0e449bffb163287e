//! The type of mappings.

use crate::ffi::{Borrowed, Owned, Raised, Result, call, method_table, types};
use crate::py::cache::Cache;
use crate::py::mapping::methods;
use crate::py::mapping::object::{Mapping, mapping_tp_clear, mapping_tp_dealloc, mapping_tp_new, mapping_tp_traverse};
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn mapping_tp_init(
    object: *mut py::PyObject,
    args: *mut py::PyObject,
    keywords: *mut py::PyObject,
) -> c_int {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: the tuple of the call's arguments.
    let args = unsafe { Borrowed::from_ptr(args) };
    // SAFETY: the dict of the call's keyword arguments, and not null.
    let keywords = (!keywords.is_null()).then(|| unsafe { Borrowed::from_ptr(keywords) });
    call::to_status(this.init(args, keywords))
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn mapping_tp_iter(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a mapping, held by the caller.
    call::to_slot(unsafe { Mapping::of(object) }.iterate())
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn mapping_mp_length(object: *mut py::PyObject) -> py::Py_ssize_t {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    let _alive = this.as_object().to_owned();
    this.cache().and_then(Cache::good_len).map_or(-1, |len| len as py::Py_ssize_t)
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn mapping_mp_subscript(object: *mut py::PyObject, key: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: the slot's own argument.
    let key = unsafe { Borrowed::from_ptr(key) };
    match this.hit(key) {
        Some(value) => value.into_ptr(),
        None => call::to_slot(this.subscript(key)),
    }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn mapping_mp_ass_subscript(
    object: *mut py::PyObject,
    key: *mut py::PyObject,
    value: *mut py::PyObject,
) -> c_int {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: the slot's own argument.
    let key = unsafe { Borrowed::from_ptr(key) };
    if value.is_null() {
        return call::to_status(this.take(key).and_then(|taken| taken.map(drop).ok_or_else(|| Raised::key_error(key))));
    }
    // SAFETY: the slot's own argument, and not null.
    call::to_status(this.set(key, unsafe { Borrowed::from_ptr(value) }))
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn mapping_sq_contains(object: *mut py::PyObject, key: *mut py::PyObject) -> c_int {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: the slot's own argument.
    this.contains(unsafe { Borrowed::from_ptr(key) }).map_or(-1, c_int::from)
}

/// `SieveCacheBase.__doc__`, with the signature that subclasses have too.
const DOC: &CStr = c"SieveCacheBase(maxsize, *, ttl=None, weigher=None, maxweight=None, on_evict=None)\n--\n\n\
    What tamis.SieveCache is made of.";

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let mut members = [
        method_table::member(c"__weaklistoffset__", std::mem::offset_of!(Mapping, weakrefs)),
        // SAFETY: a table of C pointers and numbers, for which zero ends the list.
        unsafe { std::mem::zeroed() },
    ];
    let slot = |slot: c_int, pfunc: *mut c_void| py::PyType_Slot { slot, pfunc };
    let mut slots = [
        slot(py::Py_tp_doc, DOC.as_ptr().cast_mut().cast()),
        slot(py::Py_tp_new, mapping_tp_new as *mut c_void),
        slot(py::Py_tp_init, mapping_tp_init as *mut c_void),
        slot(py::Py_tp_dealloc, mapping_tp_dealloc as *mut c_void),
        slot(py::Py_tp_traverse, mapping_tp_traverse as *mut c_void),
        slot(py::Py_tp_clear, mapping_tp_clear as *mut c_void),
        slot(py::Py_tp_iter, mapping_tp_iter as *mut c_void),
        slot(py::Py_mp_length, mapping_mp_length as *mut c_void),
        slot(py::Py_mp_subscript, mapping_mp_subscript as *mut c_void),
        slot(py::Py_mp_ass_subscript, mapping_mp_ass_subscript as *mut c_void),
        slot(py::Py_sq_contains, mapping_sq_contains as *mut c_void),
        slot(py::Py_tp_members, members.as_mut_ptr().cast()),
        slot(py::Py_tp_methods, methods::METHODS.as_slot()),
        slot(py::Py_tp_getset, methods::ATTRIBUTES.as_slot()),
        slot(0, ptr::null_mut()),
    ];
    let flags =
        py::Py_TPFLAGS_DEFAULT | py::Py_TPFLAGS_HAVE_GC | py::Py_TPFLAGS_BASETYPE | py::Py_TPFLAGS_IMMUTABLETYPE;
    types::type_from_slots(module, c"tamis._core.SieveCacheBase", size_of::<Mapping>(), flags, &mut slots)
}
