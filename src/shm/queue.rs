//! The order in which a region's entries stand, and how they leave it: SIEVE over all of them, under the lock.
//!
//! As in `core/sieve.rs`, with links that are words of the region.

use super::arena::Damaged;
use super::hooks::{Step, at};
use super::layout::state;
use super::space::{HASH, LIVE, PLACE, RING, RegionSlot, VISITED, WORD, halves, high, low};
use super::table::Table;
use crate::core::atomics::{Ordering, Ordering::Relaxed};

/// An entry that has left all lists. Its slot and its block are not free yet.
pub(super) struct Unlinked<'a> {
    pub(super) id: u32,
    pub(super) slot: &'a RegionSlot,
    pub(super) block: u32,
    pub(super) units: u32,
}

// Relaxed, where nothing else is said: only the lock's holder reads or writes it, or it is published by a slot's word.
impl<'a> Table<'a> {
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

    /// Evicts one entry, and frees what it had. False: there is none.
    #[inline(never)]
    pub(super) fn evict_one(&self) -> Result<bool, Damaged> {
        let Some(gone) = self.evict()? else { return Ok(false) };
        self.free_unlinked(&gone)?;
        Ok(true)
    }

    /// Evicts one entry, as SIEVE has it. None: there is none.
    #[inline(always)]
    pub(super) fn evict(&self) -> Result<Option<Unlinked<'a>>, Damaged> {
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
    pub(super) fn free_unlinked(&self, gone: &Unlinked<'_>) -> Result<(), Damaged> {
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
