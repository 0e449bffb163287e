//! Entries in a slab, an index of them, and the SIEVE ring through them.
//!
//! Eviction is algorithm 1 of Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for
//! Web Caches", NSDI 2024: one queue, new entries at its head, and a hand that walks from the tail towards the head,
//! spares (and unmarks) what was visited, evicts the first entry that was not, and stays where it stopped.

use super::OutOfMemory;
use super::hash::{Hash, UNVISITED};
use super::index::{Glance, Index};

/// The index that the shipped store uses.
#[cfg(not(feature = "hashbrown-index"))]
pub type ShippedIndex = super::index::WordIndex;
/// The rival, built in to compare.
#[cfg(feature = "hashbrown-index")]
pub type ShippedIndex = super::index_hashbrown::HashbrownIndex;

/// An entry's number, valid until the entry leaves; from then on it may name another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct SlotId(u32);

/// What [`Store::hit`] found.
pub enum Hit<'a, V> {
    /// The entry, now marked.
    Value(&'a V),
    /// No entry has this hash. The generation in which it was so.
    Absent(u64),
    /// The first candidate was not accepted; there may be others.
    Unsure(SlotId),
}

/// The ring's ends meet in slot 0, which holds no entry. As a hand it means "start at the tail".
const SENTINEL: u32 = 0;
/// The most entries that 32-bit slot numbers and a table of as many words can serve.
const MOST_ENTRIES: usize = 1 << 31;
const FIRST_SLOTS: usize = 8;

/// 32 bytes, two to a cache line and never across one, for keys and values of a pointer each.
#[repr(align(32))]
struct Slot<K, V> {
    /// The hash; its bit [`UNVISITED`] is SIEVE's mark, upside down.
    hash: u64,
    pair: Option<(K, V)>,
    /// Towards the head: the next newer entry.
    prev: u32,
    /// Towards the tail: the next older entry. In a free slot, the next free one.
    next: u32,
}

const _: () = assert!(size_of::<Slot<&(), &()>>() == 32);

impl<K, V> Slot<K, V> {
    const fn empty() -> Self {
        Self { hash: 0, pair: None, prev: SENTINEL, next: SENTINEL }
    }
}

/// A bounded map with SIEVE eviction. Keys are compared by closures, since comparing them may need more than this layer.
pub struct Store<K, V, I: Index = ShippedIndex> {
    index: I,
    slots: Vec<Slot<K, V>>,
    hand: u32,
    free: u32,
    len: usize,
    capacity: usize,
    generation: u64,
}

impl<K, V, I: Index> Store<K, V, I> {
    /// An empty store of at most `capacity` entries, one at least.
    pub fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        let capacity = capacity.clamp(1, MOST_ENTRIES);
        let mut slots = Vec::new();
        slots.try_reserve_exact(FIRST_SLOTS.min(capacity + 1))?;
        slots.push(Slot::empty());
        Ok(Self { index: I::new()?, slots, hand: SENTINEL, free: SENTINEL, len: 0, capacity, generation: 0 })
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A number that changes whenever an entry comes or goes.
    #[inline(always)]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    #[inline(always)]
    fn slot(&self, id: u32) -> &Slot<K, V> {
        debug_assert!((id as usize) < self.slots.len());
        // SAFETY: the index and the ring name slots of this slab alone, and the slab never shrinks but in `take`,
        // which empties both.
        unsafe { self.slots.get_unchecked(id as usize) }
    }

    #[inline(always)]
    fn slot_mut(&mut self, id: u32) -> &mut Slot<K, V> {
        debug_assert!((id as usize) < self.slots.len());
        // SAFETY: as in `slot`.
        unsafe { self.slots.get_unchecked_mut(id as usize) }
    }

