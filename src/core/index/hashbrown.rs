//! The rival index: hashbrown's table of slot numbers. Built by the feature `hashbrown-index`, to compare, and by the
//! core's tests, which run the store over both.

use super::{Index, IndexProbe};
use crate::core::OutOfMemory;
use crate::core::cells::Retired;
use crate::core::hash::{Hash, SCATTER};
use ::hashbrown::HashTable;
use std::cell::Cell;

/// [`HashTable`] over pairs of hash and slot. The hash stays beside the slot so that growing reads no entry.
pub struct HashbrownIndex {
    table: HashTable<(u64, u32)>,
}

/// hashbrown takes the group from the low bits of a hash and its seven control bits from the highest.
#[inline(always)]
fn mixed(hash: u64) -> u64 {
    let product = u128::from(hash) * u128::from(SCATTER);
    product as u64 ^ (product >> 64) as u64
}

// SAFETY: the table holds what was inserted and not removed.
unsafe impl Index for HashbrownIndex {
    type Word = Cell<u64>;
    type View = *const Self;
    type Spot = ();
    /// How many candidates were seen.
    type Cursor = usize;
    /// The table keeps its memory to itself: it serves no reader without a lock.
    type Words = ();

    fn new() -> Result<Self, OutOfMemory> {
        Ok(Self { table: HashTable::new() })
    }

    #[inline(always)]
    fn view(&self) -> *const Self {
        self
    }

    #[inline(always)]
    unsafe fn probe(view: *const Self, hash: Hash) -> IndexProbe<()> {
        // SAFETY: the index still stands, as the caller says.
        unsafe { &*view }.first(hash).map_or(IndexProbe::Nothing, |(slot, _)| IndexProbe::Candidate(slot, ()))
    }

    #[inline(always)]
    unsafe fn holds(_view: *const Self, _spot: ()) -> bool {
        true
    }

    #[inline(always)]
    fn first(&self, hash: Hash) -> Option<(u32, usize)> {
        self.after(hash, 0)
    }

    #[inline(always)]
    fn after(&self, hash: Hash, seen: usize) -> Option<(u32, usize)> {
        let mut skip = seen;
        let found = self.table.find(mixed(hash.visited()), |&(filed, _)| {
            let same = filed == hash.visited();
            let wanted = same && skip == 0;
            skip = skip.wrapping_sub(usize::from(same));
            wanted
        });
        found.map(|&(_, slot)| (slot, seen + 1))
    }

    #[inline(always)]
    fn has_room(&self, len: usize) -> bool {
        len < self.table.capacity()
    }

    fn relocate(&mut self, _len: usize) -> Result<(), OutOfMemory> {
        self.table.try_reserve(1, |&(hash, _)| mixed(hash)).map_err(|_| OutOfMemory)
    }

    fn insert(&mut self, hash: Hash, slot: u32, _hash_of: impl Fn(u32) -> Hash, _retired: &mut impl Retired<()>) {
        self.table.insert_unique(mixed(hash.visited()), (hash.visited(), slot), |&(hash, _)| mixed(hash));
    }

    fn remove(&mut self, hash: Hash, slot: u32) {
        if let Ok(entry) = self.table.find_entry(mixed(hash.visited()), |&filed| filed == (hash.visited(), slot)) {
            entry.remove();
        }
    }

    fn close(_words: &()) {}
}
