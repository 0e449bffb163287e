//! From a hash to the slots that may hold its key.

use super::OutOfMemory;

/// A multimap from 32-bit tags to slot numbers. Slot numbers start at 1.
///
/// One trait for the index that ships ([`WordIndex`]) and its rivals, so that the store is written once.
pub trait Index: Sized {
    /// Where a search stands.
    type Cursor;

    /// An index with nothing in it.
    fn new() -> Self;
    /// A search for `tag`, before its first candidate.
    fn start(&self, tag: u32) -> Self::Cursor;
    /// The next slot filed under `tag`. The index must not have changed since [`Index::start`].
    fn next(&self, tag: u32, cursor: &mut Self::Cursor) -> Option<u32>;
    /// Makes room for one more slot than `len`, so that the next [`Index::insert`] can't fail.
    fn reserve_one(&mut self, len: usize) -> Result<(), OutOfMemory>;
    /// Files `slot` under `tag`. There must be room: see [`Index::reserve_one`].
    fn insert(&mut self, tag: u32, slot: u32);
    /// Takes out `slot`, which is filed under `tag`.
    fn remove(&mut self, tag: u32, slot: u32);
}

/// Open addressing with linear probing over 64-bit words: the slot above, the tag below, zero for nothing.
///
/// A candidate costs one load and one comparison of 32 bits, and eight words share a cache line. The home of a word is
/// its tag's low bits, so that growing and removing read nothing but words. Removal shifts back what follows (Knuth,
/// 6.4, algorithm R): there are no tombstones, and a full cache that evicts for ever is never rebuilt.
pub struct WordIndex {
    /// A power of two of them; one at least is zero.
    words: Box<[u64]>,
}

/// Up to here, half of the words stay empty: 256 KiB, which is small beside the entries and keeps probes at one word.
const SPARSE_WORDS: usize = 1 << 15;
const FIRST_WORDS: usize = 8;

impl WordIndex {
    #[inline(always)]
    fn mask(&self) -> usize {
        self.words.len() - 1
    }

    /// Whether `len` slots may live in `words` words: a half of them, and four fifths of large tables.
    fn fits(len: usize, words: usize) -> bool {
        if words <= SPARSE_WORDS { len * 2 <= words } else { len * 5 <= words * 4 }
    }

    fn put(words: &mut [u64], word: u64) {
        let mask = words.len() - 1;
        let mut at = word as u32 as usize & mask;
        while words[at] != 0 {
            at = (at + 1) & mask;
        }
        words[at] = word;
    }
}

impl Index for WordIndex {
    type Cursor = usize;

    fn new() -> Self {
        Self { words: Box::new([0; FIRST_WORDS]) }
    }

    #[inline(always)]
    fn start(&self, tag: u32) -> usize {
        tag as usize
    }

    #[inline(always)]
    fn next(&self, tag: u32, cursor: &mut usize) -> Option<u32> {
        loop {
            let at = *cursor & self.mask();
            // SAFETY: the mask is the length less one, and the length a power of two.
            let word = unsafe { *self.words.get_unchecked(at) };
            *cursor = at + 1;
            if word as u32 == tag {
                return Some((word >> 32) as u32);
            }
            if word == 0 {
                return None;
            }
        }
    }

    fn reserve_one(&mut self, len: usize) -> Result<(), OutOfMemory> {
        let old = self.words.len();
        if Self::fits(len + 1, old) {
            return Ok(());
        }
        let mut words = Vec::new();
        words.try_reserve_exact(old * 2)?;
        words.resize(old * 2, 0);
        for &word in self.words.iter().filter(|&&word| word != 0) {
            Self::put(&mut words, word);
        }
        self.words = words.into_boxed_slice();
        Ok(())
    }

    #[inline]
    fn insert(&mut self, tag: u32, slot: u32) {
        Self::put(&mut self.words, u64::from(slot) << 32 | u64::from(tag));
    }

    #[inline]
    fn remove(&mut self, tag: u32, slot: u32) {
        let mask = self.mask();
        let gone = u64::from(slot) << 32 | u64::from(tag);
        let mut hole = tag as usize & mask;
        while self.words[hole] != gone {
            debug_assert!(self.words[hole] != 0, "a slot that was never filed");
            hole = (hole + 1) & mask;
        }
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let word = self.words[at];
            if word == 0 {
                break;
            }
            // A word may move back to the hole unless its home lies behind the hole, cyclically.
            let home = word as u32 as usize & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.words[hole] = word;
                hole = at;
            }
        }
        self.words[hole] = 0;
    }
}
