//! Entries in a slab, an index of them, and the policy that says who leaves.

use super::OutOfMemory;
use super::cells::{Retired, Word};
use super::entry_ref::EntryRef;
use super::hash::Hash;
use super::index::Index;
use super::memory::Memory;
use super::moves::{Moves, Replaced};
use super::sieve::Sieve;
use super::slab::{Contents, RetiredSlots, Slab};
use super::slot::{SlotId, SlotNumber};
use super::view::{Exclusive, Hit, Look, Verdict, View};

/// The most entries that 32-bit slot numbers and a table of as many words can serve.
const MOST_ENTRIES: usize = 1 << 31;
const FIRST_SLOTS: usize = 8;
const SPARE_SLOTS: usize = 32;

type Cursor<M> = <<M as Memory>::Index as Index>::Cursor;

/// A bounded map with SIEVE eviction. Keys are compared by closures, since comparing them may need more than this layer.
pub struct Store<K, V, M: Memory> {
    pub(super) index: M::Index,
    pub(super) slab: Slab<K, V, M::Word>,
    pub(super) sieve: Sieve,
    pub(super) retired: RetiredSlots,
    pub(super) len: usize,
    capacity: usize,
    pub(super) generation: u64,
    /// How many entries have left for others.
    pub(super) evictions: u64,
    pub(super) moves: Moves<K, V, M>,
}

impl<K, V, M: Memory> Store<K, V, M> {
    /// An empty store of at most `capacity` entries, one at least.
    pub fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        let capacity = capacity.clamp(1, MOST_ENTRIES);
        let slab = Slab::new(FIRST_SLOTS.min(capacity + 1))?;
        Ok(Self {
            index: M::Index::new()?,
            slab,
            sieve: Sieve::new(),
            retired: RetiredSlots::NONE,
            len: 0,
            capacity,
            generation: 0,
            evictions: 0,
            moves: Moves::none(),
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

    /// Whether an insertion would make an entry leave.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len == self.capacity
    }

    /// How many there may be.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Another number of entries there may be, one at least. Where there are more, the caller takes some out.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.clamp(1, MOST_ENTRIES);
    }

    /// A number that changes whenever an entry comes or goes.
    #[inline(always)]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Where everything lies now.
    #[inline(always)]
    pub fn view(&self) -> View<K, V, M> {
        View { index: self.index.view(), slots: self.slab.as_ptr() }
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
        let slot = self.slab.number(id.0).map(|number| self.slab.slot(number));
        let Some(slot) = slot.filter(|slot| Hash::from_stored(slot.hash.get()) == hash) else {
            return Look::Inconclusive;
        };
        let Some((key, value)) = slot.pair() else { return Look::Inconclusive };
        match judge(key) {
            Verdict::Same => {
                slot.mark();
                Look::Same(value.clone())
            }
            Verdict::Ask => Look::Ask(key.clone(), id),
            Verdict::Different => Look::Inconclusive,
        }
    }

    /// The first entry whose hash is `hash`, and where to go on.
    #[inline(always)]
    pub fn first_candidate(&self, hash: Hash) -> Option<(EntryRef<'_, K, V>, Cursor<M>)> {
        self.filter(hash, self.index.first(hash))
    }

    /// The next entry whose hash is `hash`. The generation must be that of the last one.
    #[inline(always)]
    pub fn next_candidate(&self, hash: Hash, cursor: Cursor<M>) -> Option<(EntryRef<'_, K, V>, Cursor<M>)> {
        self.filter(hash, self.index.after(hash, cursor))
    }

    #[inline(always)]
    fn filter(&self, hash: Hash, mut candidate: Option<(u32, Cursor<M>)>) -> Option<(EntryRef<'_, K, V>, Cursor<M>)> {
        while let Some((filed, cursor)) = candidate {
            // SAFETY: the index yields slots that `file` gave it, all of this slab.
            let number = unsafe { SlotNumber::new(filed) };
            let slot = self.slab.slot(number);
            if Hash::from_stored(slot.hash.get()) == hash {
                // SAFETY: a slot has a pair from before `file` until after the index has given it up.
                let pair = unsafe { slot.pair().unwrap_unchecked() };
                return Some((EntryRef::new(number, pair), cursor));
            }
            candidate = self.index.after(hash, cursor);
        }
        None
    }

