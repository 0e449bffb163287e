//! What a version has or has not, and how long things are in it.

use pyo3_ffi as py;
use std::ffi::CStr;

/// Whether, on free-threaded builds, the first bit field of `PyASCIIObject.state` is a byte of its own
/// (Include/cpython/unicodeobject.h).
pub const FREE_THREADED_INTERNED_IS_A_BYTE: bool = cfg!(Py_3_14);

/// Whether CPython can be asked to count an object's references lazily, where there is no GIL.
#[allow(dead_code, reason = "for free-threaded builds")]
pub const LAZY_COUNTS: bool = cfg!(Py_3_14);

/// Whether exceptions have notes (PEP 678).
pub const NOTES: bool = cfg!(Py_3_11);

/// The bytes before the characters of a compact string that is not ASCII: `sizeof(PyCompactUnicodeObject)`.
pub const COMPACT_STR_HEAD: usize =
    size_of::<py::PyASCIIObject>() + if cfg!(Py_3_12) { 2 } else { 3 } * size_of::<usize>();

/// What `functools.WRAPPER_ASSIGNMENTS` holds in this version.
pub const WRAPPER_ASSIGNMENTS: &[&CStr] = &[
    c"__module__",
    c"__name__",
    c"__qualname__",
    c"__doc__",
    #[cfg(not(Py_3_14))]
    c"__annotations__",
    #[cfg(Py_3_14)]
    c"__annotate__",
    #[cfg(Py_3_12)]
    c"__type_params__",
];

/// The module slots of this version that say what tamis needs: nothing of the process, and no GIL.
pub const MODULE_SLOTS: &[py::PyModuleDef_Slot] = &[
    #[cfg(Py_3_12)]
    py::PyModuleDef_Slot { slot: py::Py_mod_multiple_interpreters, value: py::Py_MOD_PER_INTERPRETER_GIL_SUPPORTED },
    #[cfg(Py_3_13)]
    py::PyModuleDef_Slot { slot: py::Py_mod_gil, value: py::Py_MOD_GIL_NOT_USED },
];

/// `sys.int_info.bits_per_digit`; `layouts.rs` checks it.
pub const DIGIT_BITS: u32 = 30;
