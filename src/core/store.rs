//! Entries in a slab, an index of them, and the SIEVE ring through them.
//!
//! Eviction is algorithm 1 of Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for
//! Web Caches", NSDI 2024: one queue, new entries at its head, and a hand that walks from the tail towards the head,
//! spares (and unmarks) what was visited, evicts the first entry that was not, and stays where it stopped.

use super::hash::{Hash, UNVISITED};
use super::index::Index;
use super::memory::{Bin, Memory, Word};
use super::view::{Exclusive, Hit, Links, Look, SENTINEL, Slot, SlotId, Verdict, View, WAITING};
use super::{OutOfMemory, boxed};
use std::mem::MaybeUninit;
/// The most entries that 32-bit slot numbers and a table of as many words can serve.
const MOST_ENTRIES: usize = 1 << 31;
const FIRST_SLOTS: usize = 8;
const SPARE_SLOTS: usize = 32;
/// What has left and waits until no reader can see it: so many slots, each of which leads to the next.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) len: u32,
}

impl Waiting {
    pub(super) const NONE: Self = Self { first: SENTINEL, last: SENTINEL, len: 0 };

    #[inline(always)]
    pub(super) fn len(self) -> usize {
        self.len as usize
    }
}

type Cursor<M> = <<M as Memory>::Index as Index>::Cursor;

/// A bounded map with SIEVE eviction. Keys are compared by closures, since comparing them may need more than this layer.
pub struct Store<K, V, M: Memory> {
    pub(super) index: M::Index,
    pub(super) slots: Vec<Slot<K, V, M::Word>>,
    hand: u32,
    free: u32,
    pub(super) waiting: Waiting,
    len: usize,
    capacity: usize,
    pub(super) generation: u64,
    /// How many entries have left for others.
    evictions: u64,
    pub(super) moves: Moves<K, V, M>,
}

/// Memory that other memory has replaced: of the index, and of the slab where that has moved too.
pub(super) struct Replaced<K, V, M: Memory> {
    pub(super) words: <M::Index as Index>::Words,
    pub(super) slots: Vec<Slot<K, V, M::Word>>,
    /// Whether readers have been turned away.
    pub(super) closed: bool,
}

impl<K, V, M: Memory> Replaced<K, V, M> {
    pub(super) fn new(words: <M::Index as Index>::Words, slots: Vec<Slot<K, V, M::Word>>) -> Self {
        Self { words, slots, closed: false }
    }
}

/// Where the store's old memory goes, and memory for the view that readers of the new one need.
pub(super) struct Moves<K, V, M: Memory> {
    pub(super) replaced: M::Bin<Replaced<K, V, M>>,
    pub(super) view: Option<Box<MaybeUninit<View<K, V, M>>>>,
}

impl<K, V, M: Memory> Bin<<M::Index as Index>::Words> for Moves<K, V, M> {
    #[inline(always)]
    fn reserve(&mut self) -> Result<(), OutOfMemory> {
        if M::SHARED && self.view.is_none() {
            self.view = Some(boxed(MaybeUninit::uninit())?);
        }
        self.replaced.reserve()
    }

    #[inline(always)]
    fn put(&mut self, words: <M::Index as Index>::Words) {
        self.replaced.put(Replaced::new(words, Vec::new()));
    }
}
impl<K, V, M: Memory> Store<K, V, M> {
    /// An empty store of at most `capacity` entries, one at least.
    pub fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        let capacity = capacity.clamp(1, MOST_ENTRIES);
        let mut slots = Vec::new();
        slots.try_reserve_exact(FIRST_SLOTS.min(capacity + 1))?;
        slots.push(Slot::empty());
        Ok(Self {
            index: M::Index::new()?,
            slots,
            hand: SENTINEL,
            free: SENTINEL,
            waiting: Waiting::NONE,
            len: 0,
            capacity,
            generation: 0,
            evictions: 0,
            moves: Moves { replaced: Default::default(), view: None },
        })
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

    /// How many entries have left for others.
    #[inline]
    pub fn evictions(&self) -> u64 {
        self.evictions
    }

