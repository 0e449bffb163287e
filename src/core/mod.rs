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

/// A box, or nothing where there is no memory for it.
pub fn boxed<T>(value: T) -> Result<Box<T>, OutOfMemory> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(1)?;
    memory.push(value);
    let slice: Box<[T]> = memory.into_boxed_slice();
    let slice: Result<Box<[T; 1]>, _> = slice.try_into();
    // SAFETY: an array of one has the layout of its element.
    slice.map(|one| unsafe { Box::from_raw(Box::into_raw(one).cast()) }).map_err(|_| OutOfMemory)
}

pub mod atomics;
pub mod cells;
pub mod clock;
pub mod concurrent;
pub mod entry_ref;
pub mod expiry;
#[cfg(all(any(feature = "shm", test), not(loom)))]
pub mod forks;
pub mod hash;
pub mod index;
mod leaving;
pub mod memory;
mod moves;
pub mod near;
mod sieve;
pub mod slab;
pub mod slot;
pub mod store;
pub mod view;

#[cfg(test)]
mod tests;
