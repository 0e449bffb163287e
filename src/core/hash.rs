//! Hashes as the store keeps them.

/// The bit of a stored hash that is set while its entry was *not* used since the hand last passed.
///
/// A [`Hash`] has it clear, so that "equal and visited", the state of nearly every hit, is one comparison.
pub const UNVISITED: u64 = 1 << 63;

/// 2^64 divided by the golden ratio, odd: Knuth, The Art of Computer Programming 3, section 6.4.
pub const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// 63 bits of a Python hash. The highest bit gives way to [`UNVISITED`]; integers of up to 60 bits don't need it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Hash(u64);

impl Hash {
    /// Takes a Python hash.
    #[inline(always)]
    pub const fn of(python_hash: u64) -> Self {
        Self(python_hash & !UNVISITED)
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

/// Folds the hashes of several arguments into one, in order.
///
/// Each step is a 64 by 64 bit multiplication whose halves are xored, as in wyhash and foldhash.
#[derive(Clone, Copy)]
pub struct Combine(u64);

impl Combine {
    /// Starts with what tells calls of different shape apart.
    #[inline(always)]
    pub const fn new(shape: u64) -> Self {
        Self(shape ^ 0x5851_F42D_4C95_7F2D)
    }

    /// Takes the next hash in.
    #[inline(always)]
    #[must_use]
    pub const fn with(self, python_hash: u64) -> Self {
        let product = (self.0 ^ python_hash) as u128 * GOLDEN as u128;
        Self(product as u64 ^ (product >> 64) as u64)
    }

    /// The hash of all that was taken in.
    #[inline(always)]
    pub const fn finish(self) -> Hash {
        Hash::of(self.0)
    }
}
