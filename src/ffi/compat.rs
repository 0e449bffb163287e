//! Everything that differs between CPython's versions: layouts that its headers have as inline functions, and names.

use pyo3_ffi as py;
use std::ffi::CStr;

#[cfg(not(Py_3_12))]
#[path = "compat/int_size.rs"]
mod int;
#[cfg(Py_3_12)]
#[path = "compat/int_tag.rs"]
mod int;

#[cfg(not(all(Py_3_12, target_pointer_width = "64", not(py_sys_config = "Py_REF_DEBUG"))))]
#[path = "compat/count_ffi.rs"]
#[allow(unused_imports, reason = "free-threaded builds count otherwise")]
pub mod count;
#[cfg(all(Py_3_12, target_pointer_width = "64", not(py_sys_config = "Py_REF_DEBUG")))]
#[path = "compat/count_half.rs"]
#[allow(dead_code, reason = "free-threaded builds count otherwise")]
pub mod count;

#[cfg(not(Py_3_13))]
#[path = "compat/finalizing_underscore.rs"]
mod finalizing;
#[cfg(Py_3_13)]
#[path = "compat/finalizing_public.rs"]
mod finalizing;

#[cfg(not(Py_3_12))]
#[path = "compat/raise_triple.rs"]
mod raising;
#[cfg(Py_3_12)]
#[path = "compat/raise_one.rs"]
mod raising;

#[cfg(not(Py_3_14))]
#[path = "compat/recursion_counted.rs"]
pub mod recursion;
#[cfg(Py_3_14)]
#[path = "compat/recursion_measured.rs"]
pub mod recursion;

#[cfg(not(Py_3_14))]
#[path = "compat/argument_counted.rs"]
mod argument;
#[cfg(Py_3_14)]
#[path = "compat/argument_asked.rs"]
mod argument;

#[cfg(not(Py_3_13))]
#[path = "compat/referent_borrowed.rs"]
mod referents;
#[cfg(Py_3_13)]
#[path = "compat/referent_owned.rs"]
mod referents;

pub use argument::is_only_argument;
#[cfg(target_endian = "little")]
#[path = "compat/str_state_little.rs"]
pub mod str_state;
#[cfg(target_endian = "big")]
#[path = "compat/str_state_big.rs"]
pub mod str_state;

pub use finalizing::is_finalizing;
pub use int::{Int, small_natural, small_positive};
pub use raising::raise;
pub use referents::referent;

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
