//! Everything that differs between builds with and without the GIL. The two files export the same names.

#[cfg(not(Py_GIL_DISABLED))]
#[path = "gil.rs"]
mod build;
#[cfg(Py_GIL_DISABLED)]
#[path = "free/mod.rs"]
mod build;

pub use build::{
    Cache, FREE_THREADED, Lent, SharedCount, Store, bump, decref, incref, is_only_reference, lock_mode, prepare,
    type_flags,
};
