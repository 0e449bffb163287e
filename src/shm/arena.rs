//! The arena: blocks of any size, side by side, with free ones filed by size.
//!
//! Two-level segregated fit (Masmano et al., "TLSF: a new dynamic memory allocator for real-time systems", ECRTS 2004), with
//! boundary tags: each block begins with its own size and that of the block before it, so that neighbours are found and
//! free ones grow together. Only the lock's holder comes here. What does not fit together is [`Damaged`], never followed.

use super::layout::{BINS_OF_LEVEL, LEVELS, SLOT_UNITS, UNIT_WORDS, state};
use super::space::{Space, StateWords, halves, high, low};
use crate::core::atomics::{AtomicU64, Ordering::Relaxed};

/// The region's structures contradict each other: they are to be made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// The words of a unit.
type Unit = [AtomicU64; UNIT_WORDS];

const USED: u32 = 1 << 31;
/// The first block, which is never free, so that 0 can mean none and no slot has number 0.
pub const FIRST: u32 = SLOT_UNITS;
/// How many blocks of a bin are looked at that may be too small.
const LOOKS: u32 = 8;

/// Where blocks of so many units are filed.
fn bin_of(units: u32) -> (usize, usize) {
    match units.checked_ilog2() {
        None | Some(0..4) => (0, units as usize),
        Some(log) => (log as usize - 3, (units >> (log - 4)) as usize & (BINS_OF_LEVEL - 1)),
    }
}

/// The least bin all of whose blocks have so many units.
fn bin_above(units: u32) -> (usize, usize) {
    let round = units.checked_ilog2().filter(|&log| log >= 4).map_or(0, |log| (1 << (log - 4)) - 1);
    bin_of(units.saturating_add(round))
}

/// A tag.
#[derive(Clone, Copy)]
struct Tag {
    size: u32,
    before: u32,
    used: bool,
}

/// The arena under the lock. Sizes and places are in units.
#[derive(Clone, Copy)]
pub struct Arena<'a> {
    state: &'a StateWords,
    units: &'a [Unit],
}

// Relaxed throughout: only the lock's holder reads or writes here.
impl<'a> Arena<'a> {
    /// The caller holds the lock.
    #[inline(always)]
    pub fn new(space: &'a Space) -> Self {
        Self { state: space.states(), units: space.arena().as_chunks().0 }
    }

    fn end(&self) -> u32 {
        self.units.len() as u32 - 1
    }

