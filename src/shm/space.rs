//! The words of a region, by section, and how slots are written in them.
//!
//! A slot is one cache line that never becomes anything else while an entry's [`Token`] is about:
//!
//! | word | what |
//! |---|---|
//! | `WORD` | version, the slot's own number, visited, live: the entry's token is this word, marked as visited |
//! | `HASH` | of the key |
//! | `PLACE` | the block in the arena (low half), the next slot of the same head (high half) |
//! | `LENS` | bytes of the key (low half), bytes of the value, and whether the block begins with terms (top bit) |
//! | `RING` | the next newer slot (low half), the next older one (high half); of free slots: the next free one |
//! | `READ` | when it was last read, for entries that mind |
//! | `CLAIM` | who makes it anew |
//! | `CHECK` | over value, terms, lengths and hash |
//!
//! The protocol is a seqlock for each slot (Boehm, "Can seqlocks get along with programming language memory models?", MSPC
//! 2012): who writes makes `WORD` not live, has a release fence, writes, and stores a new `WORD`; who reads loads `WORD`, reads,
//! has an acquire fence, and looks whether it still stands. Versions come from one counter, so that no word comes
//! again before the counter has gone round: after 2^42 stores in a region of 64 MiB, weeks of nothing else.

use super::layout::{Geometry, PROCESS_WORDS, SLOT_UNITS, SLOT_WORDS, UNIT_WORDS, state};
use super::map::Map;
use crate::core::atomics::{AtomicU64, Ordering, fence};

pub const WORD: usize = 0;
pub const HASH: usize = 1;
pub const PLACE: usize = 2;
pub const LENS: usize = 3;
pub const RING: usize = 4;
pub const READ: usize = 5;
pub const CLAIM: usize = 6;
pub const CHECK: usize = 7;

/// The entry stands, and is whole.
pub const LIVE: u64 = 1;
/// It was read since the hand last passed.
pub const VISITED: u64 = 2;
const ID_SHIFT: u32 = 2;

/// In the lengths: the block begins with three words of terms.
pub const HAS_TERMS: u64 = 1 << 63;
/// Words of terms.
pub const TERMS_WORDS: usize = 3;

/// The words of one slot.
pub type RegionSlot = [AtomicU64; SLOT_WORDS];

/// The words of the state.
pub type StateWords = [AtomicU64; state::WORDS];

/// The low half of a word.
#[inline(always)]
pub const fn low(word: u64) -> u32 {
    word as u32
}

/// The high half of a word.
#[inline(always)]
pub const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

/// A word of two halves.
#[inline(always)]
pub const fn halves(low: u32, high: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

/// Whether a slot's word is still the one seen before, visited or not.
#[inline(always)]
pub const fn same(word: u64, seen: u64) -> bool {
    (word ^ seen) & !VISITED == 0
}

/// How many words so many bytes need.
#[inline(always)]
pub const fn words_of(bytes: usize) -> usize {
    // Not `div_ceil`: no number of bytes is so large that the sum goes round.
    ((bytes as u64 + 7) >> 3) as usize
}

/// Where an entry's bytes lie: words of the arena, held against its bounds.
#[derive(Clone, Copy)]
pub struct Extent {
    /// The first word: terms, if there are any.
    pub start: usize,
    /// Words of terms.
    pub terms: usize,
    /// Bytes of the key.
    pub key: usize,
    /// Bytes of the value.
    pub value: usize,
}

impl Extent {
    /// The same in a block that begins at this unit.
    #[inline(always)]
    pub const fn at(&self, block: u32) -> Self {
        Self { start: block as usize * UNIT_WORDS + 1, ..*self }
    }

    /// The first word of the key.
    #[inline(always)]
    pub const fn key_start(&self) -> usize {
        self.start + self.terms
    }

    /// The first word of the value.
    #[inline(always)]
    pub const fn value_start(&self) -> usize {
        self.key_start() + words_of(self.key)
    }

    /// Units of the whole block, its tag included.
    #[inline(always)]
    pub const fn units(&self) -> u64 {
        (1 + self.terms as u64 + words_of(self.key) as u64 + words_of(self.value) as u64).div_ceil(UNIT_WORDS as u64)
    }

    /// The lengths as a slot has them.
    pub const fn lens(&self) -> u64 {
        halves(self.key as u32, self.value as u32) | if self.terms > 0 { HAS_TERMS } else { 0 }
    }
}

/// Half a word, which leads to the first slot of some hashes.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    word: &'a AtomicU64,
    shift: u32,
}

