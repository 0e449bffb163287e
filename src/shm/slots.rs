//! Slots for entries: free ones, and slabs of them from the arena, under the lock.

use super::arena::Damaged;
use super::hooks::{Step, at};
use super::layout::{SLOT_UNITS, state};
use super::space::{LIVE, RING, RegionSlot, WORD};
use super::table::Table;
use crate::core::atomics::{AtomicU64, Ordering, Ordering::Relaxed};

// Relaxed, where nothing else is said: only the lock's holder reads or writes it, or it is published by a slot's word.
impl<'a> Table<'a> {
    /// A slot, from the free ones, a new slab, or an entry.
    pub(super) fn take_slot(&self) -> Result<(u32, &'a RegionSlot), Damaged> {
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
        let first_id = first / SLOT_UNITS;
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
}
