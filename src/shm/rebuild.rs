//! Order out of disorder: after the lock's owner died, or when a writer found something that can't be.
//!
//! All that is believed are slots whose checks hold over themselves, their key and their value, in slabs that are listed. From
//! these all else is made anew: heads, ring, free slots, arena, counts. The ring's order is that of the versions, so that an
//! entry whose value was replaced counts as young; the hand begins at the oldest again.

use super::arena::{Damaged, FIRST};
use super::digest::digest;
use super::hooks::{Step, at};
use super::layout::{SLOT_UNITS, state};
use super::read::check_of;
use super::space::{
    CHECK, HAS_TERMS, HASH, LENS, LIVE, PLACE, RegionSlot, WORD, copy_out, halves, high, low, words_of,
};
use super::table::Table;
use crate::core::atomics::Ordering::Relaxed;

/// How often as much as the arena is looked at, at most, to find the entries whose checks hold.
const LOOKED_AT: u64 = 4;

/// An entry whose checks hold, or a slab (`id` 0).
struct Kept {
    id: u32,
    start: u32,
    units: u32,
    version: u64,
}

/// The process is out of memory, or what was made anew is damaged already.
impl From<std::collections::TryReserveError> for Damaged {
    fn from(_: std::collections::TryReserveError) -> Self {
        Self
    }
}