impl Head<'_> {
    /// The first slot, or 0.
    #[inline(always)]
    pub fn first(self) -> u32 {
        // Acquire: pairs with the Release in `set`.
        low(self.word.load(Ordering::Acquire) >> self.shift)
    }

    /// Only under the lock.
    #[inline(always)]
    pub fn set(self, id: u32) {
        // Relaxed: only writers write here, one at a time.
        let other = self.word.load(Ordering::Relaxed) & !(0xFFFF_FFFF << self.shift);
        // Release: pairs with the Acquire in `first`.
        self.word.store(other | u64::from(id) << self.shift, Ordering::Release);
    }
}

/// A region's words.
pub struct Space {
    map: Map,
    /// Where everything lies.
    pub geometry: Geometry,
    /// The region's random number.
    pub seed: u64,
    id_mask: u64,
    version_shift: u32,
}

impl Space {
    /// Takes a map of the geometry's size.
    pub fn new(map: Map, geometry: Geometry, seed: u64) -> Self {
        assert!(map.words().len() as u64 * 8 == geometry.file, "a map of another size");
        let bits = (geometry.units() / SLOT_UNITS).next_power_of_two().trailing_zeros();
        Self { map, geometry, seed, id_mask: (1 << bits) - 1, version_shift: ID_SHIFT + bits }
    }

    /// All words.
    #[inline(always)]
    pub fn words(&self) -> &[AtomicU64] {
        self.map.words()
    }

    /// The words of the state.
    #[inline(always)]
    pub fn states(&self) -> &StateWords {
        let Some((state, _)) = self.words()[self.geometry.state..].split_first_chunk() else {
            unreachable!("a map of the geometry's size")
        };
        state
    }

    /// A word of the state.
    #[inline(always)]
    pub fn state(&self, at: usize) -> &AtomicU64 {
        &self.states()[at]
    }

    /// The words of the arena.
    #[inline(always)]
    pub fn arena(&self) -> &[AtomicU64] {
        &self.words()[self.geometry.arena..]
    }

    /// A process's line.
    pub fn process(&self, line: usize) -> &[AtomicU64] {
        &self.words()[self.geometry.processes + line * PROCESS_WORDS..][..PROCESS_WORDS]
    }

    /// The slot of this number, if there can be one. Number 0 is none.
    #[inline(always)]
    pub fn slot(&self, id: u32) -> Option<&RegionSlot> {
        if id == 0 {
            return None;
        }
        self.arena().get(id as usize * SLOT_WORDS..)?.first_chunk()
    }

    /// The number of the slot that a word belongs to.
    #[inline(always)]
    pub const fn id(&self, word: u64) -> u32 {
        (word >> ID_SHIFT & self.id_mask) as u32
    }

    /// The version in a slot's word.
    pub const fn version(&self, word: u64) -> u64 {
        word >> self.version_shift
    }

    /// A slot's word, not live.
    pub const fn word(&self, id: u32, version: u64) -> u64 {
        version << self.version_shift | (id as u64) << ID_SHIFT
    }

    /// Which head keys of this hash have.
    #[inline(always)]
    pub const fn bucket(&self, hash: u64) -> usize {
        // The upper bits: users may want the lower ones.
        (hash >> 32) as usize & (self.geometry.heads_len - 1)
    }