    /// How many there may be.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// A number that changes whenever an entry comes or goes.
    #[inline(always)]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Where everything lies now.
    #[inline(always)]
    pub fn view(&self) -> View<K, V, M> {
        View { index: self.index.view(), slots: self.slots.as_ptr() }
    }

    #[inline(always)]
    pub(super) fn slot(&self, id: u32) -> &Slot<K, V, M::Word> {
        debug_assert!((id as usize) < self.slots.len());
        // SAFETY: the index and the ring name slots of this slab alone, and the slab never shrinks but in `take`,
        // which empties both.
        unsafe { self.slots.get_unchecked(id as usize) }
    }

    /// [`View::hit`], by whoever keeps all writers out.
    #[inline(always)]
    pub fn hit<T>(&self, hash: Hash, same: impl FnOnce(&K) -> bool, take: impl FnOnce(&V) -> Option<T>) -> Hit<T> {
        // SAFETY: the borrow of the store keeps all of it where it is.
        match unsafe { self.view().hit(hash, &Exclusive, same, take) } {
            Hit::Absent(_) => Hit::Absent(self.generation),
            found => found,
        }
    }

    /// A closer look at an entry that [`Store::hit`] was unsure of, if it still has this hash.
    #[inline(always)]
    pub fn look(&self, hash: Hash, id: SlotId, judge: impl FnOnce(&K) -> Verdict) -> Look<K, V>
    where
        K: Clone,
        V: Clone,
    {
        let slot = self.slots.get(id.0 as usize);
        let Some((key, value)) = slot.filter(|slot| Hash::from_stored(slot.hash.get()) == hash).and_then(Slot::pair)
        else {
            return Look::Elsewhere;
        };
        match judge(key) {
            Verdict::Same => {
                self.mark(id);
                Look::Same(value.clone())
            }
            Verdict::Ask => Look::Ask(key.clone(), id),
            Verdict::Different => Look::Elsewhere,
        }
    }

    /// The first entry whose hash is `hash`, and where to go on.
    #[inline(always)]
    pub fn first_candidate(&self, hash: Hash) -> Option<(SlotId, Cursor<M>)> {
        self.filter(hash, self.index.first(hash))
    }

    /// The next entry whose hash is `hash`. The generation must be that of the last one.
    #[inline(always)]
    pub fn next_candidate(&self, hash: Hash, cursor: Cursor<M>) -> Option<(SlotId, Cursor<M>)> {
        self.filter(hash, self.index.after(hash, cursor))
    }

    #[inline(always)]
    fn filter(&self, hash: Hash, mut candidate: Option<(u32, Cursor<M>)>) -> Option<(SlotId, Cursor<M>)> {
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
        Hash::from_stored(self.slot(id).hash.get())
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
        let pair = self.slot(id.0).pair();
        debug_assert!(pair.is_some());
        // SAFETY: a `SlotId` names a live entry until that entry leaves, and its holder has asked since: `first_candidate` and
        // `next_candidate` give ids out, `key_if_live` asks again, and only `&mut self` calls end an entry.
        unsafe { pair.unwrap_unchecked() }
    }

    /// The key of the entry in this slot now, if there is one: for ids that may be stale.
    pub fn key_if_live(&self, id: SlotId) -> Option<&K> {
        let slot = self.slots.get(id.0 as usize)?;
        // What waits to be free has a pair too, but is no entry.
        if M::SHARED && self.waits_to_be_free(id.0) {
            return None;
        }
        slot.pair().map(|(key, _)| key)
    }

    fn waits_to_be_free(&self, id: u32) -> bool {
        self.slot(id).links().prev == WAITING
    }

    /// Marks the entry as used. Writes only if it was not marked yet, so that hits leave cache lines clean.
    #[inline(always)]
    pub fn mark(&self, id: SlotId) {
        self.slot(id.0).mark();
    }

