//! The store of entries, with its lock.

use crate::ffi::sync::LockedStore;
use crate::ffi::{Owned, sync};
use crate::py::key::Key;

/// A store of objects under keys, and what keeps threads apart there.
pub type Entries = LockedStore<Key, Owned>;

/// The same, lent to who changes it.
pub type Store = sync::Store<Key, Owned>;
