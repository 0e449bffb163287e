//! From a hash to the slots that may hold its key.

use super::OutOfMemory;
use super::hash::{Hash, SCATTER};

/// A multimap from hashes to slot numbers. Slot numbers start at 1.
///
/// One trait for the index that ships ([`WordIndex`]) and its rivals, so that the store is written once.
///
/// # Safety
/// It yields only slots that were inserted and not removed since: the store looks them up unchecked.
pub unsafe trait Index: Sized {
    /// Where a search stands: behind a candidate.
    type Cursor: Copy;

    /// An index with nothing in it.
    fn new() -> Result<Self, OutOfMemory>;
    /// What lies near the home of `hash`: [`Index::first`] for the hit path, which may give up.
    #[inline(always)]
    fn glance(&self, hash: Hash) -> Glance {
        self.first(hash).map_or(Glance::Nothing, |(slot, _)| Glance::Candidate(slot))
    }
    /// The first slot that may be filed under `hash`.
    fn first(&self, hash: Hash) -> Option<(u32, Self::Cursor)>;
    /// The next one. The index must not have changed since [`Index::first`].
    fn after(&self, hash: Hash, cursor: Self::Cursor) -> Option<(u32, Self::Cursor)>;
    /// Makes room for one more slot than `len`, so that the next [`Index::insert`] can't fail.
    fn reserve_one(&mut self, len: usize) -> Result<(), OutOfMemory>;
    /// Files `slot` under `hash`. There must be room: see [`Index::reserve_one`]. `hash_of` tells what any other slot
    /// is filed under, for an index that wants to order itself anew.
    fn insert(&mut self, hash: Hash, slot: u32, hash_of: impl Fn(u32) -> Hash);
    /// Takes out `slot`, which is filed under `hash`.
    fn remove(&mut self, hash: Hash, slot: u32);
}

/// What [`Index::glance`] saw.
pub enum Glance {
    /// The first slot that may be filed under the hash.
    Candidate(u32),
    /// There is no such slot.
    Nothing,
    /// Neither, so far.
    GaveUp,
}

/// Open addressing with linear probing over 64-bit words: the slot above, a 32-bit tag below, zero for nothing.
///
/// A candidate costs one load and one comparison of 32 bits, and eight words share a cache line. The tag is
/// the hash times `factor`, as [`Hash::times`] has it, and its low bits are the word's home, so that growing and removing read words
/// alone. Removal shifts back what follows (Knuth, 6.4, algorithm R): there are no tombstones, and a full cache that
/// evicts for ever is never rebuilt.
///
/// The table mixes hashes as much as its keys need. It begins with [`IN_SEQUENCE`], which puts neighbouring integers
/// into neighbouring words, where they never collide and where a scan of a million keys reads memory in order. The
/// first key that comes to lie far from its home, as keys in strides, floats and pointers do, turns it over to
/// [`SCATTER`], which scatters them all.
pub struct WordIndex {
    /// A power of two of them.
    words: Box<[u64]>,
    /// The length less one, kept to spare the hit path the subtraction.
    mask: usize,
    factor: u64,
    /// No word lies further from its home. It bounds searches and shifts in long runs of neighbours.
    reach: usize,
}

/// Where a search of a [`WordIndex`] stands.
#[derive(Clone, Copy)]
pub struct WordCursor {
    at: usize,
    left: usize,
}

/// Makes the tag the low half of the Python hash: for small integers, themselves.
const IN_SEQUENCE: u64 = 1 << 63;
/// [`Index::glance`] stops at words whose number is a multiple of this.
const GLANCE: usize = 64;
/// How far from home a word may lie before its table begins to mix.
const FAR: usize = 2;
/// Up to here (16 KiB), seven eighths of the words stay empty: nearly all others lie at home then, which the evictions of a
/// small cache gain most by.
const SPARSE_WORDS: usize = 1 << 11;
/// Up to here (256 KiB), half of them, and one fifth of larger tables.
const ROOMY_WORDS: usize = 1 << 15;
const FIRST_WORDS: usize = 8;

const fn tag_of(word: u64) -> u32 {
    word as u32
}

const fn slot_of(word: u64) -> u32 {
    (word >> 32) as u32
}

impl WordIndex {
    /// Whether `len` slots may live in `words` words.
    fn fits(len: usize, words: usize) -> bool {
        if words <= SPARSE_WORDS {
            len * 8 <= words
        } else if words <= ROOMY_WORDS {
            len * 2 <= words
        } else {
            len * 5 <= words * 4
        }
    }

    /// The word of this number, round the end of the table.
    #[inline(always)]
    fn word(&self, at: usize) -> u64 {
        // SAFETY: the mask is the length less one, and the length a power of two.
        unsafe { *self.words.get_unchecked(at & self.mask) }
    }

    #[inline(always)]
    fn word_mut(&mut self, at: usize) -> &mut u64 {
        // SAFETY: as in `word`.
        unsafe { self.words.get_unchecked_mut(at & self.mask) }
    }

    #[inline(always)]
    fn scan(&self, tag: u32, mut at: usize, mut left: usize) -> Option<(u32, WordCursor)> {
        loop {
            let word = self.word(at);
            let slot = slot_of(word);
            // A tag of zero looks like that of an empty word, which has no slot.
            if tag_of(word) == tag && slot != 0 {
                return Some((slot, WordCursor { at, left }));
            }
            if word == 0 || left == 0 {
                return None;
            }
            at += 1;
            left -= 1;
        }
    }

