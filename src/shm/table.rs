//! What writers do, one at a time, under the lock: entries in and out, SIEVE over all of them.
//!
//! The order of steps is such that a process may die between any two: an entry is whole before it is live, and not live before
//! anything of it is used again. What else is then out of order (links, the arena's tags, counts) is made anew from the slots
//! by `rebuild.rs`.

use super::arena::{Arena, Damaged};
use super::hooks::{Step, at};
use super::layout::state;
use super::read::{age, check_of};
use super::space::*;
use super::types::Token;
use crate::backend::Now;
use crate::core::atomics::{AtomicU64, Ordering, Ordering::Relaxed};
use crate::core::expiry::{Age, Terms};

/// The table under the lock.
pub struct Table<'a> {
    pub(super) space: &'a Space,
    state: &'a StateWords,
    /// The words of the arena.
    words: &'a [AtomicU64],
    /// The arena as slots, most of which it is not.
    slots: &'a [RegionSlot],
    pub(super) arena: Arena<'a>,
}

/// An entry that has left all lists. Its slot and its block are not free yet.
struct Unlinked<'a> {
    id: u32,
    slot: &'a RegionSlot,
    block: u32,
    units: u32,
}

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
    /// The caller has just taken the lock.
    #[inline(always)]
    pub fn new(space: &'a Space) -> Self {
        space.begin();
        let words = space.arena();
        Self { space, state: space.states(), words, slots: words.as_chunks().0, arena: Arena::new(space) }
    }

    #[inline(always)]
    pub(super) fn get(&self, at: usize) -> u64 {
        self.state[at].load(Relaxed)
    }

    #[inline(always)]
    pub(super) fn set(&self, at: usize, value: u64) {
        self.state[at].store(value, Relaxed);
    }

    /// Adds to a number of the state. Damaged ones wrap around.
    #[inline(always)]
    pub(super) fn add(&self, at: usize, more: u64) {
        self.set(at, self.get(at).wrapping_add(more));
    }

    #[inline(always)]
    pub(super) fn slot(&self, id: u32) -> Result<&'a RegionSlot, Damaged> {
        let slot = self.slots.get(id as usize).ok_or(Damaged)?;
        // A slot knows its number: links that lead elsewhere are found out before anything is written there. Number 0 is none.
        if id != 0 && self.space.id(slot[WORD].load(Relaxed)) == id { Ok(slot) } else { Err(Damaged) }
    }

    /// Entries; no more than there can be, whatever stands there.
    #[inline(always)]
    fn len(&self) -> u64 {
        self.get(state::LEN).min(self.slots.len() as u64)
    }

    /// A version that no slot has had.
    pub(super) fn next_version(&self) -> u64 {
        let version = self.get(state::VERSION).wrapping_add(1);
        self.set(state::VERSION, version);
        version
    }

    /// The head of this hash.
    #[inline(always)]
    pub fn head(&self, hash: u64) -> Head<'a> {
        self.space.head(self.space.bucket(hash))
    }

    /// The slot of the key's entry.
    #[inline(always)]
    pub fn find(&self, head: Head<'_>, hash: u64, key: &[u8]) -> Result<Option<u32>, Damaged> {
        let mut id = head.first();
        let mut left = self.len();
        while id != 0 {
            left = left.checked_sub(1).ok_or(Damaged)?;
            let slot = self.slot(id)?;
            let place = slot[PLACE].load(Relaxed);
            if slot[HASH].load(Relaxed) == hash {
                let extent = self.space.extent(place, slot[LENS].load(Relaxed)).ok_or(Damaged)?;
                if extent.key == key.len() && equal(&self.words[extent.key_start()..extent.value_start()], key) {
                    return Ok(Some(id));
                }
            }
            id = high(place);
        }
        Ok(None)
    }

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

    #[inline(always)]
    fn extent(&self, slot: &RegionSlot) -> Result<Extent, Damaged> {
        self.space.extent(slot[PLACE].load(Relaxed), slot[LENS].load(Relaxed)).ok_or(Damaged)
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

    #[inline(always)]
    pub(super) fn link_newest(&self, id: u32, slot: &RegionSlot) -> Result<(), Damaged> {
        let newest = self.get(state::NEWEST) as u32;
        slot[RING].store(halves(0, newest), Relaxed);
        if newest == 0 {
            self.set(state::OLDEST, u64::from(id));
        } else {
            let ring = &self.slot(newest)?[RING];
            ring.store(halves(id, high(ring.load(Relaxed))), Relaxed);
        }
        self.set(state::NEWEST, u64::from(id));
        Ok(())
    }

    /// A slot, from the free ones, a new slab, or an entry.
    fn take_slot(&self) -> Result<(u32, &'a RegionSlot), Damaged> {
        loop {
            let id = self.get(state::FREE_SLOT) as u32;
            if id != 0 {
                let slot = self.slot(id)?;
                if slot[WORD].load(Relaxed) & LIVE != 0 {
                    return Err(Damaged);
                }
                self.set(state::FREE_SLOT, slot[RING].load(Relaxed));
                at(Step::SlotTaken);
                return Ok((id, slot));
            }
            if !self.add_slab()? && !self.evict_one()? {
                return Err(Damaged);
            }
        }
    }

    /// The list of slabs: unit numbers of their first slots.
    pub(super) fn slabs(&self) -> &'a [AtomicU64] {
        let geometry = &self.space.geometry;
        &self.space.words()[geometry.slabs..][..geometry.slabs_len]
    }

    /// Makes more slots. False: there is no room, or there are as many as ever needed.
    fn add_slab(&self) -> Result<bool, Damaged> {
        let count = self.get(state::SLABS);
        let Some(place) = usize::try_from(count).ok().and_then(|count| self.slabs().get(count)) else {
            return Ok(false);
        };
        let slots = self.space.geometry.slab_slots;
        let Some(first) = self.arena.take_slots(slots)? else { return Ok(false) };
        at(Step::SlabTaken);
        let first_id = first / super::layout::SLOT_UNITS;
        for id in first_id..first_id + slots {
            let slot = self.slots.get(id as usize).ok_or(Damaged)?;
            for word in &slot[1..] {
                word.store(0, Relaxed);
            }
            slot[WORD].store(self.space.word(id, self.next_version()), Relaxed);
        }
        // Before the slab is counted: it may not be listed with what lay there.
        // Release: pairs with the Acquire of the lock, whoever takes it next.
        place.store(u64::from(first), Ordering::Release);
        self.space.state(state::SLABS).store(count + 1, Ordering::Release);
        at(Step::SlabListed);
        for id in (first_id..first_id + slots).rev() {
            self.free_slot(id, self.slot(id)?);
        }
        Ok(true)
    }

    pub(super) fn free_slot(&self, id: u32, slot: &RegionSlot) {
        slot[RING].store(self.get(state::FREE_SLOT), Relaxed);
        self.set(state::FREE_SLOT, u64::from(id));
    }

    /// Evicts one entry, and frees what it had. False: there is none.
    #[inline(never)]
    fn evict_one(&self) -> Result<bool, Damaged> {
        let Some(gone) = self.evict()? else { return Ok(false) };
        self.free_unlinked(&gone)?;
        Ok(true)
    }

    /// Evicts one entry, as SIEVE has it. None: there is none.
    #[inline(always)]
    fn evict(&self) -> Result<Option<Unlinked<'a>>, Damaged> {
        let len = self.len();
        if len == 0 {
            return Ok(None);
        }
        let or_oldest = |id| if id == 0 { self.get(state::OLDEST) as u32 } else { id };
        let mut id = or_oldest(self.get(state::HAND) as u32);
        let mut slot = self.slot(id)?;
        // Readers mark while the hand walks, so that twice around is not always enough.
        for _ in 0..len * 2 + 2 {
            // Relaxed: a hint; no reader waits for it. While it is marked, nobody else writes there.
            let word = slot[WORD].load(Relaxed);
            if word & VISITED == 0 {
                break;
            }
            // Relaxed, behind the Release fence in `Space::begin`, which pairs with the Acquire of readers: this takes the place of
            // the store that published the entry, perhaps another process's.
            slot[WORD].store(word & !VISITED, Relaxed);
            id = or_oldest(low(slot[RING].load(Relaxed)));
            slot = self.slot(id)?;
        }
        self.set(state::HAND, u64::from(id));
        let gone = self.unlink(id, slot)?;
        self.add(state::EVICTIONS, 1);
        Ok(Some(gone))
    }

    /// Takes an entry out, for good.
    pub fn take_out(&self, id: u32) -> Result<(), Damaged> {
        let gone = self.unlink(id, self.slot(id)?)?;
        self.free_unlinked(&gone)
    }

    /// Frees what an entry had.
    fn free_unlinked(&self, gone: &Unlinked<'_>) -> Result<(), Damaged> {
        self.give_block(gone.block, gone.units)?;
        at(Step::BlockGiven);
        self.free_slot(gone.id, gone.slot);
        Ok(())
    }

    /// Takes an entry out of all lists.
    #[inline(always)]
    fn unlink(&self, id: u32, slot: &'a RegionSlot) -> Result<Unlinked<'a>, Damaged> {
        let word = self.space.kill(slot);
        if word & LIVE == 0 {
            return Err(Damaged);
        }
        at(Step::Killed);
        let extent = self.extent(slot)?;
        self.unlink_head(id, slot)?;
        at(Step::OutOfHead);
        self.unlink_ring(id, slot)?;
        at(Step::OutOfRing);
        self.add(state::LEN, u64::MAX);
        self.add(state::BYTES, ((extent.key + extent.value) as u64).wrapping_neg());
        // Within the arena, whose units are so many.
        Ok(Unlinked { id, slot, block: low(slot[PLACE].load(Relaxed)), units: extent.units() as u32 })
    }

    fn give_block(&self, block: u32, units: u32) -> Result<(), Damaged> {
        if self.arena.size(block)? != units {
            return Err(Damaged);
        }
        self.arena.give(block)
    }

    #[inline(always)]
    fn unlink_head(&self, id: u32, slot: &RegionSlot) -> Result<(), Damaged> {
        let head = self.head(slot[HASH].load(Relaxed));
        let next = high(slot[PLACE].load(Relaxed));
        let mut at = head.first();
        if at == id {
            head.set(next);
            return Ok(());
        }
        for _ in 0..self.len() {
            let place = &self.slot(at)?[PLACE];
            let seen = place.load(Relaxed);
            if high(seen) == id {
                // Release: pairs with the Acquire of the next slot's word: `next` was published before it was linked.
                place.store(halves(low(seen), next), Ordering::Release);
                return Ok(());
            }
            at = high(seen);
        }
        Err(Damaged)
    }

    #[inline(always)]
    fn unlink_ring(&self, id: u32, slot: &RegionSlot) -> Result<(), Damaged> {
        let ring = slot[RING].load(Relaxed);
        let (newer, older) = (low(ring), high(ring));
        if self.get(state::HAND) == u64::from(id) {
            self.set(state::HAND, u64::from(newer));
        }
        if newer == 0 {
            self.set(state::NEWEST, u64::from(older));
        } else {
            let ring = &self.slot(newer)?[RING];
            ring.store(halves(low(ring.load(Relaxed)), older), Relaxed);
        }
        if older == 0 {
            self.set(state::OLDEST, u64::from(newer));
        } else {
            let ring = &self.slot(older)?[RING];
            ring.store(halves(newer, high(ring.load(Relaxed))), Relaxed);
        }
        Ok(())
    }

    /// Drops all entries, keeps the slots.
    pub fn clear(&self) -> Result<(), Damaged> {
        while self.get(state::LEN) > 0 {
            self.take_out(self.get(state::OLDEST) as u32)?;
            at(Step::Clearing);
        }
        Ok(())
    }
}
