//! What the cache *is*, without any Python: hashes, an index of them, a slab of entries, and the SIEVE ring.
//!
//! Nothing in here calls out: a store hands keys and values back to its owner as `#[must_use]` values and never drops
//! one itself, so that whatever a drop sets off happens when the store is whole again.

/// The allocator gave nothing. What was to be stored is handed back beside it.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl From<std::collections::TryReserveError> for OutOfMemory {
    fn from(_: std::collections::TryReserveError) -> Self {
        Self
    }
}

pub mod atomics;
pub mod hash;
pub mod index;
pub mod memory;
pub mod shared;
pub mod store;

#[cfg(any(feature = "hashbrown-index", test))]
pub mod index_hashbrown;
#[cfg(test)]
mod tests;