impl Table<'_> {
    /// Makes all structures anew.
    pub fn rebuild(&self) -> Result<(), Damaged> {
        at(Step::Rebuilding);
        self.add(state::RECOVERIES, 1);
        let (listed, mut kept) = self.trusted_slabs()?;
        self.raise_version(&kept);
        // Entries that hold don't overlap. So what more is looked at than some of the arena is damage, made to take long.
        let mut units = LOOKED_AT * u64::from(self.space.geometry.units());
        for slab in 0..kept.len() {
            self.collect_entries(kept[slab].start, &mut kept, &mut units)?;
        }
        let kept = self.without_overlaps(kept)?;
        self.write_slabs(&listed);
        self.arena.lay_out(kept.iter().map(|it| (it.start, it.units)))?;
        at(Step::LaidOut);
        self.link_all(kept)
    }

    /// Drops everything, slots too.
    pub fn reset(&self) -> Result<(), Damaged> {
        let (_, slabs) = self.trusted_slabs()?;
        self.raise_version(&slabs);
        for id in slabs.iter().flat_map(|slab| self.slots_of(slab.start + 1)) {
            self.unpublish(id, self.space.slot(id).ok_or(Damaged)?);
        }
        self.set(state::SLABS, 0);
        self.rebuild()
    }

    fn slab_units(&self) -> u32 {
        self.space.geometry.slab_slots * SLOT_UNITS
    }

    /// The listed slabs that can be some, as they are listed (first units), and sorted, without those that overlap.
    fn trusted_slabs(&self) -> Result<(Vec<u32>, Vec<Kept>), Damaged> {
        let count = self.get(state::SLABS).min(self.slabs().len() as u64) as usize;
        let (mut listed, mut sorted, mut kept) = (Vec::new(), Vec::new(), Vec::<Kept>::new());
        listed.try_reserve(count)?;
        sorted.try_reserve(count)?;
        kept.try_reserve(count)?;
        let end = u64::from(self.space.geometry.units() - 1);
        for place in &self.slabs()[..count] {
            let first = place.load(Relaxed);
            let inside = first > u64::from(FIRST) + 1 && first.saturating_add(u64::from(self.slab_units())) <= end;
            if inside && first.is_multiple_of(u64::from(SLOT_UNITS)) && self.is_slab(first as u32) {
                listed.push(first as u32);
                sorted.push(first as u32);
            }
        }
        sorted.sort_unstable();
        for first in sorted {
            if kept.last().is_none_or(|last| last.start + last.units < first) {
                kept.push(Kept { id: 0, start: first - 1, units: self.slab_units() + 1, version: 0 });
            }
        }
        listed.retain(|first| kept.binary_search_by_key(&(first - 1), |slab| slab.start).is_ok());
        Ok((listed, kept))
    }

    fn slots_of(&self, first: u32) -> std::ops::Range<u32> {
        let id = first / SLOT_UNITS;
        id..id + self.space.geometry.slab_slots
    }

    /// Whether any slot still knows its number: else bytes of entries lie there.
    fn is_slab(&self, first: u32) -> bool {
        let mut slots = self.slots_of(first);
        slots.any(|id| self.space.slot(id).is_some_and(|slot| self.space.id(slot[WORD].load(Relaxed)) == id))
    }

    /// Makes sure that versions to come are above all that are there.
    fn raise_version(&self, slabs: &[Kept]) {
        let ids = slabs.iter().flat_map(|slab| self.slots_of(slab.start + 1));
        let words = ids.filter_map(|id| {
            let word = self.space.slot(id)?[WORD].load(Relaxed);
            (self.space.id(word) == id).then(|| self.space.version(word))
        });
        let highest = words.max().unwrap_or(0);
        self.set(state::VERSION, self.get(state::VERSION).max(highest));
    }

    /// Adds the entries of a slab whose checks hold, and takes the others out of sight.
    fn collect_entries(&self, slab: u32, kept: &mut Vec<Kept>, units: &mut u64) -> Result<(), Damaged> {
        kept.try_reserve(self.space.geometry.slab_slots as usize)?;
        for id in self.slots_of(slab + 1) {
            let slot = self.space.slot(id).ok_or(Damaged)?;
            let word = slot[WORD].load(Relaxed);
            let entry = if word & LIVE != 0 && self.space.id(word) == id { self.holds(slot, units)? } else { None };
            match entry {
                Some((start, units)) => kept.push(Kept { id, start, units, version: self.space.version(word) }),
                None => self.unpublish(id, slot),
            }
        }
        Ok(())
    }

    /// Takes a slot out of sight, whatever was in it.
    fn unpublish(&self, id: u32, slot: &RegionSlot) {
        self.space.kill(slot);
        slot[WORD].store(self.space.word(id, self.next_version()), Relaxed);
    }

    /// Where an entry's block lies, if all its checks hold. Looks at `left` units at most.
    fn holds(&self, slot: &RegionSlot, left: &mut u64) -> Result<Option<(u32, u32)>, Damaged> {
        let (place, lens, hash) = (slot[PLACE].load(Relaxed), slot[LENS].load(Relaxed), slot[HASH].load(Relaxed));
        let Some(extent) = self.space.extent(place, lens) else { return Ok(None) };
        let Some(rest) = left.checked_sub(extent.units()) else { return Ok(None) };
        *left = rest;
        let arena = self.space.arena();
        let mut bytes = Vec::new();
        if !copy_out(&arena[extent.key_start()..extent.value_start()], extent.key, &mut bytes) {
            return Err(Damaged);
        }
        if digest(self.space.seed, &bytes) != hash {
            return Ok(None);
        }
        let value = &arena[extent.value_start()..][..words_of(extent.value)];
        if !copy_out(value, extent.value, &mut bytes) {
            return Err(Damaged);
        }
        let check = check_of(self.space.seed, hash, lens, &self.space.terms(&extent), &bytes);
        let units = extent.units() as u32;
        let end = u64::from(low(place)) + u64::from(units);
        let inside = low(place) > FIRST && end < u64::from(self.space.geometry.units());
        Ok((check == slot[CHECK].load(Relaxed) && inside).then_some((low(place), units)))
    }

    /// Sorted by place. Of two entries that overlap the first stays, and of an entry and a slab the slab; entries that go are
    /// taken out of sight.
    fn without_overlaps(&self, mut all: Vec<Kept>) -> Result<Vec<Kept>, Damaged> {
        all.sort_unstable_by_key(|it| (it.start, it.id));
        let mut kept: Vec<Kept> = Vec::new();
        kept.try_reserve(all.len())?;
        for it in all {
            let overlapped = kept.last().is_some_and(|last| last.start + last.units > it.start);
            if overlapped {
                // Slabs don't overlap: the last one is an entry, or this one is.
                let goes = if it.id == 0 { kept.pop().map_or(0, |last| last.id) } else { it.id };
                self.unpublish(goes, self.space.slot(goes).ok_or(Damaged)?);
            }
            if it.id == 0 || !overlapped {
                kept.push(it);
            }
        }
        Ok(kept)
    }

    /// Lists the slabs, in the order that they were listed in: who dies here leaves none out.
    fn write_slabs(&self, slabs: &[u32]) {
        for (place, &first) in self.slabs().iter().zip(slabs) {
            place.store(u64::from(first), Relaxed);
        }
        self.set(state::SLABS, slabs.len() as u64);
    }

    /// Makes heads, ring, free slots and counts anew.
    fn link_all(&self, mut kept: Vec<Kept>) -> Result<(), Damaged> {
        for at in [state::LEN, state::NEWEST, state::OLDEST, state::HAND, state::FREE_SLOT, state::BYTES] {
            self.set(at, 0);
        }
        let geometry = &self.space.geometry;
        for head in &self.space.words()[geometry.heads..][..geometry.heads_len / 2] {
            head.store(0, Relaxed);
        }
        kept.sort_unstable_by_key(|it| (it.id != 0, it.version));
        let (slabs, entries) = kept.split_at(kept.partition_point(|it| it.id == 0));
        for id in slabs.iter().flat_map(|slab| self.slots_of(slab.start + 1)) {
            let slot = self.slot(id)?;
            if slot[WORD].load(Relaxed) & LIVE == 0 {
                self.free_slot(id, slot);
            }
        }
        for entry in entries {
            let slot = self.slot(entry.id)?;
            // Of a configuration for less, only the newest could stay; but such a region is another.
            self.link_newest(entry.id, slot)?;
            let head = self.space.head(self.space.bucket(slot[HASH].load(Relaxed)));
            slot[PLACE].store(halves(entry.start, head.first()), Relaxed);
            head.set(entry.id);
            let lens = slot[LENS].load(Relaxed) & !HAS_TERMS;
            self.add(state::BYTES, u64::from(low(lens)) + u64::from(high(lens)));
        }
        self.set(state::LEN, entries.len() as u64);
        Ok(())
    }
}
