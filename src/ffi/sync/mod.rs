//! Everything that differs between builds with and without the GIL. The two files export the same names.

#[cfg(not(Py_GIL_DISABLED))]
#[path = "gil.rs"]
mod build;
#[cfg(Py_GIL_DISABLED)]
#[path = "free.rs"]
mod build;

pub use build::{Counter, FREE_THREADED, Guarded, SharedCount, decref, incref, type_flags};