    /// Puts a new entry at the head, and hands out the entry that had to leave for it, if nobody can see that any more.
    ///
    /// There must be no equal key in the store. Without memory, the entry is handed back and nothing has changed.
    #[inline(always)]
    #[must_use = "the evicted entry is to be dropped when the store is whole"]
    pub fn insert(&mut self, hash: Hash, key: K, value: V) -> Result<Option<(K, V)>, (K, V, OutOfMemory)> {
        let full = self.len == self.capacity;
        let id = if full && !M::SHARED {
            let id = self.pass_hand();
            self.detach(id);
            id
        } else {
            match self.vacant() {
                Ok(id) if full => {
                    let victim = self.pass_hand();
                    self.detach(victim);
                    self.wait_to_be_free(victim);
                    id
                }
                Ok(id) => {
                    self.len += 1;
                    id
                }
                Err(error) => return Err((key, value, error)),
            }
        };
        // Before the word that leads readers here.
        // SAFETY: a slot that was free, or one that no reader shares with this store.
        let left = unsafe { self.slot(id).replace_pair(Some((key, value))) };
        self.attach(id, hash);
        self.generation += 1;
        Ok(left)
    }

    /// Walks the hand to the next victim and past it.
    #[inline(always)]
    fn pass_hand(&mut self) -> u32 {
        self.evictions += 1;
        let mut id = self.hand;
        loop {
            if id == SENTINEL {
                id = self.slot(SENTINEL).links().prev;
            }
            let slot = self.slot(id);
            let prev = slot.links().prev;
            let stored = slot.hash.get();
            if stored & UNVISITED != 0 {
                self.hand = prev;
                return id;
            }
            slot.hash.set(stored | UNVISITED);
            id = prev;
        }
    }

    /// Puts a slot at the head of the ring and into the index, which has room.
    #[inline(always)]
    fn attach(&mut self, id: u32, hash: Hash) {
        let head = self.slot(SENTINEL).links().next;
        let slot = self.slot(id);
        slot.hash.set(hash.unvisited());
        slot.links.with_mut(|links| {
            // SAFETY: as in `Slot::links`.
            unsafe { *links = Links { prev: SENTINEL, next: head } }
        });
        self.slot(head).set_prev(id);
        self.slot(SENTINEL).set_next(id);
        self.file(hash, id);
    }

    /// Puts a slot into the index, which has room.
    #[inline(always)]
    fn file(&mut self, hash: Hash, id: u32) {
        let slots = &self.slots;
        let hash_of = |id: u32| {
            // SAFETY: the index asks about slots that it was given, as in `slot`.
            Hash::from_stored(unsafe { slots.get_unchecked(id as usize) }.hash.get())
        };
        self.index.insert(hash, id, hash_of, &mut self.moves);
    }

    /// Takes a slot out of ring and index. Its pair stays in it, and is the caller's to take out.
    #[inline(always)]
    fn detach(&mut self, id: u32) {
        let slot = self.slot(id);
        let (Links { prev, next }, hash) = (slot.links(), Hash::from_stored(slot.hash.get()));
        self.slot(prev).set_next(next);
        self.slot(next).set_prev(prev);
        self.index.remove(hash, id);
    }

    /// A slot that is not in use, with room for it in the index.
    #[inline(never)]
    fn vacant(&mut self) -> Result<u32, OutOfMemory> {
        if self.free == SENTINEL && self.slots.len() == self.slots.capacity() {
            self.grow()?;
        }
        // Last, since the index may be ordered anew, which ends all searches.
        if !self.index.has_room(self.len) {
            self.moves.reserve()?;
            let words = self.index.relocate(self.len)?;
            self.moves.put(words);
        }
        if self.free != SENTINEL {
            let id = self.free;
            self.free = self.slot(id).links().next;
            return Ok(id);
        }
        let id = self.slots.len() as u32;
        self.slots.push(Slot::empty());
        Ok(id)
    }

