//! Everything that differs between builds with and without the GIL. Each file has one of the same names beside it; what a store does
//! stands once, in the trait of `store_lock.rs`.

#[cfg(not(Py_GIL_DISABLED))]
#[path = "gil.rs"]
mod build;
#[cfg(Py_GIL_DISABLED)]
#[path = "free/mod.rs"]
mod build;

#[cfg(not(Py_GIL_DISABLED))]
#[path = "gil_counts.rs"]
mod counts;
#[cfg(Py_GIL_DISABLED)]
#[path = "free/counts.rs"]
mod counts;

/// Where `counts` has its numbers from, without the GIL: CPython's own layout.
#[cfg(Py_GIL_DISABLED)]
#[path = "../compat/count_biased.rs"]
mod biased;

mod store_lock;

pub use build::{Lent, LockedStore, SharedCount, Store, bump, lock_mode, prepare};
pub use counts::{FREE_THREADED, decref, incref, is_only_reference, type_flags};
pub use store_lock::StoreLock;
