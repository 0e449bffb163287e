//! What writers do, one at a time, under the lock: entries in (`storing.rs`) and out (`queue.rs`), slots for them (`slots.rs`).
//!
//! The order of steps is such that a process may die between any two: an entry is whole before it is live, and not live before
//! anything of it is used again. What else is then out of order (links, the arena's tags, counts) is made anew from the slots
//! by `rebuild.rs`.

use super::arena::{Arena, Damaged};
use super::layout::state;
use super::space::{Extent, HASH, Head, LENS, PLACE, RegionSlot, Space, StateWords, WORD, equal, high};
use crate::core::atomics::{AtomicU64, Ordering::Relaxed};

/// The table under the lock.
pub struct Table<'a> {
    pub(super) space: &'a Space,
    state: &'a StateWords,
    /// The words of the arena.
    pub(super) words: &'a [AtomicU64],
    /// The arena as slots, most of which it is not.
    pub(super) slots: &'a [RegionSlot],
    pub(super) arena: Arena<'a>,
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
    pub(super) fn len(&self) -> u64 {
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

    #[inline(always)]
    pub(super) fn extent(&self, slot: &RegionSlot) -> Result<Extent, Damaged> {
        self.space.extent(slot[PLACE].load(Relaxed), slot[LENS].load(Relaxed)).ok_or(Damaged)
    }

    pub(super) fn give_block(&self, block: u32, units: u32) -> Result<(), Damaged> {
        if self.arena.size(block)? != units {
            return Err(Damaged);
        }
        self.arena.give(block)
    }
}