    /// Makes room in the slab for more slots. The ids stay.
    fn grow(&mut self) -> Result<(), OutOfMemory> {
        // Half as much again: an unbounded cache wastes a sixth on average, and a bounded one ends at its bound.
        let grown = self.slots.len() * 3 / 2;
        // What waits to be free needs slots as well.
        let spare = if M::SHARED { self.capacity / 8 + SPARE_SLOTS } else { 0 };
        let more = grown.max(FIRST_SLOTS).min(self.capacity + 1 + spare).saturating_sub(self.slots.len());
        let more = if more == 0 { SPARE_SLOTS } else { more };
        if !M::SHARED {
            return Ok(self.slots.try_reserve_exact(more)?);
        }
        // Readers stay with the old slab until they are turned away by its words, so these go with it.
        let mut moved = Vec::new();
        moved.try_reserve_exact(self.slots.len() + more)?;
        self.moves.reserve()?;
        let words = self.index.relocate(self.len)?;
        for slot in &self.slots {
            // SAFETY: the old slab is emptied below; readers may still copy from it what the store holds here.
            moved.push(unsafe { slot.relocated() });
        }
        let mut slots = std::mem::replace(&mut self.slots, moved);
        // SAFETY: its slots have moved.
        unsafe { slots.set_len(0) };
        self.moves.replaced.put(Replaced::new(words, slots));
        Ok(())
    }

    /// What has been detached waits in its slot.
    #[inline(always)]
    pub(super) fn wait_to_be_free(&mut self, id: u32) {
        debug_assert!(M::SHARED);
        let links = Links { prev: WAITING, next: self.waiting.first };
        // SAFETY: as in `Slot::links`.
        self.slot(id).links.with_mut(|place| unsafe { *place = links });
        let Waiting { last, len, .. } = self.waiting;
        self.waiting = Waiting { first: id, last: if len == 0 { id } else { last }, len: len + 1 };
    }

