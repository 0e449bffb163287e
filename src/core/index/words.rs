//! The index that ships: open addressing over words.

use super::{Index, IndexProbe};
use crate::core::OutOfMemory;
use crate::core::cells::{Retired, Word};
use crate::core::hash::{Hash, SCATTER};

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
///
/// Where readers search without a lock, one may walk past a word just as it is shifted back, and see nothing where there
/// is something. A count of shifts tells.
pub struct WordIndex<W> {
    /// A power of two of them, and one more, which counts: it is odd while words are being shifted.
    words: Vec<W>,
    /// The power of two less one, kept to spare the hit path the subtraction.
    mask: usize,
    factor: u64,
    /// No word lies further from its home. It bounds searches and shifts in long runs of neighbours.
    reach: usize,
}

/// What the hit path needs of a [`WordIndex`].
pub struct WordView<W> {
    words: *const W,
    mask: usize,
    factor: u64,
}

impl<W> Clone for WordView<W> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for WordView<W> {}

/// Where a word was seen, and which.
#[derive(Clone, Copy)]
pub struct WordSpot {
    at: usize,
    word: u64,
}

/// Where a search of a [`WordIndex`] stands.
#[derive(Clone, Copy)]
pub struct WordCursor {
    at: usize,
    left: usize,
}

/// Makes the tag the low half of the Python hash: for small integers, themselves.
const IN_SEQUENCE: u64 = 1 << 63;
/// [`Index::probe`] stops at words whose number is a multiple of this.
const PROBE_LIMIT: usize = 64;
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

impl<W: Word> WordView<W> {
    /// The word of this number, round the end of the table.
    ///
    /// # Safety
    /// The table still stands.
    #[inline(always)]
    unsafe fn word(&self, at: usize) -> &W {
        // SAFETY: the mask is the length less one, and the length a power of two.
        let word = unsafe { self.words.add(at & self.mask) };
        // SAFETY: as the caller says.
        unsafe { &*word }
    }

    /// The count of shifts, for [`WordView::is_unshifted`].
    ///
    /// # Safety
    /// The table still stands.
    #[inline]
    pub unsafe fn shifts(&self) -> u64 {
        // SAFETY: the word behind the table.
        let count = unsafe { self.words.add(self.mask + 1) };
        // SAFETY: as the caller says.
        unsafe { &*count }.acquire()
    }

    /// Whether no word has been shifted since.
    ///
    /// # Safety
    /// The table still stands.
    #[inline]
    pub unsafe fn is_unshifted(&self, since: u64) -> bool {
        // Whoever saw a word that was shifted sees here, later, that the count is odd or another.
        // SAFETY: as the caller says.
        since.is_multiple_of(2) && unsafe { self.shifts() } == since
    }

    /// Goes on with [`Index::probe`] from the word of this number. Its limits lie at fixed places, which need no register.
    ///
    /// # Safety
    /// The table still stands.
    #[inline(always)]
    unsafe fn probe_from(self, tag: u32, mut at: usize) -> IndexProbe<WordSpot> {
        loop {
            // SAFETY: as the caller says.
            let word = unsafe { self.word(at) }.acquire();
            if tag_of(word) == tag {
                let slot = slot_of(word);
                // A tag of zero looks like that of an empty word, which has no slot.
                return if slot == 0 {
                    IndexProbe::Nothing
                } else {
                    IndexProbe::Candidate(slot, WordSpot { at, word })
                };
            }
            if word == 0 {
                return IndexProbe::Nothing;
            }
            at += 1;
            if at.is_multiple_of(PROBE_LIMIT) {
                return IndexProbe::GaveUp;
            }
        }
    }

    /// As [`Index::probe`], from behind that candidate on.
    ///
    /// # Safety
    /// The table still stands.
    #[inline]
    pub unsafe fn probe_behind(self, hash: Hash, spot: WordSpot) -> IndexProbe<WordSpot> {
        let at = spot.at + 1;
        if at.is_multiple_of(PROBE_LIMIT) {
            return IndexProbe::GaveUp;
        }
        // SAFETY: as the caller says.
        unsafe { self.probe_from(hash.times(self.factor), at) }
    }
}

impl<W: Word> WordIndex<W> {
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
    fn word(&self, at: usize) -> &W {
        // SAFETY: the mask is the length less one, and the length a power of two.
        unsafe { self.words.get_unchecked(at & self.mask) }
    }

