//! The memory that a file is mapped to.

use crate::core::atomics::AtomicU64;
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;

/// A shared mapping, of which nothing is ever borrowed but atomics.
pub struct Map(MmapRaw);

impl Map {
    /// Maps so many bytes of the file, a multiple of eight.
    pub fn new(file: &File, bytes: u64) -> io::Result<Self> {
        MmapOptions::new().len(bytes as usize).map_raw(file).map(Self)
    }

    /// All of it.
    #[inline(always)]
    pub fn words(&self) -> &[AtomicU64] {
        let start = self.0.as_mut_ptr().cast::<AtomicU64>();
        // SAFETY: the mapping stands as long as `self`, and is as long as the file, which is never cut short. Pages are
        // aligned for words, all values are valid, and everyone, in this process or another, writes there by atomics alone.
        unsafe { std::slice::from_raw_parts(start, self.0.len() / 8) }
    }
}