    /// Puts a word where it belongs, and tells how far from its home that is.
    #[inline(always)]
    fn place(&mut self, word: u64) -> usize {
        let mut distance = 0;
        loop {
            let place = self.word_mut(tag_of(word) as usize + distance);
            if *place == 0 {
                *place = word;
                if distance > self.reach {
                    self.reach = distance;
                }
                return distance;
            }
            distance += 1;
        }
    }

    /// Files all words anew, under tags of the other factor. Without memory for that, things stay as they are.
    #[cold]
    fn mix(&mut self, hash_of: impl Fn(u32) -> Hash) {
        let Ok(mut mixed) = Self::with_words(self.words.len(), SCATTER) else {
            return;
        };
        for &word in self.words.iter().filter(|&&word| word != 0) {
            let tag = hash_of(slot_of(word)).times(SCATTER);
            mixed.place(u64::from(slot_of(word)) << 32 | u64::from(tag));
        }
        *self = mixed;
    }

    fn with_words(count: usize, factor: u64) -> Result<Self, OutOfMemory> {
        debug_assert!(count.is_power_of_two());
        let mut words = Vec::new();
        words.try_reserve_exact(count)?;
        words.resize(count, 0);
        Ok(Self { words: words.into_boxed_slice(), mask: count - 1, factor, reach: 0 })
    }
}

// SAFETY: a word is in the table from `insert` to `remove`; growing, mixing and shifting move words and make none.
unsafe impl Index for WordIndex {
    type Cursor = WordCursor;

    fn new() -> Result<Self, OutOfMemory> {
        Self::with_words(FIRST_WORDS, IN_SEQUENCE)
    }

    /// [`WordIndex::scan`] with limits at fixed places, which need no register.
    #[inline(always)]
    fn glance(&self, hash: Hash) -> Glance {
        let tag = hash.times(self.factor);
        let mut at = tag as usize;
        loop {
            let word = self.word(at);
            if tag_of(word) == tag {
                let slot = slot_of(word);
                return if slot == 0 { Glance::Nothing } else { Glance::Candidate(slot) };
            }
            if word == 0 {
                return Glance::Nothing;
            }
            at += 1;
            if at.is_multiple_of(GLANCE) {
                return Glance::GaveUp;
            }
        }
    }

    #[inline(always)]
    fn first(&self, hash: Hash) -> Option<(u32, WordCursor)> {
        let tag = hash.times(self.factor);
        self.scan(tag, tag as usize, self.reach)
    }

    #[inline(always)]
    fn after(&self, hash: Hash, cursor: WordCursor) -> Option<(u32, WordCursor)> {
        let left = cursor.left.checked_sub(1)?;
        self.scan(hash.times(self.factor), cursor.at + 1, left)
    }

    fn reserve_one(&mut self, len: usize) -> Result<(), OutOfMemory> {
        if Self::fits(len + 1, self.words.len()) {
            return Ok(());
        }
        let mut grown = Self::with_words(self.words.len() * 2, self.factor)?;
        for &word in self.words.iter().filter(|&&word| word != 0) {
            grown.place(word);
        }
        *self = grown;
        Ok(())
    }

    #[inline(always)]
    fn insert(&mut self, hash: Hash, slot: u32, hash_of: impl Fn(u32) -> Hash) {
        let tag = hash.times(self.factor);
        let distance = self.place(u64::from(slot) << 32 | u64::from(tag));
        if distance > FAR && self.factor == IN_SEQUENCE {
            self.mix(|other| if other == slot { hash } else { hash_of(other) });
        }
    }

    #[inline(always)]
    fn remove(&mut self, hash: Hash, slot: u32) {
        let mask = self.mask;
        let tag = hash.times(self.factor);
        let gone = u64::from(slot) << 32 | u64::from(tag);
        let mut hole = tag as usize & mask;
        while self.word(hole) != gone {
            debug_assert!(self.word(hole) != 0, "a slot that was never filed");
            hole = (hole + 1) & mask;
        }
        let mut at = hole;
        while self.reach > 0 {
            at = (at + 1) & mask;
            let gap = at.wrapping_sub(hole) & mask;
            let word = self.word(at);
            // Whoever lies further behind the hole than any word from its home, has its home behind the hole.
            if word == 0 || gap > self.reach {
                break;
            }
            // A word may move back to the hole unless its home lies behind the hole.
            let distance = at.wrapping_sub(tag_of(word) as usize) & mask;
            if distance >= gap {
                *self.word_mut(hole) = word;
                hole = at;
            }
        }
        *self.word_mut(hole) = 0;
    }
}

#[cfg(test)]
impl WordIndex {
    /// How far the words lie from their homes: at most, and on average.
    pub fn distances(&self) -> (usize, f64) {
        let words = self.words.iter().enumerate().filter(|&(_, &word)| word != 0);
        let distances = words.map(|(at, &word)| at.wrapping_sub(tag_of(word) as usize) & self.mask);
        (self.reach, distances.clone().sum::<usize>() as f64 / distances.count() as f64)
    }

    /// Whether the table scatters its keys.
    pub fn mixes(&self) -> bool {
        self.factor == SCATTER
    }
}
