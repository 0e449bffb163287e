//! Entries that leave a store before others come, and those that get another value.

use super::OutOfMemory;
use super::cells::Word;
use super::hash::Hash;
use super::memory::Memory;
use super::slot::{SlotId, SlotNumber};
use super::store::Store;

impl<K, V, M: Memory> Store<K, V, M> {
    /// Takes the next victim out, as an insertion does, and hands out a copy of it where readers may still see the entry.
    pub fn evict(&mut self) -> Option<(K, V)>
    where
        K: Clone,
        V: Clone,
    {
        if self.is_empty() {
            return None;
        }
        let victim = self.pass_hand();
        self.take_out(victim.id())
    }

    /// As [`Store::evict`], but never this entry: the hand passes over it, and takes its mark as from any other.
    pub fn evict_other(&mut self, spared: SlotId) -> Option<(K, V)>
    where
        K: Clone,
        V: Clone,
    {
        // Where it has left, somebody else is there.
        while self.len > 1 {
            let victim = self.pass_hand();
            if victim.id() != spared {
                return self.take_out(victim.id());
            }
            self.evictions -= 1;
        }
        None
    }

    /// As [`Store::evict`], but for somebody who wants the entry, so that it does not count as an eviction.
    pub fn take_victim(&mut self) -> Option<(K, V)>
    where
        K: Clone,
        V: Clone,
    {
        let evictions = self.evictions;
        let victim = self.evict();
        self.evictions = evictions;
        victim
    }

    /// The next victim, still in its place. The store is not empty.
    fn pass_hand(&mut self) -> SlotNumber {
        self.evictions += 1;
        self.sieve.pass_hand(&self.slab)
    }

    /// [`Store::remove`], with a copy of the entry where readers may still see it.
    pub fn take_out(&mut self, id: SlotId) -> Option<(K, V)>
    where
        K: Clone,
        V: Clone,
    {
        let copy = if M::SHARED { Some(self.entry(id)?.pair().clone()) } else { None };
        let left = self.remove(id);
        copy.or(left)
    }

    /// Takes an entry out, if it has not left, and hands it out if nobody can see it any more.
    #[must_use = "the entry is to be dropped when the store is whole"]
    pub fn remove(&mut self, id: SlotId) -> Option<(K, V)> {
        let number = self.number_of(id)?;
        self.sieve.remove(&self.slab, number);
        self.unfile(number);
        self.len -= 1;
        self.generation += 1;
        if M::SHARED {
            self.retire(number);
            return None;
        }
        // SAFETY: no reader shares this store, and nobody borrows from it.
        let pair = unsafe { self.slab.slot(number).replace_pair(None) };
        self.slab.give(number);
        pair
    }

    /// Gives an entry another value, in its place, and hands out the number that it has now, and the old value if nobody can see
    /// it any more. Where readers may still see the entry, another one takes its place, with a key that `duplicate` makes: not a
    /// reference to the same key, since a slab that shows what it holds must not show a key twice.
    ///
    /// Without memory, the value is handed back and nothing has changed.
    ///
    /// # Panics
    /// The entry has left.
    #[must_use = "the old value is to be dropped when the store is whole"]
    pub fn replace(
        &mut self,
        id: SlotId,
        value: V,
        duplicate: impl FnOnce(&K) -> Option<K>,
    ) -> Result<(SlotId, Option<V>), (V, OutOfMemory)> {
        let old = self.entry(id).expect("an entry that has not left");
        let number = old.number();
        if !M::SHARED {
            return Ok((id, self.replace_in_place(number, value)));
        }
        let Some(key) = duplicate(old.key()) else { return Err((value, OutOfMemory)) };
        let other = match self.vacant() {
            Ok(other) => other,
            // The key's objects are held by the entry, so nothing is dropped here for the last time.
            Err(error) => return Err((value, error)),
        };
        let (slot, stored) = (self.slab.slot(other), self.slab.slot(number).hash.get());
        // SAFETY: a slot that was free, which nobody borrows from.
        let left = unsafe { slot.replace_pair(Some((key, value))) };
        debug_assert!(left.is_none());
        slot.hash.set(stored);
        self.sieve.replace(&self.slab, number, other);
        // First the new word, so that the key is never absent.
        self.file(Hash::from_stored(stored), other);
        self.unfile(number);
        // The slot of an entry has changed, which ids that were given out must notice.
        self.generation += 1;
        self.retire(number);
        Ok((other.id(), None))
    }

    /// Puts another value into the slot of an entry, and hands out the old one. No reader shares this store.
    fn replace_in_place(&mut self, number: SlotNumber, value: V) -> Option<V> {
        debug_assert!(!M::SHARED);
        let slot = self.slab.slot(number);
        // SAFETY: no reader shares this store, and nobody borrows from it.
        let (key, old) = unsafe { slot.replace_pair(None) }?;
        // SAFETY: as above.
        let left = unsafe { slot.replace_pair(Some((key, value))) };
        debug_assert!(left.is_none());
        Some(old)
    }

    /// The oldest entry.
    pub fn oldest(&self) -> Option<SlotId> {
        self.newer(SlotId::NONE)
    }

    /// The next newer entry than this one, if that is there. After [`SlotId::NONE`], the oldest.
    pub fn newer(&self, id: SlotId) -> Option<SlotId> {
        let number = if id == SlotId::NONE { SlotNumber::SENTINEL } else { self.number_of(id)? };
        let newer = self.sieve.newer(&self.slab, number);
        (newer != SlotNumber::SENTINEL).then(|| newer.id())
    }

    /// Whether an entry is marked as used. False for one that has left.
    pub fn is_marked(&self, id: SlotId) -> bool {
        self.number_of(id).is_some_and(|number| self.slab.slot(number).is_marked())
    }

    /// Whether the hand has stopped at this entry. At the oldest one it starts, too.
    pub fn is_at_hand(&self, id: SlotId) -> bool {
        self.sieve.hand().id() == id
    }

    /// Puts the hand to an entry, from which it goes on. Nothing happens where that has left.
    pub fn set_hand(&mut self, id: SlotId) {
        if let Some(number) = self.number_of(id) {
            self.sieve.set_hand(number);
        }
    }

    /// All entries with their marks, from the newest to the oldest.
    pub fn queue(&self) -> impl Iterator<Item = (&K, &V, bool)> {
        let mut number = SlotNumber::SENTINEL;
        std::iter::from_fn(move || {
            number = self.sieve.older(&self.slab, number);
            let slot = self.slab.slot(number);
            slot.pair().map(|(key, value)| (key, value, slot.is_marked()))
        })
    }
}