    #[inline(always)]
    fn scan(&self, tag: u32, mut at: usize, mut left: usize) -> Option<(u32, WordCursor)> {
        loop {
            let word = self.word(at).get();
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

    #[inline(always)]
    fn count_shift(&self) {
        let count = &self.words[self.len()];
        count.publish(count.get() + 1);
    }

    /// Puts a word where it belongs, and tells how far from its home that is.
    #[inline(always)]
    fn place(&mut self, word: u64) -> usize {
        let mut distance = 0;
        loop {
            let place = self.word(tag_of(word) as usize + distance);
            if place.get() == 0 {
                place.publish(word);
                if distance > self.reach {
                    self.reach = distance;
                }
                return distance;
            }
            distance += 1;
        }
    }

    /// What it is made of.
    pub(in crate::core) fn into_words(self) -> Vec<W> {
        self.words
    }

    /// How many words there are for slots.
    #[inline(always)]
    fn len(&self) -> usize {
        self.mask + 1
    }

    fn filed(&self) -> impl Iterator<Item = u64> {
        self.words[..self.len()].iter().map(W::get).filter(|&word| word != 0)
    }

    /// Files all words anew, under tags of the other factor. Without memory for that, things stay as they are.
    #[cold]
    fn mix(&mut self, hash_of: impl Fn(u32) -> Hash, retired: &mut impl Retired<Vec<W>>) {
        let (Ok(mut mixed), Ok(())) = (Self::with_words(self.len(), SCATTER), retired.reserve()) else {
            return;
        };
        for word in self.filed() {
            let tag = hash_of(slot_of(word)).times(SCATTER);
            mixed.place(u64::from(slot_of(word)) << 32 | u64::from(tag));
        }
        retired.put(std::mem::replace(self, mixed).words);
    }

    fn with_words(count: usize, factor: u64) -> Result<Self, OutOfMemory> {
        debug_assert!(count.is_power_of_two());
        let mut words = Vec::new();
        words.try_reserve_exact(count + 1)?;
        words.resize_with(count + 1, || W::new(0));
        Ok(Self { words, mask: count - 1, factor, reach: 0 })
    }
}

// SAFETY: a word is in the table from `insert` to `remove`; growing, mixing and shifting move words and make none.
unsafe impl<W: Word> Index for WordIndex<W> {
    type Word = W;
    type View = WordView<W>;
    type Spot = WordSpot;
    type Cursor = WordCursor;
    type Words = Vec<W>;

    fn new() -> Result<Self, OutOfMemory> {
        Self::with_words(FIRST_WORDS, IN_SEQUENCE)
    }

    #[inline(always)]
    fn view(&self) -> WordView<W> {
        WordView { words: self.words.as_ptr(), mask: self.mask, factor: self.factor }
    }

    #[inline(always)]
    unsafe fn probe(view: WordView<W>, hash: Hash) -> IndexProbe<WordSpot> {
        let tag = hash.times(view.factor);
        // SAFETY: as the caller says.
        unsafe { view.probe_from(tag, tag as usize) }
    }

    #[inline(always)]
    unsafe fn holds(view: WordView<W>, spot: WordSpot) -> bool {
        // SAFETY: as the caller says.
        unsafe { view.word(spot.at) }.acquire() == spot.word
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

    #[inline(always)]
    fn has_room(&self, len: usize) -> bool {
        Self::fits(len + 1, self.len())
    }

    fn relocate(&mut self, len: usize) -> Result<Vec<W>, OutOfMemory> {
        let count = if self.has_room(len) { self.len() } else { self.len() * 2 };
        let mut moved = Self::with_words(count, self.factor)?;
        for word in self.filed() {
            moved.place(word);
        }
        Ok(std::mem::replace(self, moved).words)
    }

    #[inline(always)]
    fn insert(&mut self, hash: Hash, slot: u32, hash_of: impl Fn(u32) -> Hash, retired: &mut impl Retired<Vec<W>>) {
        let tag = hash.times(self.factor);
        let distance = self.place(u64::from(slot) << 32 | u64::from(tag));
        if distance > FAR && self.factor == IN_SEQUENCE {
            self.mix(|other| if other == slot { hash } else { hash_of(other) }, retired);
        }
    }

    #[inline(always)]
    fn remove(&mut self, hash: Hash, slot: u32) {
        let mask = self.mask;
        let tag = hash.times(self.factor);
        let gone = u64::from(slot) << 32 | u64::from(tag);
        let mut hole = tag as usize & mask;
        while self.word(hole).get() != gone {
            debug_assert!(self.word(hole).get() != 0, "a slot that was never filed");
            hole = (hole + 1) & mask;
        }
        let (mut at, mut shifted) = (hole, false);
        loop {
            at = (at + 1) & mask;
            let gap = at.wrapping_sub(hole) & mask;
            // Whoever lies further behind the hole than any word from its home, has its home behind the hole.
            if gap > self.reach {
                break;
            }
            let word = self.word(at).get();
            if word == 0 {
                break;
            }
            // A word may move back to the hole unless its home lies behind the hole.
            let distance = at.wrapping_sub(tag_of(word) as usize) & mask;
            if distance >= gap {
                if !shifted {
                    shifted = true;
                    self.count_shift();
                }
                self.word(hole).publish(word);
                hole = at;
            }
        }
        self.word(hole).publish(0);
        if shifted {
            self.count_shift();
        }
    }

    fn close(words: &Vec<W>) {
        // The count is odd from now on: whoever finds nothing here is not sure.
        if let Some((count, words)) = words.split_last() {
            count.publish(count.get() | 1);
            for word in words {
                word.publish(0);
            }
        }
    }
}

#[cfg(test)]
impl<W: Word> WordIndex<W> {
    /// How far the words lie from their homes: at most, and on average.
    pub fn distances(&self) -> (usize, f64) {
        let words = self.words[..self.len()].iter().map(W::get).enumerate().filter(|&(_, word)| word != 0);
        let distances = words.map(|(at, word)| at.wrapping_sub(tag_of(word) as usize) & self.mask);
        (self.reach, distances.clone().sum::<usize>() as f64 / distances.count() as f64)
    }

    /// Whether the table scatters its keys.
    pub fn mixes(&self) -> bool {
        self.factor == SCATTER
    }
}