    /// The entry of this number, if it has one now: for numbers that may be old.
    #[inline(always)]
    pub fn entry(&self, id: SlotId) -> Option<EntryRef<'_, K, V>> {
        let number = self.slab.number(id.0)?;
        let pair = self.slab.slot(number).pair()?;
        // What is retired has a pair too, but is no entry.
        if M::SHARED && self.slab.is_retired(number) {
            return None;
        }
        Some(EntryRef::new(number, pair))
    }

    /// The slot of the entry of this number, if it has one now.
    #[inline(always)]
    pub(super) fn number_of(&self, id: SlotId) -> Option<SlotNumber> {
        self.entry(id).map(EntryRef::number)
    }

    /// The key of the entry in this slot now, if there is one: for ids that may be stale.
    #[inline]
    pub fn key_if_live(&self, id: SlotId) -> Option<&K> {
        self.entry(id).map(EntryRef::key)
    }

    /// The key of an entry that has not left.
    ///
    /// # Panics
    /// It has left.
    #[inline(always)]
    pub fn key(&self, id: SlotId) -> &K {
        self.entry(id).expect(LEFT).key()
    }

    /// The value of an entry that has not left.
    ///
    /// # Panics
    /// It has left.
    #[inline(always)]
    pub fn value(&self, id: SlotId) -> &V {
        self.entry(id).expect(LEFT).value()
    }

    /// Marks the entry as used. Writes only if it was not marked yet, so that hits leave cache lines clean.
    #[inline(always)]
    pub fn mark(&self, id: SlotId) {
        if let Some(number) = self.slab.number(id.0) {
            self.slab.slot(number).mark();
        }
    }

    /// Puts a new entry at the head, and hands out the entry that had to leave for it, if nobody can see that any more.
    ///
    /// There must be no equal key in the store. Without memory, the entry is handed back and nothing has changed.
    #[inline(always)]
    #[must_use = "the evicted entry is to be dropped when the store is whole"]
    pub fn insert(&mut self, hash: Hash, key: K, value: V) -> Result<Option<(K, V)>, (K, V, OutOfMemory)> {
        let full = self.len == self.capacity;
        let number = if full && !M::SHARED {
            self.evict_filed()
        } else {
            match self.vacant() {
                Ok(number) if full => {
                    let victim = self.evict_filed();
                    self.retire(victim);
                    number
                }
                Ok(number) => {
                    self.len += 1;
                    number
                }
                Err(error) => return Err((key, value, error)),
            }
        };
        let slot = self.slab.slot(number);
        // Before the word that leads readers here.
        // SAFETY: a slot that was free, or one that no reader shares with this store; and nobody borrows from it.
        let left = unsafe { slot.replace_pair(Some((key, value))) };
        slot.hash.set(hash.unvisited());
        self.sieve.push(&self.slab, number);
        self.file(hash, number);
        self.generation += 1;
        Ok(left)
    }

    /// Takes the next victim out of queue and index. Its pair stays in its slot, and is the caller's to take out.
    #[inline(always)]
    fn evict_filed(&mut self) -> SlotNumber {
        self.evictions += 1;
        let victim = self.sieve.evict(&self.slab);
        self.unfile(victim);
        victim
    }

    /// Puts a slot that has a pair into the index, which has room.
    #[inline(always)]
    pub(super) fn file(&mut self, hash: Hash, number: SlotNumber) {
        let slab = &self.slab;
        let hash_of = |filed: u32| {
            // SAFETY: the index asks about slots that it was given here, all of this slab.
            let number = unsafe { SlotNumber::new(filed) };
            Hash::from_stored(slab.slot(number).hash.get())
        };
        self.index.insert(hash, number.get(), hash_of, &mut self.moves);
    }

    /// Takes a slot out of the index.
    #[inline(always)]
    pub(super) fn unfile(&mut self, number: SlotNumber) {
        let hash = Hash::from_stored(self.slab.slot(number).hash.get());
        self.index.remove(hash, number.get());
    }

    /// A slot that is not in use, with room for it in the index.
    #[inline(never)]
    pub(super) fn vacant(&mut self) -> Result<SlotNumber, OutOfMemory> {
        if self.slab.is_full() {
            self.grow()?;
        }
        // Last, since the index may be ordered anew, which ends all searches.
        if !self.index.has_room(self.len) {
            self.moves.reserve()?;
            let words = self.index.relocate(self.len)?;
            self.moves.put(words);
        }
        Ok(self.slab.take())
    }

    /// Makes room in the slab for more slots. The numbers stay.
    fn grow(&mut self) -> Result<(), OutOfMemory> {
        // Half as much again: an unbounded cache wastes a sixth on average, and a bounded one ends at its bound.
        let grown = self.slab.len() * 3 / 2;
        // What is retired needs slots as well.
        let spare = if M::SHARED { self.capacity / 8 + SPARE_SLOTS } else { 0 };
        let more = grown.max(FIRST_SLOTS).min(self.capacity + 1 + spare).saturating_sub(self.slab.len());
        let more = if more == 0 { SPARE_SLOTS } else { more };
        if !M::SHARED {
            return self.slab.reserve(more);
        }
        // Readers stay with the old slab until they are turned away by its words, so these go with it.
        let larger = self.slab.larger(more)?;
        self.moves.reserve()?;
        let words = self.index.relocate(self.len)?;
        let slots = self.slab.relocate(larger);
        self.moves.replaced.put(Replaced::new(words, slots));
        Ok(())
    }

    /// What has left queue and index stays in its slot until no reader can see it.
    #[inline(always)]
    pub(super) fn retire(&mut self, number: SlotNumber) {
        debug_assert!(M::SHARED);
        let RetiredSlots { first, last, len } = self.retired;
        self.slab.retire(number, first);
        self.retired = RetiredSlots { first: number, last: if len == 0 { number } else { last }, len: len + 1 };
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
        Contents::of(self.slab.into_slots())
    }

    /// All that it holds, in no order of meaning: the entries, and what is retired.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.slab.pairs()
    }
}

/// What a caller is told who asks for an entry that has left.
const LEFT: &str = "an entry that has not left";
