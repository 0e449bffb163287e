//! The rival index: hashbrown's table of slot numbers. Built by the feature `hashbrown-index`, to compare, and by the
//! core's tests, which run the store over both.

use super::OutOfMemory;
use super::index::Index;
use hashbrown::HashTable;

/// [`HashTable`] over pairs of tag and slot. The tag stays beside the slot so that growing reads no entry.
pub struct HashbrownIndex {
    table: HashTable<(u32, u32)>,
}

/// hashbrown takes the group from the low bits of a hash and its seven control bits from the highest.
#[inline(always)]
fn spread(tag: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(tag)
}

impl Index for HashbrownIndex {
    /// How many candidates were seen.
    type Cursor = usize;

    fn new() -> Self {
        Self { table: HashTable::new() }
    }

    #[inline(always)]
    fn start(&self, _tag: u32) -> usize {
        0
    }

    #[inline(always)]
    fn next(&self, tag: u32, cursor: &mut usize) -> Option<u32> {
        let mut skip = *cursor;
        *cursor += 1;
        let found = self.table.find(spread(tag), |&(filed, _)| {
            let same = filed == tag;
            let wanted = same && skip == 0;
            skip = skip.wrapping_sub(usize::from(same));
            wanted
        });
        found.map(|&(_, slot)| slot)
    }

    fn reserve_one(&mut self, _len: usize) -> Result<(), OutOfMemory> {
        self.table.try_reserve(1, |&(tag, _)| spread(tag)).map_err(|_| OutOfMemory)
    }

    fn insert(&mut self, tag: u32, slot: u32) {
        self.table.insert_unique(spread(tag), (tag, slot), |&(tag, _)| spread(tag));
    }

    fn remove(&mut self, tag: u32, slot: u32) {
        if let Ok(entry) = self.table.find_entry(spread(tag), |&filed| filed == (tag, slot)) {
            entry.remove();
        }
    }
}
