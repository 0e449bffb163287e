//! Mixing of hashes. Python's own are regular by design (`hash(i) == i`), which a table that looks at some bits alone
//! must not see: keys in strides of a power of two, floats and pointers would all meet in a few places.

/// The bit of a stored hash that tells whether its entry was used since the hand last passed.
///
/// A fresh [`Hash`] has it set, so that "equal and visited", the state of nearly every hit, is one comparison.
pub const VISITED: u64 = 1 << 63;

/// 2^64 divided by the golden ratio, odd: Knuth, The Art of Computer Programming 3, section 6.4.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A mixed hash. 63 bits of it are the hash; the highest is [`VISITED`], always set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hash(u64);

impl Hash {
    /// Mixes one Python hash. The map is one-to-one before its highest bit is given up, so the mixed hashes of two
    /// integers of less than 60 bits are equal only if the integers' hashes are.
    #[inline(always)]
    pub const fn of(python_hash: u64) -> Self {
        let folded = python_hash ^ (python_hash >> 32);
        Self(folded.wrapping_mul(GOLDEN) | VISITED)
    }

    /// The 32 bits that the index works with, never zero.
    #[inline(always)]
    pub const fn tag(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// All bits, [`VISITED`] among them.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// What an entry that was not used yet keeps.
    #[inline(always)]
    pub const fn unvisited(self) -> u64 {
        self.0 & !VISITED
    }

    /// Whether `stored`, visited or not, is this hash.
    #[inline(always)]
    pub const fn is(self, stored: u64) -> bool {
        (stored ^ self.0) << 1 == 0
    }

    /// The hash whose stored form is `stored`.
    #[inline(always)]
    pub const fn from_stored(stored: u64) -> Self {
        Self(stored | VISITED)
    }
}

/// Folds the hashes of several arguments into one, in order.
///
/// Each step is a 64 by 64 bit multiplication whose halves are xored, as in wyhash and foldhash.
#[derive(Clone, Copy)]
pub struct Combine(u64);

impl Combine {
    /// Starts with what tells calls of different shape apart (say, counts of arguments).
    #[inline(always)]
    pub const fn new(shape: u64) -> Self {
        Self(shape.wrapping_mul(GOLDEN) ^ 0x5851_F42D_4C95_7F2D)
    }

    /// Takes the next hash in.
    #[inline(always)]
    #[must_use]
    pub const fn with(self, python_hash: u64) -> Self {
        let product = (self.0 ^ python_hash) as u128 * GOLDEN as u128;
        // The rotation keeps a zero product from swallowing the order of what follows.
        Self(((product as u64) ^ (product >> 64) as u64).wrapping_add(self.0.rotate_left(29)))
    }

    /// The hash of all that was taken in.
    #[inline(always)]
    pub const fn finish(self) -> Hash {
        Hash::of(self.0)
    }
}