    /// A head.
    #[inline(always)]
    pub fn head(&self, bucket: usize) -> Head<'_> {
        Head { word: &self.words()[self.geometry.heads + bucket / 2], shift: (bucket as u32 & 1) * 32 }
    }

    /// Where the bytes of an entry lie, if that is within the arena.
    #[inline(always)]
    pub fn extent(&self, place: u64, lens: u64) -> Option<Extent> {
        let extent = Extent {
            start: low(place) as usize * UNIT_WORDS + 1,
            terms: if lens & HAS_TERMS == 0 { 0 } else { TERMS_WORDS },
            key: low(lens) as usize,
            value: high(lens & !HAS_TERMS) as usize,
        };
        let end = extent.value_start() + words_of(extent.value);
        (low(place) != 0 && end <= self.geometry.arena_words).then_some(extent)
    }

    /// Takes a slot out of its readers' sight. Only under the lock.
    #[inline(always)]
    pub fn kill(&self, slot: &RegionSlot) -> u64 {
        // Relaxed, but a read-modify-write: readers may mark it at this moment. Writers change it one at a time.
        let word = slot[WORD].fetch_and(!(LIVE | VISITED), Ordering::Relaxed);
        // Release: whoever sees anything that is written from now on sees the word changed, by the Acquire fence in `stands`.
        fence(Ordering::Release);
        word
    }

    /// Before anything is written under the lock, which has just been taken. What other processes have done before is this one's to
    /// pass on: readers see its writes, and know of no lock.
    ///
    /// - Slots and blocks are written again that another process took out of sight, whose fence orders its own writes alone.
    /// - Entries are unmarked that another process has published, by a store that takes the place of that one's.
    #[inline(always)]
    pub fn begin(&self) {
        // Release: pairs with the Acquire fence in `stands`, and with the Acquire loads of slots' words.
        fence(Ordering::Release);
    }

    /// Whether what was read since `seen` was loaded belongs to it.
    #[inline(always)]
    pub fn stands(&self, slot: &RegionSlot, seen: u64) -> bool {
        // Acquire: pairs with the Release fences in `kill` and `begin`.
        fence(Ordering::Acquire);
        // Relaxed: the fence orders it.
        same(slot[WORD].load(Ordering::Relaxed), seen)
    }
}

/// Fewer than eight bytes as a word; what lies beyond their end is zero.
#[inline(always)]
fn last_word(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // Two halves that may overlap, with the same bytes where they do.
        let last = u64::from(u32::from_le_bytes(*last));
        return u64::from(u32::from_le_bytes(*first)) | last << ((len as u32 * 8).wrapping_sub(32) & 63);
    }
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

/// Copies bytes in. The words are as many as they need.
#[inline(always)]
pub fn copy_in(words: &[AtomicU64], bytes: &[u8]) {
    let (whole, rest) = bytes.as_chunks::<8>();
    // Relaxed: the slot's word publishes them.
    for (word, eight) in words.iter().zip(whole) {
        word.store(u64::from_le_bytes(*eight), Ordering::Relaxed);
    }
    if let (false, Some(word)) = (rest.is_empty(), words.get(whole.len())) {
        word.store(last_word(rest), Ordering::Relaxed);
    }
}

/// Copies so many bytes out; the words are as many as they need. False: there is no memory for them.
#[inline]
pub fn copy_out(words: &[AtomicU64], len: usize, bytes: &mut Vec<u8>) -> bool {
    bytes.clear();
    if bytes.try_reserve(words.len() * 8).is_err() {
        return false;
    }
    let (places, _) = bytes.spare_capacity_mut().as_chunks_mut::<8>();
    for (place, word) in places.iter_mut().zip(words) {
        // Relaxed: the slot's word tells whether they belonged together.
        let eight = word.load(Ordering::Relaxed).to_le_bytes();
        *place = eight.map(std::mem::MaybeUninit::new);
    }
    // SAFETY: each word filled eight bytes, and `len` is no more than all of them.
    unsafe { bytes.set_len(len.min(words.len() * 8)) };
    true
}

/// Whether the words hold these bytes, as many as they need.
#[inline]
pub fn equal(words: &[AtomicU64], bytes: &[u8]) -> bool {
    let (whole, rest) = bytes.as_chunks::<8>();
    // Relaxed: the slot's word tells whether they belonged together.
    words.iter().zip(whole).all(|(word, eight)| word.load(Ordering::Relaxed) == u64::from_le_bytes(*eight))
        && (rest.is_empty()
            || words.get(whole.len()).is_some_and(|word| word.load(Ordering::Relaxed) == last_word(rest)))
}
