//! Entries that come into a region, under the lock.

use super::arena::Damaged;
use super::hooks::{Step, at};
use super::layout::state;
use super::queue::Unlinked;
use super::read::{age, check_of};
use super::space::{
    CHECK, CLAIM, Extent, HASH, Head, LENS, LIVE, PLACE, READ, RegionSlot, TERMS_WORDS, VISITED, WORD, copy_in, halves,
    high, low, same, words_of,
};
use super::table::Table;
use super::types::Token;
use crate::backend::Now;
use crate::core::atomics::{Ordering, Ordering::Relaxed};
use crate::core::expiry::{Age, Terms};

/// An entry to be stored.
pub struct NewEntry<'a> {
    /// The hash of the key.
    pub hash: u64,
    /// Its key.
    pub key: &'a [u8],
    /// Its value.
    pub value: &'a [u8],
    /// Until when it may be used.
    pub terms: &'a Terms,
    /// Now.
    pub now: &'a dyn Now,
}

impl NewEntry<'_> {
    /// What it would take up, in a block that is not known yet. None: no block is so long.
    #[inline(always)]
    fn extent(&self) -> Option<Extent> {
        let lengths = self.key.len() <= u32::MAX as usize && self.value.len() < 1 << 31;
        let terms = if *self.terms == Terms::NONE { 0 } else { TERMS_WORDS };
        let (key, value) = (self.key.len(), self.value.len());
        lengths.then_some(Extent { start: 0, terms, key, value })
    }
}

// Relaxed, where nothing else is said: only the lock's holder reads or writes it, or it is published by a slot's word.
impl<'a> Table<'a> {
    /// Stores. None: there is no room for it.
    #[inline(never)]
    pub fn store(&self, entry: &NewEntry<'_>) -> Result<Option<Token>, Damaged> {
        let Some(extent) = entry.extent() else { return Ok(None) };
        let slabs = self.get(state::SLABS);
        if slabs > self.space.geometry.slabs_len as u64 {
            return Err(Damaged);
        }
        let largest = self.arena.largest(slabs, self.space.geometry.slab_slots);
        if extent.units() > largest || self.space.geometry.maxsize == 0 {
            return Ok(None);
        }
        let head = self.head(entry.hash);
        if let Some(id) = self.find(head, entry.hash, entry.key)? {
            return self.store_again(id, entry);
        }
        if self.get(state::LEN) >= self.space.geometry.maxsize
            && let Some(gone) = self.evict()?
        {
            return self.store_over(&gone, head, extent, entry);
        }
        let (id, slot) = self.take_slot()?;
        self.store_new(id, slot, entry)
    }

    /// Stores what has an entry.
    #[inline(never)]
    fn store_again(&self, id: u32, entry: &NewEntry<'_>) -> Result<Option<Token>, Damaged> {
        let extent = entry.extent().ok_or(Damaged)?;
        let slot = self.slot(id)?;
        let seen = slot[WORD].load(Relaxed);
        if self.is_gone(slot, entry.now)? {
            self.add(state::EXPIRATIONS, 1);
        }
        let Some(block) = self.make_room(extent.units() as u32)? else { return Ok(None) };
        if same(slot[WORD].load(Relaxed), seen) {
            return self.replace(id, block, extent, entry).map(Some);
        }
        // Its own room was needed.
        let (id, slot) = self.take_slot()?;
        self.insert(id, slot, self.head(entry.hash), extent.at(block), block, entry).map(Some)
    }

    /// Stores in the slot of an entry that had to go, and in its block if that is as long as it takes.
    #[inline(always)]
    fn store_over(
        &self,
        gone: &Unlinked<'a>,
        head: Head<'_>,
        extent: Extent,
        entry: &NewEntry<'_>,
    ) -> Result<Option<Token>, Damaged> {
        if u64::from(gone.units) == extent.units() && self.arena.is_block(gone.block, gone.units)? {
            at(Step::BlockTaken);
            return self.insert(gone.id, gone.slot, head, extent.at(gone.block), gone.block, entry).map(Some);
        }
        self.give_block(gone.block, gone.units)?;
        at(Step::BlockGiven);
        self.store_new(gone.id, gone.slot, entry)
    }

    /// Stores in a slot that was taken.
    #[inline(never)]
    fn store_new(&self, id: u32, slot: &RegionSlot, entry: &NewEntry<'_>) -> Result<Option<Token>, Damaged> {
        let extent = entry.extent().ok_or(Damaged)?;
        let Some(block) = self.make_room(extent.units() as u32)? else {
            self.free_slot(id, slot);
            return Ok(None);
        };
        self.insert(id, slot, self.head(entry.hash), extent.at(block), block, entry).map(Some)
    }

