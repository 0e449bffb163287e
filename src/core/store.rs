//! Entries in a slab, an index of them, and the SIEVE ring through them.
//!
//! Eviction is algorithm 1 of Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for
//! Web Caches", NSDI 2024: one queue, new entries at its head, and a hand that walks from the tail towards the head,
//! spares (and unmarks) what was visited, evicts the first entry that was not, and stays where it stopped.

use super::OutOfMemory;
use super::atomics::Place;
use super::hash::{Hash, UNVISITED};
use super::index::{Glance, Index};
use super::memory::{Bin, Concurrent, Memory, Word};
use std::mem::MaybeUninit;

/// An entry's number, valid until the entry leaves; from then on it may name another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct SlotId(pub(super) u32);

impl SlotId {
    /// No entry's number.
    pub const NONE: Self = Self(SENTINEL);
}

/// What a search by the hit path found.
pub enum Hit<T> {
    /// What was taken from the entry, which is now marked.
    Value(T),
    /// No entry has this hash. The generation in which it was so.
    Absent(u64),
    /// The first candidate was not accepted; there may be others.
    Unsure(SlotId),
}

/// What a comparison that must not run Python code can tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Equal.
    Same,
    /// Not equal.
    Different,
    /// Only the objects' own `__eq__` can tell.
    Ask,
}

impl Verdict {
    /// The verdict of a comparison that is exact.
    #[inline(always)]
    pub const fn of(same: bool) -> Self {
        if same { Self::Same } else { Self::Different }
    }
}

/// What a second, closer look found.
pub enum Look<K, V> {
    /// The value of the entry, which is now marked.
    Same(V),
    /// This key, now held by the caller, may be the one.
    Ask(K, SlotId),
    /// No entry has this hash, and had none in this generation.
    Absent(u64),
    /// Nothing; it is to be searched for.
    Elsewhere,
}

/// The ring's ends meet in slot 0, which holds no entry. As a hand it means "start at the tail".
pub(super) const SENTINEL: u32 = 0;
/// The most entries that 32-bit slot numbers and a table of as many words can serve.
const MOST_ENTRIES: usize = 1 << 31;
const FIRST_SLOTS: usize = 8;
const SPARE_SLOTS: usize = 32;
/// What `prev` is in a slot that waits to be free.
const WAITING: u32 = u32::MAX;

/// 32 bytes, two to a cache line and never across one, for keys and values of a pointer each.
///
/// A reader without a lock sees a slot from when its word is filed until its hazard is gone: key and value stand still
/// all that time, and of the hash only the mark changes. The links are the writer's alone.
#[repr(align(32))]
pub(super) struct Slot<K, V, W> {
    /// The hash; its bit [`UNVISITED`] is SIEVE's mark, upside down.
    hash: W,
    pair: Place<Option<(K, V)>>,
    links: Place<Links>,
}

#[derive(Clone, Copy)]
struct Links {
    /// Towards the head: the next newer entry.
    prev: u32,
    /// Towards the tail: the next older entry. In a free slot, and in one that waits to be free, the next such one.
    next: u32,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Slot<&(), &(), std::cell::Cell<u64>>>() == 32);

impl<K, V, W: Word> Slot<K, V, W> {
    fn empty() -> Self {
        Self { hash: W::new(0), pair: Place::new(None), links: Place::new(Links { prev: SENTINEL, next: SENTINEL }) }
    }

    #[inline(always)]
    fn links(&self) -> Links {
        // SAFETY: the writer's alone, and the writer is one.
        self.links.with(|links| unsafe { *links })
    }

    #[inline(always)]
    fn set_next(&self, next: u32) {
        // SAFETY: as in `links`.
        self.links.with_mut(|links| unsafe { (*links).next = next });
    }

    #[inline(always)]
    fn set_prev(&self, prev: u32) {
        // SAFETY: as in `links`.
        self.links.with_mut(|links| unsafe { (*links).prev = prev });
    }

    #[inline(always)]
    fn mark(&self) {
        let stored = self.hash.get();
        if stored & UNVISITED != 0 {
            self.hash.set(stored & !UNVISITED);
        }
    }

    #[inline(always)]
    fn pair(&self) -> Option<&(K, V)> {
        // SAFETY: only written while no reader can see it.
        self.pair.with(|pair| unsafe { &*pair }).as_ref()
    }

    /// # Safety
    /// No reader can see the pair.
    #[inline(always)]
    unsafe fn replace_pair(&self, new: Option<(K, V)>) -> Option<(K, V)> {
        // SAFETY: the caller is the writer, and keeps readers out.
        self.pair.with_mut(|pair| unsafe { std::ptr::replace(pair, new) })
    }

