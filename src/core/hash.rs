//! Hashes as the store keeps them.

/// The bit of a stored hash that is set while its entry was *not* used since the hand last passed.
///
/// A [`Hash`] has it clear, so that "equal and visited", the state of nearly every hit, is one comparison.
pub const UNVISITED: u64 = 1;

/// A factor for [`Hash::times`] that scatters hashes. It is the second one of MurmurHash3's finalizer, and of nine
/// well-known factors the one that left keys in strides, floats and pointers closest to their homes.
pub const SCATTER: u64 = 0xC4CE_B9FE_1A85_EC53;

/// A Python hash, shifted up by one bit to make room for [`UNVISITED`]. What is lost is the highest bit, without which
/// the hashes of integers of up to 60 bits still differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Hash(u64);

impl Hash {
    /// Takes a Python hash.
    #[inline(always)]
    pub const fn of(python_hash: u64) -> Self {
        Self(python_hash << 1)
    }

    /// The Python hash, if it has no more than 62 bits beside the sign.
    #[inline(always)]
    pub const fn python_hash(self) -> i64 {
        self.0 as i64 >> 1
    }

    /// The hash that an entry keeps as `stored`, visited or not.
    #[inline(always)]
    pub const fn from_stored(stored: u64) -> Self {
        Self(stored & !UNVISITED)
    }

    /// What an entry keeps that was used.
    #[inline(always)]
    pub const fn visited(self) -> u64 {
        self.0
    }

    /// What an entry keeps that was not used yet.
    #[inline(always)]
    pub const fn unvisited(self) -> u64 {
        self.0 | UNVISITED
    }

    /// 32 bits of the product with `factor`: its upper half, to which each bit of the hash is carried up, and the
    /// upper bits of its lower half, which tell neighbours apart.
    #[inline(always)]
    pub const fn times(self, factor: u64) -> u32 {
        let product = self.0 as u128 * factor as u128;
        // 31 bits of the lower half: 32 would be the low half of a double shift, which compilers make of it and processors
        // take long for.
        (product >> 64) as u32 ^ (product as u64 >> 33) as u32
    }
}

/// The hashes of several arguments in one: the sum of each times an odd factor of its place, the first of which is 1.
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
        Self { sum: shape, factor: 1 }
    }

    /// Takes the next hash in.
    #[inline(always)]
    #[must_use]
    pub const fn with(self, python_hash: u64) -> Self {
        Self {
            sum: self.sum.wrapping_add(python_hash.wrapping_mul(self.factor)),
            // Even, so that the factors stay odd.
            factor: self.factor.wrapping_add(SCATTER - 1),
        }
    }

    /// The hash of all that was taken in.
    #[inline(always)]
    pub const fn finish(self) -> Hash {
        Hash::of(self.sum)
    }
}