    /// Whether an entry is past all its times.
    fn is_gone(&self, slot: &RegionSlot, now: &dyn Now) -> Result<bool, Damaged> {
        let terms = self.space.terms(&self.extent(slot)?);
        Ok(terms != Terms::NONE && age(slot, &terms, now.now()) == Age::Expired)
    }

    /// A block of so many units, for which entries are evicted. None: there is none even so.
    fn make_room(&self, units: u32) -> Result<Option<u32>, Damaged> {
        loop {
            if let Some(block) = self.arena.take(units)? {
                at(Step::BlockTaken);
                return Ok(Some(block));
            }
            if !self.evict_one()? {
                // Slabs may lie in between. If there is more than that, it is not as empty as it says.
                let survey = self.arena.survey()?;
                let empty = survey.used == self.get(state::SLABS) + 2 && survey.longest < units;
                return if empty { Ok(None) } else { Err(Damaged) };
            }
        }
    }

    /// Writes the entry's bytes into its block, which no reader can know yet.
    #[inline(always)]
    fn fill(&self, extent: &Extent, entry: &NewEntry<'_>) -> Result<(), Damaged> {
        let words = self.words.get(extent.start..).ok_or(Damaged)?;
        let (terms, words) = words.split_at_checked(extent.terms).ok_or(Damaged)?;
        let (key, words) = words.split_at_checked(words_of(extent.key)).ok_or(Damaged)?;
        let value = words.get(..words_of(extent.value)).ok_or(Damaged)?;
        for (word, time) in terms.iter().zip([entry.terms.fresh_until, entry.terms.stale_until, entry.terms.idle]) {
            word.store(time, Relaxed);
        }
        copy_in(key, entry.key);
        copy_in(value, entry.value);
        at(Step::BlockWritten);
        Ok(())
    }

    /// Writes a slot that is not live, and makes it so.
    #[inline(always)]
    fn publish(
        &self,
        id: u32,
        slot: &RegionSlot,
        block: u32,
        extent: &Extent,
        entry: &NewEntry<'_>,
        visited: bool,
    ) -> Token {
        let next = high(slot[PLACE].load(Relaxed));
        let lens = extent.lens();
        slot[HASH].store(entry.hash, Relaxed);
        slot[PLACE].store(halves(block, next), Relaxed);
        slot[LENS].store(lens, Relaxed);
        // Entries without terms don't mind when they were read.
        slot[READ].store(if extent.terms == 0 { 0 } else { entry.now.now() }, Relaxed);
        slot[CLAIM].store(0, Relaxed);
        slot[CHECK].store(check_of(self.space.seed, entry.hash, lens, entry.terms, entry.value), Relaxed);
        at(Step::SlotWritten);
        let word = self.space.word(id, self.next_version()) | LIVE | if visited { VISITED } else { 0 };
        // Release: pairs with the Acquire of readers.
        slot[WORD].store(word, Ordering::Release);
        at(Step::Published);
        self.add(state::BYTES, (extent.key + extent.value) as u64);
        Token(word | VISITED)
    }

    /// Puts another value in an entry's place in the queue, and marks it: storing is a request for it.
    fn replace(&self, id: u32, block: u32, extent: Extent, entry: &NewEntry<'_>) -> Result<Token, Damaged> {
        let extent = extent.at(block);
        self.fill(&extent, entry)?;
        let slot = self.slot(id)?;
        let (old, old_block) = (self.extent(slot)?, low(slot[PLACE].load(Relaxed)));
        self.space.kill(slot);
        at(Step::SlotKilled);
        let token = self.publish(id, slot, block, &extent, entry, true);
        self.add(state::BYTES, ((old.key + old.value) as u64).wrapping_neg());
        self.give_block(old_block, old.units() as u32)?;
        Ok(token)
    }

    /// Puts a new entry at the head of the queue.
    #[inline(always)]
    fn insert(
        &self,
        id: u32,
        slot: &RegionSlot,
        head: Head<'_>,
        extent: Extent,
        block: u32,
        entry: &NewEntry<'_>,
    ) -> Result<Token, Damaged> {
        self.fill(&extent, entry)?;
        // It is not live, so that nobody marks it.
        debug_assert!(slot[WORD].load(Relaxed) & LIVE == 0);
        at(Step::SlotKilled);
        slot[PLACE].store(halves(block, head.first()), Relaxed);
        self.add(state::LEN, 1);
        let token = self.publish(id, slot, block, &extent, entry, false);
        self.link_newest(id, slot)?;
        at(Step::InRing);
        head.set(id);
        at(Step::InHead);
        Ok(token)
    }
}
