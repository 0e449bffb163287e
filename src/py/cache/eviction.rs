//! Entries that leave, and why.

use crate::ffi::Owned;
use crate::py::key::Key;
use std::ffi::CStr;

/// Why an entry has left.
#[derive(Clone, std::marker::Copy, PartialEq, Eq)]
pub enum Cause {
    /// For another one, to keep a bound.
    Size,
    /// It was too old.
    Expired,
    /// `cache_invalidate()`
    Invalidated,
    /// By a new value for the same key.
    Replaced,
    /// `cache_clear()`
    Cleared,
}

impl Cause {
    /// As `on_evict` is told it.
    pub const fn text(self) -> &'static CStr {
        match self {
            Self::Size => c"size",
            Self::Expired => c"expired",
            Self::Invalidated => c"invalidated",
            Self::Replaced => c"replaced",
            Self::Cleared => c"cleared",
        }
    }
}

/// Entries that have left, to be told of and dropped outside of the borrow.
pub type Evicted = Vec<(Key, Owned, Cause)>;