    /// The hit path's search: the value of the entry with this hash whose key `same` accepts, marked as used.
    ///
    /// It looks at the first candidate alone and then gives its registers up, since two keys of one 32-bit tag are rare.
    /// In most hits the entry is marked already: hash and mark are one comparison then, and nothing is written.
    #[inline(always)]
    pub fn hit(&mut self, hash: Hash, same: impl Fn(&K) -> bool) -> Hit<'_, V> {
        let id = match self.index.glance(hash) {
            Glance::Candidate(id) => id,
            Glance::Nothing => return Hit::Absent(self.generation),
            // The sentinel is no entry, so whoever looks at it more closely goes on to search.
            Glance::GaveUp => return Hit::Unsure(SlotId(SENTINEL)),
        };
        if !same(self.key(SlotId(id))) {
            return Hit::Unsure(SlotId(id));
        }
        let stored = self.slot(id).hash;
        if stored != hash.visited() {
            if stored != hash.unvisited() {
                return Hit::Unsure(SlotId(id));
            }
            self.slot_mut(id).hash = hash.visited();
        }
        Hit::Value(self.value(SlotId(id)))
    }

    /// The first entry whose hash is `hash`, and where to go on.
    #[inline(always)]
    pub fn first_candidate(&self, hash: Hash) -> Option<(SlotId, I::Cursor)> {
        self.filter(hash, self.index.first(hash))
    }

    /// The next entry whose hash is `hash`. The generation must be that of the last one.
    #[inline(always)]
    pub fn next_candidate(&self, hash: Hash, cursor: I::Cursor) -> Option<(SlotId, I::Cursor)> {
        self.filter(hash, self.index.after(hash, cursor))
    }

    #[inline(always)]
    fn filter(&self, hash: Hash, mut candidate: Option<(u32, I::Cursor)>) -> Option<(SlotId, I::Cursor)> {
        while let Some((id, cursor)) = candidate {
            if self.hash_of(id) == hash {
                return Some((SlotId(id), cursor));
            }
            candidate = self.index.after(hash, cursor);
        }
        None
    }

    #[inline(always)]
    fn hash_of(&self, id: u32) -> Hash {
        Hash::from_stored(self.slot(id).hash)
    }

    /// The key of a live entry.
    #[inline(always)]
    pub fn key(&self, id: SlotId) -> &K {
        &self.pair(id).0
    }

    /// The value of a live entry.
    #[inline(always)]
    pub fn value(&self, id: SlotId) -> &V {
        &self.pair(id).1
    }

    #[inline(always)]
    fn pair(&self, id: SlotId) -> &(K, V) {
        let pair = &self.slot(id.0).pair;
        debug_assert!(pair.is_some());
        // SAFETY: a `SlotId` names a live entry until that entry leaves, and its holder has asked since: `hit`,
        // `first_candidate` and `next_candidate` give ids out, `key_if_live` and `key_of_hash` ask again, and only `&mut self` calls end an entry.
        unsafe { pair.as_ref().unwrap_unchecked() }
    }

    /// The key in this slot now, if any: for ids that may be stale.
    pub fn key_if_live(&self, id: SlotId) -> Option<&K> {
        self.slots.get(id.0 as usize)?.pair.as_ref().map(|(key, _)| key)
    }

    /// The key in this slot now, if its hash is this one: for ids that may be stale.
    #[inline(always)]
    pub fn key_of_hash(&self, id: SlotId, hash: Hash) -> Option<&K> {
        let slot = self.slots.get(id.0 as usize)?;
        if Hash::from_stored(slot.hash) == hash { slot.pair.as_ref().map(|(key, _)| key) } else { None }
    }

    /// Marks the entry as used. Writes only if it was not marked yet, so that hits leave cache lines clean.
    #[inline(always)]
    pub fn mark(&mut self, id: SlotId) {
        let slot = self.slot_mut(id.0);
        if slot.hash & UNVISITED != 0 {
            slot.hash &= !UNVISITED;
        }
    }

    /// Puts a new entry at the head, and hands out the entry that had to leave for it.
    ///
    /// There must be no equal key in the store. Without memory, the entry is handed back and nothing has changed.
    #[inline(always)]
    #[must_use = "the evicted entry is to be dropped when the store is whole"]
    pub fn insert(&mut self, hash: Hash, key: K, value: V) -> Result<Option<(K, V)>, (K, V, OutOfMemory)> {
        let id = if self.len == self.capacity {
            let id = self.pass_hand();
            self.detach(id);
            id
        } else {
            match self.vacant() {
                Ok(id) => {
                    self.len += 1;
                    id
                }
                Err(error) => return Err((key, value, error)),
            }
        };
        self.attach(id, hash);
        self.generation += 1;
        Ok(self.slot_mut(id).pair.replace((key, value)))
    }

    /// Walks the hand to the next victim and past it.
    #[inline(always)]
    fn pass_hand(&mut self) -> u32 {
        let mut id = self.hand;
        loop {
            if id == SENTINEL {
                id = self.slot(SENTINEL).prev;
            }
            let slot = self.slot_mut(id);
            let prev = slot.prev;
            if slot.hash & UNVISITED != 0 {
                self.hand = prev;
                return id;
            }
            slot.hash |= UNVISITED;
            id = prev;
        }
    }

    /// Puts a slot at the head of the ring and into the index, which has room. Its pair is the caller's to put in.
    #[inline(always)]
    fn attach(&mut self, id: u32, hash: Hash) {
        let head = self.slot(SENTINEL).next;
        let slot = self.slot_mut(id);
        slot.hash = hash.unvisited();
        slot.prev = SENTINEL;
        slot.next = head;
        self.slot_mut(head).prev = id;
        self.slot_mut(SENTINEL).next = id;
        let slots = &self.slots;
        // SAFETY: the index asks about slots that it was given, as in `slot`.
        self.index.insert(hash, id, |id| Hash::from_stored(unsafe { slots.get_unchecked(id as usize) }.hash));
    }

    /// Takes a slot out of ring and index. Its pair stays in it, and is the caller's to take out.
    #[inline(always)]
    fn detach(&mut self, id: u32) {
        let slot = self.slot(id);
        let (prev, next, hash) = (slot.prev, slot.next, Hash::from_stored(slot.hash));
        self.slot_mut(prev).next = next;
        self.slot_mut(next).prev = prev;
        self.index.remove(hash, id);
    }

    /// A slot that is not in use, with room for it in the index.
    #[inline(never)]
    fn vacant(&mut self) -> Result<u32, OutOfMemory> {
        if self.free == SENTINEL && self.slots.len() == self.slots.capacity() {
            // Half as much again: an unbounded cache wastes a sixth on average, and a bounded one ends at its bound.
            let grown = (self.slots.len() * 3 / 2).max(FIRST_SLOTS).min(self.capacity + 1);
            self.slots.try_reserve_exact(grown - self.slots.len())?;
        }
        // Last, since the index may be ordered anew, which ends all searches.
        self.index.reserve_one(self.len)?;
        if self.free != SENTINEL {
            let id = self.free;
            self.free = self.slot(id).next;
            return Ok(id);
        }
        let id = self.slots.len() as u32;
        self.slots.push(Slot::empty());
        Ok(id)
    }

    /// Takes a live entry out.
    #[must_use = "the entry is to be dropped when the store is whole"]
    pub fn remove(&mut self, id: SlotId) -> (K, V) {
        if self.hand == id.0 {
            self.hand = self.slot(id.0).prev;
        }
        self.detach(id.0);
        self.len -= 1;
        self.generation += 1;
        let free = std::mem::replace(&mut self.free, id.0);
        let slot = self.slot_mut(id.0);
        slot.next = free;
        let pair = slot.pair.take();
        debug_assert!(pair.is_some());
        // SAFETY: as in `pair`.
        unsafe { pair.unwrap_unchecked() }
    }

    /// Gives a live entry another value, in its place, and hands out the old one.
    #[must_use = "the old value is to be dropped when the store is whole"]
    pub fn replace(&mut self, id: SlotId, value: V) -> V {
        let pair = self.slot_mut(id.0).pair.as_mut();
        debug_assert!(pair.is_some());
        // SAFETY: as in `pair`.
        let pair = unsafe { pair.unwrap_unchecked() };
        std::mem::replace(&mut pair.1, value)
    }

    /// Takes everything out and gives the memory back with it. Without memory for an empty store, nothing has changed.
    pub fn take(&mut self) -> Result<Contents<K, V>, OutOfMemory> {
        let mut empty = Self::new(self.capacity)?;
        // Entries have gone: searches that began before must notice.
        empty.generation = self.generation + 1;
        Ok(std::mem::replace(self, empty).into_contents())
    }

    /// Everything in it.
    pub fn into_contents(self) -> Contents<K, V> {
        Contents(self.slots)
    }

    /// All entries, in no order of meaning.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.slots.iter().filter_map(|slot| slot.pair.as_ref().map(|(key, value)| (key, value)))
    }

    /// All entries with their marks, from the newest to the oldest.
    pub fn queue(&self) -> impl Iterator<Item = (&K, &V, bool)> {
        let mut id = SENTINEL;
        std::iter::from_fn(move || {
            id = self.slot(id).next;
            let slot = self.slot(id);
            slot.pair.as_ref().map(|(key, value)| (key, value, slot.hash & UNVISITED == 0))
        })
    }
}

/// What was in a store. Dropping it drops the entries.
#[must_use = "the entries are to be dropped when the store is whole"]
pub struct Contents<K, V>(Vec<Slot<K, V>>);

impl<K, V> IntoIterator for Contents<K, V> {
    type Item = (K, V);
    type IntoIter = ContentsIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        ContentsIter(self.0.into_iter())
    }
}

/// The entries of [`Contents`], one by one.
pub struct ContentsIter<K, V>(std::vec::IntoIter<Slot<K, V>>);

impl<K, V> Iterator for ContentsIter<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        self.0.find_map(|slot| slot.pair)
    }
}