    /// Whether an insertion would make an entry leave.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len == self.capacity
    }

    /// Takes the next victim out, as an insertion does, and hands out a copy of it where readers may still see the entry.
    pub fn evict(&mut self) -> Option<(K, V)>
    where
        K: Clone,
        V: Clone,
    {
        if self.is_empty() {
            return None;
        }
        let id = self.pass_hand();
        self.take_out(SlotId(id))
    }

    /// As [`Store::evict`], but never this entry, which is there: the hand passes over it, and takes its mark as from any other.
    pub fn evict_other(&mut self, spared: SlotId) -> Option<(K, V)>
    where
        K: Clone,
        V: Clone,
    {
        while self.len > 1 {
            let id = self.pass_hand();
            if id != spared.0 {
                return self.take_out(SlotId(id));
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

    /// [`Store::remove`], with a copy of the entry where readers may still see it.
    pub fn take_out(&mut self, id: SlotId) -> Option<(K, V)>
    where
        K: Clone,
        V: Clone,
    {
        let copy = if M::SHARED { Some(self.pair(id).clone()) } else { None };
        let left = self.remove(id);
        copy.or(left)
    }

    /// Takes a live entry out, and hands it out if nobody can see it any more.
    #[must_use = "the entry is to be dropped when the store is whole"]
    pub fn remove(&mut self, id: SlotId) -> Option<(K, V)> {
        if self.hand == id.0 {
            self.hand = self.slot(id.0).links().prev;
        }
        self.detach(id.0);
        self.len -= 1;
        self.generation += 1;
        if M::SHARED {
            self.wait_to_be_free(id.0);
            return None;
        }
        // SAFETY: no reader shares this store.
        let pair = unsafe { self.slot(id.0).replace_pair(None) };
        debug_assert!(pair.is_some());
        self.set_free(id.0);
        pair
    }

    #[inline(always)]
    pub(super) fn set_free(&mut self, id: u32) {
        let free = std::mem::replace(&mut self.free, id);
        self.slot(id).set_next(free);
    }

    /// Gives a live entry another value, in its place, and hands out the slot that has it now, and the old one if nobody can see
    /// it any more. Where readers may still see the entry, another one takes its place, with a key that `duplicate` makes: not a reference to the same
    /// key, since a slab that shows what it holds must not show a key twice.
    ///
    /// Without memory, the value is handed back and nothing has changed.
    #[must_use = "the old value is to be dropped when the store is whole"]
    pub fn replace(
        &mut self,
        id: SlotId,
        value: V,
        duplicate: impl FnOnce(&K) -> Option<K>,
    ) -> Result<(SlotId, Option<V>), (V, OutOfMemory)> {
        if !M::SHARED {
            let slot = self.slot(id.0);
            // SAFETY: no reader shares this store.
            let old = unsafe { slot.replace_pair(None) };
            debug_assert!(old.is_some());
            // SAFETY: as in `pair`.
            let (stored, old) = unsafe { old.unwrap_unchecked() };
            // SAFETY: as above.
            let left = unsafe { slot.replace_pair(Some((stored, value))) };
            debug_assert!(left.is_none());
            return Ok((id, Some(old)));
        }
        let Some(key) = duplicate(self.key(id)) else { return Err((value, OutOfMemory)) };
        let other = match self.vacant() {
            Ok(other) => other,
            // The key's objects are held by the entry, so nothing is dropped here for the last time.
            Err(error) => return Err((value, error)),
        };
        let slot = self.slot(id.0);
        let (Links { prev, next }, hash) = (slot.links(), slot.hash.get());
        let new = self.slot(other);
        // SAFETY: a slot that was free.
        let left = unsafe { new.replace_pair(Some((key, value))) };
        debug_assert!(left.is_none());
        new.hash.set(hash);
        // SAFETY: as in `Slot::links`.
        new.links.with_mut(|links| unsafe { *links = Links { prev, next } });
        self.slot(prev).set_next(other);
        self.slot(next).set_prev(other);
        // First the new word, so that the key is never absent.
        self.file(Hash::from_stored(hash), other);
        self.index.remove(Hash::from_stored(hash), id.0);
        if self.hand == id.0 {
            self.hand = other;
        }
        // The slot of an entry has changed, which ids that were given out must notice.
        self.generation += 1;
        self.wait_to_be_free(id.0);
        Ok((SlotId(other), None))
    }

    /// Takes everything out and gives the memory back with it. Without memory for an empty store, nothing has changed.
    pub fn take(&mut self) -> Result<Self, OutOfMemory> {
        let mut empty = Self::new(self.capacity)?;
        // Entries have gone: searches that began before must notice.
        empty.generation = self.generation + 1;
        std::mem::swap(&mut empty.moves, &mut self.moves);
        Ok(std::mem::replace(self, empty))
    }

    /// Everything in it.
    pub fn into_contents(self) -> Contents<K, V, M> {
        Contents(self.slots)
    }

    /// All that it holds, in no order of meaning: the entries, and what waits to be let go.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        pairs_of(&self.slots)
    }

    /// The oldest entry.
    pub fn oldest(&self) -> Option<SlotId> {
        self.newer(SlotId::NONE)
    }

    /// The next newer entry than this one, which is there.
    pub fn newer(&self, id: SlotId) -> Option<SlotId> {
        let newer = self.slot(id.0).links().prev;
        (newer != SENTINEL).then_some(SlotId(newer))
    }

    /// Whether an entry is marked as used.
    pub fn is_marked(&self, id: SlotId) -> bool {
        self.slot(id.0).hash.get() & UNVISITED == 0
    }

    /// Whether the hand has stopped at this entry. At the oldest one it starts, too.
    pub fn is_at_hand(&self, id: SlotId) -> bool {
        self.hand == id.0
    }

    /// Puts the hand to an entry, from which it goes on.
    pub fn set_hand(&mut self, id: SlotId) {
        self.hand = id.0;
    }

    /// All entries with their marks, from the newest to the oldest.
    pub fn queue(&self) -> impl Iterator<Item = (&K, &V, bool)> {
        let mut id = SENTINEL;
        std::iter::from_fn(move || {
            id = self.slot(id).links().next;
            let slot = self.slot(id);
            slot.pair().map(|(key, value)| (key, value, slot.hash.get() & UNVISITED == 0))
        })
    }
}
/// What the slots of a slab hold.
pub(super) fn pairs_of<K, V, W: Word>(slots: &[Slot<K, V, W>]) -> impl Iterator<Item = (&K, &V)> {
    slots.iter().filter_map(|slot| slot.pair().map(|(key, value)| (key, value)))
}

/// What was in a store. Dropping it drops the entries.
#[must_use = "the entries are to be dropped when the store is whole"]
pub struct Contents<K, V, M: Memory>(pub(super) Vec<Slot<K, V, M::Word>>);

impl<K, V, M: Memory> Iterator for Contents<K, V, M> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        while let Some(slot) = self.0.pop() {
            let pair = slot.pair.into_inner();
            if pair.is_some() {
                return pair;
            }
        }
        None
    }
}
