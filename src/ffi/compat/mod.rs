//! Everything that differs between CPython's versions: layouts that its headers have as inline functions, and names.

#[cfg(not(Py_3_12))]
#[path = "int_size.rs"]
mod int;
#[cfg(Py_3_12)]
#[path = "int_tag.rs"]
mod int;

#[cfg(not(all(Py_3_12, target_pointer_width = "64", not(py_sys_config = "Py_REF_DEBUG"))))]
#[path = "count_ffi.rs"]
#[allow(unused_imports, reason = "free-threaded builds count otherwise")]
pub mod count;
#[cfg(all(Py_3_12, target_pointer_width = "64", not(py_sys_config = "Py_REF_DEBUG")))]
#[path = "count_half.rs"]
#[allow(dead_code, reason = "free-threaded builds count otherwise")]
pub mod count;

#[cfg(not(Py_3_13))]
#[path = "finalizing_underscore.rs"]
mod finalizing;
#[cfg(Py_3_13)]
#[path = "finalizing_public.rs"]
mod finalizing;

#[cfg(not(Py_3_12))]
#[path = "raise_triple.rs"]
mod raising;
#[cfg(Py_3_12)]
#[path = "raise_one.rs"]
mod raising;

#[cfg(not(Py_3_14))]
#[path = "recursion_counted.rs"]
pub mod recursion;
#[cfg(Py_3_14)]
#[path = "recursion_measured.rs"]
pub mod recursion;

#[cfg(not(Py_3_14))]
#[path = "argument_counted.rs"]
mod argument;
#[cfg(Py_3_14)]
#[path = "argument_asked.rs"]
mod argument;

#[cfg(not(Py_3_13))]
#[path = "referent_borrowed.rs"]
mod referents;
#[cfg(Py_3_13)]
#[path = "referent_owned.rs"]
mod referents;

#[cfg(not(Py_3_13))]
#[path = "lookup_borrowed.rs"]
mod lookups;
#[cfg(Py_3_13)]
#[path = "lookup_owned.rs"]
mod lookups;

mod features;
mod int_from_bytes;
mod objects;
mod strings;
mod undeclared;

#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
#[path = "thread_id_any.rs"]
#[allow(dead_code, reason = "for free-threaded builds")]
mod thread_id;
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
#[path = "thread_id_x86_64_linux.rs"]
#[allow(dead_code, reason = "for free-threaded builds")]
mod thread_id;

#[cfg(target_endian = "little")]
#[path = "str_state_little.rs"]
mod str_state;
#[cfg(target_endian = "big")]
#[path = "str_state_big.rs"]
mod str_state;

pub use argument::is_only_argument;
#[allow(unused_imports, reason = "some are for free-threaded builds")]
pub use features::{
    COMPACT_STR_HEAD, DIGIT_BITS, FREE_THREADED_INTERNED_IS_A_BYTE, LAZY_COUNTS, MODULE_SLOTS, NOTES,
    WRAPPER_ASSIGNMENTS,
};
pub use finalizing::is_finalizing;
pub use int::{IntLayout, small_natural, small_positive};
pub use int_from_bytes::natural;
pub use lookups::lookup_in_type;
pub use objects::{DecimalParts, SetTable, have_one_zone, times_have_one_zone};
pub use raising::raise;
pub use referents::referent;
pub use strings::{ASCII_STR_HEAD, Both, Characters, both_characters, characters, short_ascii, str_hash};
#[allow(unused_imports, reason = "for free-threaded builds")]
pub use thread_id::thread_id;
pub use undeclared::{
    PY_AM_SEND, PY_LOCK_ACQUIRED, PY_LOCK_INTR, PyMethod_Function, PyMethod_New, PyMethod_Self, PyMethod_Type,
    PyThread_acquire_lock_timed, PyThread_allocate_lock, PyThread_free_lock, PyThread_get_thread_ident,
    PyThread_release_lock, PyThread_start_new_thread,
};