    /// A slot of the same contents elsewhere.
    ///
    /// # Safety
    /// This one is not used as an owner of its pair any more.
    unsafe fn relocated(&self) -> Self {
        // SAFETY: the pair moves, as the caller says.
        let pair = self.pair.with(|pair| unsafe { std::ptr::read(pair) });
        Self { hash: W::new(self.hash.get()), pair: Place::new(pair), links: Place::new(self.links()) }
    }
}

/// How a reader keeps what it looks at from being given back.
pub trait Protect {
    /// Announces that this slot is looked at, and tells whether it was in time: whether its word still `holds`.
    fn protect(&self, slot: u32, holds: impl FnOnce() -> bool) -> bool;
}

/// Whoever keeps all writers out needs no more.
pub struct Exclusive;

impl Protect for Exclusive {
    #[inline(always)]
    fn protect(&self, _slot: u32, _holds: impl FnOnce() -> bool) -> bool {
        true
    }
}

/// Where a store's index and slots lie, until it moves.
pub struct View<K, V, M: Memory> {
    index: <M::Index as Index>::View,
    slots: *const Slot<K, V, M::Word>,
}

impl<K, V, M: Memory> Clone for View<K, V, M> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V, M: Memory> Copy for View<K, V, M> {}

impl<K, V, M: Memory> View<K, V, M> {
    /// The hit path's search: what `take` makes of the value of the entry with this hash whose key `same` accepts.
    /// The entry is marked as used.
    ///
    /// It looks at the first candidate alone and then gives its registers up, since two keys of one 32-bit tag are rare.
    /// In most hits the entry is marked already: hash and mark are one comparison then, and nothing is written.
    ///
    /// # Safety
    /// The memory that the view shows stands, and `reader` protects what lies in it.
    #[inline(always)]
    pub unsafe fn hit<T>(
        self,
        hash: Hash,
        reader: &impl Protect,
        same: impl FnOnce(&K) -> bool,
        take: impl FnOnce(&V) -> T,
    ) -> Hit<T> {
        // SAFETY: as the caller says.
        let (id, spot) = match unsafe { M::Index::glance(self.index, hash) } {
            Glance::Candidate(id, spot) => (id, spot),
            Glance::Nothing => return Hit::Absent(0),
            // The sentinel is no entry, so whoever looks at it more closely goes on to search.
            Glance::GaveUp => return Hit::Unsure(SlotId::NONE),
        };
        // SAFETY: as the caller says.
        if !reader.protect(id, || unsafe { M::Index::holds(self.index, spot) }) {
            return Hit::Unsure(SlotId::NONE);
        }
        // SAFETY: the index names slots of this slab.
        let slot = unsafe { self.slots.add(id as usize) };
        // SAFETY: as above, and this one is protected.
        let slot = unsafe { &*slot };
        let pair = slot.pair();
        // SAFETY: filed slots have a pair.
        let (key, value) = unsafe { pair.unwrap_unchecked() };
        if !same(key) {
            return Hit::Unsure(SlotId(id));
        }
        let stored = slot.hash.get();
        if stored != hash.visited() {
            if stored != hash.unvisited() {
                return Hit::Unsure(SlotId(id));
            }
            slot.hash.set(hash.visited());
        }
        Hit::Value(take(value))
    }
}

/// What has left and waits until no reader can see it: so many slots, each of which leads to the next.
#[derive(Clone, Copy)]
pub(super) struct Waiting {
    first: u32,
    last: u32,
    len: u32,
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
    index: M::Index,
    slots: Vec<Slot<K, V, M::Word>>,
    hand: u32,
    free: u32,
    waiting: Waiting,
    len: usize,
    capacity: usize,
    generation: u64,
    moves: Moves<K, V, M>,
}

/// Memory that other memory has replaced: of the index, and of the slab where that has moved too.
pub(super) struct Replaced<K, V, M: Memory> {
    pub(super) words: <M::Index as Index>::Words,
    pub(super) slots: Vec<Slot<K, V, M::Word>>,
    /// Whether readers have been turned away.
    pub(super) closed: bool,
}

impl<K, V, M: Memory> Replaced<K, V, M> {
    fn new(words: <M::Index as Index>::Words, slots: Vec<Slot<K, V, M::Word>>) -> Self {
        Self { words, slots, closed: false }
    }
}