    #[inline(always)]
    fn unit(&self, at: u32) -> Result<&'a Unit, Damaged> {
        self.units.get(at as usize).ok_or(Damaged)
    }

    #[inline(always)]
    fn word(&self, at: u32, word: usize) -> Result<&'a AtomicU64, Damaged> {
        self.unit(at).map(|unit| &unit[word])
    }

    #[inline(always)]
    fn tag(&self, at: u32) -> Result<Tag, Damaged> {
        let word = self.word(at, 0)?.load(Relaxed);
        let tag = Tag { size: low(word), before: high(word) & !USED, used: high(word) & USED != 0 };
        let fits = tag.size > 0 && u64::from(at) + u64::from(tag.size) <= u64::from(self.end()) + 1;
        if fits && tag.before <= at { Ok(tag) } else { Err(Damaged) }
    }

    fn set_tag(&self, at: u32, tag: Tag) -> Result<(), Damaged> {
        self.word(at, 0)?.store(halves(tag.size, tag.before | if tag.used { USED } else { 0 }), Relaxed);
        Ok(())
    }

    fn set_before(&self, at: u32, before: u32) -> Result<(), Damaged> {
        let tag = self.tag(at)?;
        self.set_tag(at, Tag { before, ..tag })
    }

    fn bin(&self, (level, bin): (usize, usize)) -> &'a AtomicU64 {
        &self.state[state::BLOCKS + level * BINS_OF_LEVEL + bin]
    }

    fn file(&self, at: u32, size: u32) -> Result<(), Damaged> {
        let place = bin_of(size);
        let first = self.bin(place).load(Relaxed) as u32;
        self.word(at, 1)?.store(halves(first, 0), Relaxed);
        if first != 0 {
            let links = self.word(first, 1)?;
            links.store(halves(low(links.load(Relaxed)), at), Relaxed);
        }
        self.bin(place).store(u64::from(at), Relaxed);
        let bins = &self.state[state::BINS + place.0];
        bins.store(bins.load(Relaxed) | 1 << place.1, Relaxed);
        let levels = &self.state[state::LEVELS];
        levels.store(levels.load(Relaxed) | 1 << place.0, Relaxed);
        Ok(())
    }

    fn unfile(&self, at: u32, size: u32) -> Result<(), Damaged> {
        let place = bin_of(size);
        let links = self.word(at, 1)?.load(Relaxed);
        let (next, last) = (low(links), high(links));
        if next != 0 {
            let links = self.word(next, 1)?;
            if high(links.load(Relaxed)) != at {
                return Err(Damaged);
            }
            links.store(halves(low(links.load(Relaxed)), last), Relaxed);
        }
        if last != 0 {
            let links = self.word(last, 1)?;
            if low(links.load(Relaxed)) != at {
                return Err(Damaged);
            }
            links.store(halves(next, high(links.load(Relaxed))), Relaxed);
            return Ok(());
        }
        if self.bin(place).load(Relaxed) != u64::from(at) {
            return Err(Damaged);
        }
        self.bin(place).store(u64::from(next), Relaxed);
        if next == 0 {
            let bins = &self.state[state::BINS + place.0];
            let left = bins.load(Relaxed) & !(1 << place.1);
            bins.store(left, Relaxed);
            if left == 0 {
                let levels = &self.state[state::LEVELS];
                levels.store(levels.load(Relaxed) & !(1 << place.0), Relaxed);
            }
        }
        Ok(())
    }

    /// A free block of so many units at least, still filed.
    fn find(&self, units: u32) -> Result<Option<(u32, Tag)>, Damaged> {
        let above = bin_above(units);
        if let Some(at) = self.first_from(above) {
            let tag = self.tag(at)?;
            return if tag.used || tag.size < units { Err(Damaged) } else { Ok(Some((at, tag))) };
        }
        // Some of the bin below may do.
        let mut at = self.bin(bin_of(units)).load(Relaxed) as u32;
        for _ in 0..LOOKS {
            if at == 0 {
                break;
            }
            let tag = self.tag(at)?;
            if tag.used {
                return Err(Damaged);
            }
            if tag.size >= units {
                return Ok(Some((at, tag)));
            }
            at = low(self.word(at, 1)?.load(Relaxed));
        }
        Ok(None)
    }

    /// The first block of the first bin from here on that has any.
    fn first_from(&self, (level, bin): (usize, usize)) -> Option<u32> {
        if level >= LEVELS {
            return None;
        }
        let here = self.state[state::BINS + level].load(Relaxed) & (u64::MAX << bin);
        let place = if here != 0 {
            (level, here.trailing_zeros() as usize)
        } else {
            let levels = self.state[state::LEVELS].load(Relaxed) & (u64::MAX << level << 1);
            let level = levels.trailing_zeros() as usize;
            if level >= LEVELS {
                return None;
            }
            (level, self.state[state::BINS + level].load(Relaxed).trailing_zeros() as usize)
        };
        if place.1 >= BINS_OF_LEVEL {
            return None;
        }
        Some(self.bin(place).load(Relaxed) as u32).filter(|&at| at != 0)
    }

    /// Takes a block. None: there is none so large.
    pub fn take(&self, units: u32) -> Result<Option<u32>, Damaged> {
        let Some((at, tag)) = self.find(units)? else { return Ok(None) };
        self.unfile(at, tag.size)?;
        let rest = tag.size - units;
        self.set_before(at + tag.size, if rest > 0 { rest } else { tag.size })?;
        self.set_tag(at, Tag { size: units, before: tag.before, used: true })?;
        if rest > 0 {
            self.set_tag(at + units, Tag { size: rest, before: units, used: false })?;
            self.file(at + units, rest)?;
        }
        Ok(Some(at))
    }

    /// Takes a block for so many slots, from the end of a free one. Gives the unit of its first slot.
    pub fn take_slots(&self, slots: u32) -> Result<Option<u32>, Damaged> {
        let slots = slots * SLOT_UNITS;
        let Some((at, tag)) = self.find(slots + SLOT_UNITS + 1)? else { return Ok(None) };
        let first = (at + tag.size - slots) / SLOT_UNITS * SLOT_UNITS;
        let rest = first - 1 - at;
        self.unfile(at, tag.size)?;
        self.set_before(at + tag.size, tag.size - rest)?;
        let before = if rest > 0 { rest } else { tag.before };
        self.set_tag(first - 1, Tag { size: tag.size - rest, before, used: true })?;
        if rest > 0 {
            self.set_tag(at, Tag { size: rest, before: tag.before, used: false })?;
            self.file(at, rest)?;
        }
        Ok(Some(first))
    }

    /// Gives a block back.
    pub fn give(&self, at: u32) -> Result<(), Damaged> {
        let tag = self.tag(at)?;
        if !tag.used || at <= FIRST || at >= self.end() {
            return Err(Damaged);
        }
        let (mut start, mut size, mut before) = (at, tag.size, tag.before);
        let next = self.tag(at + size)?;
        if next.before != size {
            return Err(Damaged);
        }
        if !next.used {
            self.unfile(at + tag.size, next.size)?;
            size += next.size;
        }
        let last = self.tag(at - tag.before)?;
        if tag.before == 0 || last.size != tag.before {
            return Err(Damaged);
        }
        if !last.used {
            start = at - tag.before;
            self.unfile(start, last.size)?;
            size += last.size;
            before = last.before;
        }
        self.set_before(start + size, size)?;
        self.set_tag(start, Tag { size, before, used: false })?;
        self.file(start, size)
    }

    /// Whether a used block of so many units begins here.
    #[inline(always)]
    pub fn is_block(&self, at: u32, units: u32) -> Result<bool, Damaged> {
        let tag = self.tag(at)?;
        Ok(tag.used && tag.size == units && at > FIRST && at < self.end())
    }

    /// How many units the block has that begins here.
    pub fn size(&self, at: u32) -> Result<u32, Damaged> {
        self.tag(at).map(|tag| tag.size)
    }

    /// Makes all anew: used blocks are those given, in order, as place and size; the rest is free.
    pub fn lay_out(&self, used: impl Iterator<Item = (u32, u32)>) -> Result<(), Damaged> {
        for word in &self.state[state::LEVELS..] {
            word.store(0, Relaxed);
        }
        let first = [(0, FIRST + 1)].into_iter();
        let last = [(self.end(), 1)].into_iter();
        let (mut at, mut before) = (0, 0);
        for (start, size) in first.chain(used).chain(last) {
            let gap = start.checked_sub(at).ok_or(Damaged)?;
            if gap > 0 {
                self.set_tag(at, Tag { size: gap, before, used: false })?;
                self.file(at, gap)?;
                before = gap;
            }
            self.set_tag(start, Tag { size, before, used: true })?;
            (at, before) = (start + size, size);
        }
        Ok(())
    }

    /// The longest block that there can ever be beside so many slabs of so many slots.
    pub fn largest(&self, slabs: u64, slab_slots: u32) -> u64 {
        let slabs = slabs.max(1) * (u64::from(slab_slots) + 1) * u64::from(SLOT_UNITS);
        u64::from(self.end() - FIRST - 1).saturating_sub(slabs)
    }

    /// Walks over all blocks. Gives the units that are free, those of the longest free block, and how many blocks are used.
    pub fn survey(&self) -> Result<Survey, Damaged> {
        let (mut at, mut before, mut last_free) = (0, 0, false);
        let mut survey = Survey { free: 0, longest: 0, used: 0 };
        while at <= self.end() {
            let tag = self.tag(at)?;
            if tag.before != before || (last_free && !tag.used) {
                return Err(Damaged);
            }
            if tag.used {
                survey.used += 1;
            } else {
                survey.free += u64::from(tag.size);
                survey.longest = survey.longest.max(tag.size);
            }
            last_free = !tag.used;
            (at, before) = (at + tag.size, tag.size);
        }
        if at == self.end() + 1 { Ok(survey) } else { Err(Damaged) }
    }
}

/// What [`Arena::survey`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Units that are free.
    pub free: u64,
    /// Units of the longest free block.
    pub longest: u32,
    /// Blocks that are used, the first and the last included.
    pub used: u64,
}
