//! The slots of a store: those of entries, those that are free, and those that are retired until no reader can see them.

use super::OutOfMemory;
use super::cells::Word;
use super::memory::Memory;
use super::slot::{Links, Slot, SlotNumber};

/// Slots by number. Slot 0 is [`SlotNumber::SENTINEL`].
///
/// A slab is the writer's: it is not `Sync`, and readers without a lock have pointers to its slots, of which they leave the
/// links alone.
pub(super) struct Slab<K, V, W> {
    slots: Vec<Slot<K, V, W>>,
    /// The first slot of those that are free.
    free: SlotNumber,
}

/// So many slots that are retired, each of which leads to the next.
#[derive(Clone, Copy)]
pub(super) struct RetiredSlots {
    pub(super) first: SlotNumber,
    pub(super) last: SlotNumber,
    pub(super) len: u32,
}

impl RetiredSlots {
    pub(super) const NONE: Self = Self { first: SlotNumber::SENTINEL, last: SlotNumber::SENTINEL, len: 0 };

    #[inline(always)]
    pub(super) fn len(self) -> usize {
        self.len as usize
    }
}

impl<K, V, W: Word> Slab<K, V, W> {
    /// The sentinel alone, with room for so many slots.
    pub(super) fn new(room: usize) -> Result<Self, OutOfMemory> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(room.max(1))?;
        slots.push(Slot::empty());
        Ok(Self { slots, free: SlotNumber::SENTINEL })
    }

    /// How many slots there are, the sentinel included.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Where they lie, for readers.
    #[inline(always)]
    pub(super) fn as_ptr(&self) -> *const Slot<K, V, W> {
        self.slots.as_ptr()
    }

    #[inline(always)]
    pub(super) fn slot(&self, number: SlotNumber) -> &Slot<K, V, W> {
        debug_assert!((number.get() as usize) < self.slots.len());
        // SAFETY: the slab has a slot of this number, as its type says.
        unsafe { self.slots.get_unchecked(number.get() as usize) }
    }

    /// The number of the slot that may be this one.
    #[inline(always)]
    pub(super) fn number(&self, number: u32) -> Option<SlotNumber> {
        // SAFETY: it is less than the slab has slots.
        ((number as usize) < self.slots.len()).then(|| unsafe { SlotNumber::new(number) })
    }

    #[inline(always)]
    pub(super) fn links(&self, number: SlotNumber) -> Links {
        // SAFETY: a slab is the writer's.
        unsafe { self.slot(number).links() }
    }

    #[inline(always)]
    pub(super) fn set_links(&self, number: SlotNumber, links: Links) {
        // SAFETY: a slab is the writer's.
        unsafe { self.slot(number).set_links(links) };
    }

    #[inline(always)]
    pub(super) fn set_next(&self, number: SlotNumber, next: SlotNumber) {
        // SAFETY: a slab is the writer's.
        unsafe { self.slot(number).set_next(next) };
    }

    #[inline(always)]
    pub(super) fn set_prev(&self, number: SlotNumber, prev: SlotNumber) {
        // SAFETY: a slab is the writer's.
        unsafe { self.slot(number).set_prev(prev) };
    }

    /// Whether there is neither a free slot nor room for a new one.
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.free == SlotNumber::SENTINEL && self.slots.len() == self.slots.capacity()
    }

    /// A slot that is not in use. The slab is not full.
    #[inline(always)]
    pub(super) fn take(&mut self) -> SlotNumber {
        if self.free != SlotNumber::SENTINEL {
            let number = self.free;
            self.free = self.links(number).next;
            return number;
        }
        let number = self.slots.len() as u32;
        self.slots.push(Slot::empty());
        // SAFETY: the slot was pushed just now.
        unsafe { SlotNumber::new(number) }
    }

    /// Gives back a slot that holds nothing.
    #[inline(always)]
    pub(super) fn give(&mut self, number: SlotNumber) {
        let free = std::mem::replace(&mut self.free, number);
        self.set_next(number, free);
    }

    /// Notes that a slot, which is in no list, is retired: it leads to the next such one.
    #[inline(always)]
    pub(super) fn retire(&self, number: SlotNumber, next: SlotNumber) {
        self.set_links(number, Links { prev: number, next });
    }

    /// Whether a slot is retired. The sentinel of an empty ring looks as if it were.
    #[inline(always)]
    pub(super) fn is_retired(&self, number: SlotNumber) -> bool {
        self.links(number).prev == number
    }

    /// Makes room for so many more slots, in place or elsewhere: for slabs that no reader shares.
    pub(super) fn reserve(&mut self, more: usize) -> Result<(), OutOfMemory> {
        Ok(self.slots.try_reserve_exact(more)?)
    }

    /// Memory with room for so many more slots than there are, for [`Slab::relocate`].
    pub(super) fn larger(&self, more: usize) -> Result<Vec<Slot<K, V, W>>, OutOfMemory> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(self.slots.len() + more)?;
        Ok(slots)
    }

    /// Moves to other memory, and gives up the old, which owns nothing any more. Readers may still copy from it what is held here.
    pub(super) fn relocate(&mut self, mut place: Vec<Slot<K, V, W>>) -> Vec<Slot<K, V, W>> {
        debug_assert!(place.is_empty() && place.capacity() >= self.slots.len());
        for slot in &self.slots {
            // SAFETY: a slab is the writer's, and the old memory is emptied below.
            place.push(unsafe { slot.relocated() });
        }
        let mut old = std::mem::replace(&mut self.slots, place);
        // SAFETY: its slots have moved.
        unsafe { old.set_len(0) };
        old
    }

    /// The pairs that are held, in no order of meaning.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&K, &V)> {
        pairs_of(&self.slots)
    }

    pub(super) fn into_slots(self) -> Vec<Slot<K, V, W>> {
        self.slots
    }
}

/// What the slots of a slab hold.
pub(super) fn pairs_of<K, V, W: Word>(slots: &[Slot<K, V, W>]) -> impl Iterator<Item = (&K, &V)> {
    slots.iter().filter_map(|slot| slot.pair().map(|(key, value)| (key, value)))
}

/// What was in a store. Dropping it drops the entries.
#[must_use = "the entries are to be dropped when the store is whole"]
pub struct Contents<K, V, M: Memory>(Vec<Slot<K, V, M::Word>>);

impl<K, V, M: Memory> Contents<K, V, M> {
    pub(super) fn of(slots: Vec<Slot<K, V, M::Word>>) -> Self {
        Self(slots)
    }
}

impl<K, V, M: Memory> Iterator for Contents<K, V, M> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        while let Some(slot) = self.0.pop() {
            let pair = slot.into_pair();
            if pair.is_some() {
                return pair;
            }
        }
        None
    }
}