/// Where the store's old memory goes, and memory for the view that readers of the new one need.
struct Moves<K, V, M: Memory> {
    replaced: M::Bin<Replaced<K, V, M>>,
    view: Option<Box<MaybeUninit<View<K, V, M>>>>,
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

/// A box, or nothing where there is no memory for it.
pub fn boxed<T>(value: T) -> Result<Box<T>, OutOfMemory> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(1)?;
    memory.push(value);
    let slice: Box<[T]> = memory.into_boxed_slice();
    let slice: Result<Box<[T; 1]>, _> = slice.try_into();
    // SAFETY: an array of one has the layout of its element.
    slice.map(|one| unsafe { Box::from_raw(Box::into_raw(one).cast()) }).map_err(|_| OutOfMemory)
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
    fn slot(&self, id: u32) -> &Slot<K, V, M::Word> {
        debug_assert!((id as usize) < self.slots.len());
        // SAFETY: the index and the ring name slots of this slab alone, and the slab never shrinks but in `take`,
        // which empties both.
        unsafe { self.slots.get_unchecked(id as usize) }
    }

    /// [`View::hit`], by whoever keeps all writers out.
    #[inline(always)]
    pub fn hit<T>(&self, hash: Hash, same: impl FnOnce(&K) -> bool, take: impl FnOnce(&V) -> T) -> Hit<T> {
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
    fn wait_to_be_free(&mut self, id: u32) {
        debug_assert!(M::SHARED);
        let links = Links { prev: WAITING, next: self.waiting.first };
        // SAFETY: as in `Slot::links`.
        self.slot(id).links.with_mut(|place| unsafe { *place = links });
        let Waiting { last, len, .. } = self.waiting;
        self.waiting = Waiting { first: id, last: if len == 0 { id } else { last }, len: len + 1 };
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
    fn set_free(&mut self, id: u32) {
        let free = std::mem::replace(&mut self.free, id);
        self.slot(id).set_next(free);
    }

    /// Gives a live entry another value, in its place, and hands out the old one if nobody can see it any more, with the
    /// key that is not needed twice. Without memory, the value is handed back and nothing has changed.
    #[must_use = "the old value is to be dropped when the store is whole"]
    pub fn replace(&mut self, id: SlotId, key: K, value: V) -> Result<(K, Option<V>), (K, V, OutOfMemory)>
    where
        K: Clone,
    {
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
            return Ok((key, Some(old)));
        }
        // Readers may be looking at the slot: another one takes its place in the queue.
        let other = match self.vacant() {
            Ok(other) => other,
            Err(error) => return Err((key, value, error)),
        };
        let stored = self.key(id).clone();
        let slot = self.slot(id.0);
        let (Links { prev, next }, hash) = (slot.links(), slot.hash.get());
        self.index.remove(Hash::from_stored(hash), id.0);
        let new = self.slot(other);
        // SAFETY: a slot that was free.
        let left = unsafe { new.replace_pair(Some((stored, value))) };
        debug_assert!(left.is_none());
        new.hash.set(hash);
        // SAFETY: as in `Slot::links`.
        new.links.with_mut(|links| unsafe { *links = Links { prev, next } });
        self.slot(prev).set_next(other);
        self.slot(next).set_prev(other);
        let slots = &self.slots;
        let hash_of = |id: u32| {
            // SAFETY: the index asks about slots that it was given, as in `slot`.
            Hash::from_stored(unsafe { slots.get_unchecked(id as usize) }.hash.get())
        };
        let filed = Hash::from_stored(hash);
        self.index.insert(filed, other, hash_of, &mut self.moves);
        if self.hand == id.0 {
            self.hand = other;
        }
        // The slot of an entry has changed, which ids that were given out must notice.
        self.generation += 1;
        self.wait_to_be_free(id.0);
        Ok((key, None))
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

/// The view of a store that has moved, and the memory where it was.
type Moved<K, V> = (Option<Box<View<K, V, Concurrent>>>, Vec<Replaced<K, V, Concurrent>>);

/// What a store that is shared with readers has beside.
impl<K, V> Store<K, V, Concurrent> {
    /// Whether it has moved since [`Store::take_replaced`].
    #[inline(always)]
    pub(super) fn has_moved(&self) -> bool {
        !self.moves.replaced.is_empty()
    }

    /// Makes sure that there is memory for a view.
    pub(super) fn reserve_view(&mut self) -> Result<(), OutOfMemory> {
        self.moves.reserve()
    }

    /// Hands out the memory that was replaced, and a view of that which took its place.
    pub(super) fn take_replaced(&mut self) -> Moved<K, V> {
        let view = self.view();
        let boxed = self.moves.view.take().map(|place| Box::write(place, view));
        (boxed, std::mem::take(&mut self.moves.replaced))
    }

    /// What waits to be let go.
    #[inline(always)]
    pub(super) fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// Takes over what waits to be let go.
    #[inline(always)]
    pub(super) fn take_waiting(&mut self) -> Waiting {
        std::mem::replace(&mut self.waiting, Waiting::NONE)
    }

    /// One list of two.
    pub(super) fn join_waiting(&self, a: Waiting, b: Waiting) -> Waiting {
        match (a.len, b.len) {
            (0, _) => b,
            (_, 0) => a,
            _ => {
                self.slot(a.last).set_next(b.first);
                Waiting { first: a.first, last: b.last, len: a.len + b.len }
            }
        }
    }

    /// Lets go up to `most` of what has waited, but for the slots that are held, which wait on. Returns the rest.
    ///
    /// # Safety
    /// It comes from [`Store::take_waiting`], and since then no reader can see a slot of it that is not held.
    pub(super) unsafe fn release(
        &mut self,
        mut waited: Waiting,
        most: usize,
        held: impl Fn(u32) -> bool,
        mut each: impl FnMut((K, V)),
    ) -> Waiting {
        for _ in 0..most.min(waited.len()) {
            let id = waited.first;
            waited = Waiting { first: self.slot(id).links().next, len: waited.len - 1, ..waited };
            if held(id) {
                self.wait_to_be_free(id);
            } else {
                // SAFETY: as the caller says.
                if let Some(pair) = unsafe { self.slot(id).replace_pair(None) } {
                    each(pair);
                }
                self.set_free(id);
            }
        }
        waited
    }

    /// Ends the store: its words, for readers to be turned away by, and its slots.
    pub(super) fn into_replaced(self) -> Replaced<K, V, Concurrent> {
        Replaced::new(self.index.into_words(), self.slots)
    }
}

impl<K, V> Replaced<K, V, Concurrent> {
    /// Turns readers away that still search the words.
    pub(super) fn close(&mut self) {
        if !self.closed {
            <Concurrent as Memory>::Index::close(&self.words);
            self.closed = true;
        }
    }

    /// Takes what is in it but for the slots of these numbers, which readers look at.
    ///
    /// # Safety
    /// The words are closed, and no reader can see any other slot.
    pub(super) unsafe fn take_unless(&self, held: impl Fn(u32) -> bool, mut each: impl FnMut((K, V))) {
        for (id, slot) in self.slots.iter().enumerate() {
            if !held(id as u32) {
                // SAFETY: as the caller says.
                if let Some(pair) = unsafe { slot.replace_pair(None) } {
                    each(pair);
                }
            }
        }
    }

    /// What is still in it, when no reader is inside.
    pub(super) fn into_contents(self) -> Contents<K, V, Concurrent> {
        Contents(self.slots)
    }
}

impl<K, V> View<K, V, Concurrent> {
    /// A look at all candidates near the home of the hash.
    ///
    /// # Safety
    /// As of [`View::hit`].
    #[inline(always)]
    pub(super) unsafe fn look(
        self,
        hash: Hash,
        reader: &impl Protect,
        mut judge: impl FnMut(&K) -> Verdict,
    ) -> Look<K, V>
    where
        K: Clone,
        V: Clone,
    {
        // SAFETY: as the caller says.
        let mut glance = unsafe { <Concurrent as Memory>::Index::glance(self.index, hash) };
        while let Glance::Candidate(id, spot) = glance {
            // SAFETY: as the caller says.
            if !reader.protect(id, || unsafe { <Concurrent as Memory>::Index::holds(self.index, spot) }) {
                return Look::Elsewhere;
            }
            // SAFETY: the index names slots of this slab.
            let slot = unsafe { self.slots.add(id as usize) };
            // SAFETY: as above, and this one is protected.
            let slot = unsafe { &*slot };
            if Hash::from_stored(slot.hash.get()) == hash {
                // SAFETY: filed slots have a pair.
                let (key, value) = unsafe { slot.pair().unwrap_unchecked() };
                match judge(key) {
                    Verdict::Same => {
                        slot.mark();
                        return Look::Same(value.clone());
                    }
                    Verdict::Ask => return Look::Ask(key.clone(), SlotId(id)),
                    Verdict::Different => {}
                }
            }
            // SAFETY: as the caller says.
            glance = unsafe { self.index.glance_behind(hash, spot) };
        }
        if matches!(glance, Glance::Nothing) { Look::Absent(0) } else { Look::Elsewhere }
    }
}

/// What the slots of a slab hold.
pub(super) fn pairs_of<K, V, W: Word>(slots: &[Slot<K, V, W>]) -> impl Iterator<Item = (&K, &V)> {
    slots.iter().filter_map(|slot| slot.pair().map(|(key, value)| (key, value)))
}

/// What was in a store. Dropping it drops the entries.
#[must_use = "the entries are to be dropped when the store is whole"]
pub struct Contents<K, V, M: Memory>(Vec<Slot<K, V, M::Word>>);

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
