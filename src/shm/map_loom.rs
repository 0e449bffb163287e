//! Memory for models: what `map.rs` is for files.

use crate::core::atomics::AtomicU64;

/// Words, all zero.
pub struct Map(Box<[AtomicU64]>);

impl Map {
    /// So many bytes, a multiple of eight.
    pub fn new(bytes: u64) -> Self {
        Self((0..bytes / 8).map(|_| AtomicU64::new(0)).collect())
    }

    /// All of it.
    pub fn words(&self) -> &[AtomicU64] {
        &self.0
    }
}
