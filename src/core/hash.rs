//! Hashes as the store keeps them.

/// The bit of a stored hash that is set while its entry was *not* used since the hand last passed.
///
/// A [`Hash`] has it clear, so that "equal and visited", the state of nearly every hit, is one comparison.
pub const UNVISITED: u64 = 1 << 63;

/// 2^64 divided by the golden ratio, odd: Knuth, The Art of Computer Programming 3, section 6.4.
pub const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// 63 bits of a Python hash, folded. The highest bit gives way to [`UNVISITED`]; the hashes of integers of up to 60 bits
/// stay apart without it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Hash(u64);

impl Hash {
    /// Takes a Python hash. Its upper half is folded into the lower one, since multiplying carries bits upwards only.
    #[inline(always)]
    pub const fn of(python_hash: u64) -> Self {
        Self((python_hash ^ (python_hash >> 32)) & !UNVISITED)
    }

    /// [`Hash::of`] what is below 2^32: itself.
    #[inline(always)]
    pub const fn of_small(python_hash: u32) -> Self {
        Self(python_hash as u64)
    }

    /// The hash that an entry keeps as `stored`, visited or not.
    #[inline(always)]
    pub const fn from_stored(stored: u64) -> Self {
        Self(stored & !UNVISITED)
    }

    /// The 63 bits: what an entry keeps that was used.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// What an entry keeps that was not used yet.
    #[inline(always)]
    pub const fn unvisited(self) -> u64 {
        self.0 | UNVISITED
    }
}

/// The hashes of several arguments in one: the sum of each times an odd factor of its place.
///
/// A multilinear hash, whose products don't wait for each other: Lemire and Kaser, "Strongly universal string hashing is
/// fast", The Computer Journal 57 (2014), there with random factors.
#[derive(Clone, Copy)]
pub struct Combine {
    sum: u64,
    factor: u64,
}

impl Combine {
    /// Starts with what tells calls of different shape apart.
    #[inline(always)]
    pub const fn new(shape: u64) -> Self {
        Self { sum: shape.wrapping_mul(0x5851_F42D_4C95_7F2D), factor: GOLDEN }
    }

    /// Takes the next hash in.
    #[inline(always)]
    #[must_use]
    pub const fn with(self, python_hash: u64) -> Self {
        Self {
            sum: self.sum.wrapping_add(python_hash.wrapping_mul(self.factor)),
            // Even, so that the factors stay odd.
            factor: self.factor.wrapping_add(0xD1B5_4A32_D192_ED02),
        }
    }

    /// The hash of all that was taken in.
    #[inline(always)]
    pub const fn finish(self) -> Hash {
        Hash::of(self.sum)
    }
}
