//! Where a stack lies, and how much of it a level may take.

/// What a level may take at most before the next one asks: half of it CPython, its extension modules and the C library.
const MOST_MARGIN: usize = 256 << 10;
/// Which part of a small stack that is, since threads can be made with stacks of 32 KiB.
const MARGIN_PART: usize = 8;

/// Where a stack lies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The lowest byte.
    pub low: usize,
    /// The first byte above.
    pub high: usize,
}

impl Bounds {
    /// What a level may take.
    pub fn margin(self) -> usize {
        ((self.high - self.low) / MARGIN_PART).min(MOST_MARGIN)
    }

    /// Whether the address lies in it.
    pub fn has(self, address: usize) -> bool {
        (self.low..self.high).contains(&address)
    }
}
