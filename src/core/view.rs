//! What a hit sees of a store: where it lies, and what a word leads to.

use super::cells::Word;
use super::hash::Hash;
use super::index::{Index, IndexProbe};
use super::memory::{Concurrent, Memory};
use super::slot::{Slot, SlotId};

/// That of no store: for those who looked without a lock, and must look again before they store something.
pub const NO_GENERATION: u64 = u64::MAX;

/// What a search by the hit path found.
pub enum Hit<T> {
    /// What was taken from the entry, which is now marked.
    Value(T),
    /// No entry has this hash. The generation in which it was so, or [`NO_GENERATION`].
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
    /// No entry has this hash. The generation in which it was so, or [`NO_GENERATION`].
    Absent(u64),
    /// Nothing; it is to be searched for.
    Inconclusive,
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
    pub(super) index: <M::Index as Index>::View,
    pub(super) slots: *const Slot<K, V, M::Word>,
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
    /// The entry is marked as used, even if `take` will have nothing of it.
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
        take: impl FnOnce(&V) -> Option<T>,
    ) -> Hit<T> {
        // SAFETY: as the caller says.
        let (id, spot) = match unsafe { M::Index::probe(self.index, hash) } {
            IndexProbe::Candidate(id, spot) => (id, spot),
            IndexProbe::Nothing => return Hit::Absent(NO_GENERATION),
            // The sentinel is no entry, so whoever looks at it more closely goes on to search.
            IndexProbe::GaveUp => return Hit::Unsure(SlotId::NONE),
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
        match take(value) {
            Some(taken) => Hit::Value(taken),
            None => Hit::Unsure(SlotId::NONE),
        }
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
        let shifts = unsafe { self.index.shifts() };
        // SAFETY: as the caller says.
        let mut probe = unsafe { <Concurrent as Memory>::Index::probe(self.index, hash) };
        while let IndexProbe::Candidate(id, spot) = probe {
            // SAFETY: as the caller says.
            if !reader.protect(id, || unsafe { <Concurrent as Memory>::Index::holds(self.index, spot) }) {
                return Look::Inconclusive;
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
            probe = unsafe { self.index.probe_behind(hash, spot) };
        }
        // A word may have been shifted back past this search.
        // SAFETY: as the caller says.
        let sure = matches!(probe, IndexProbe::Nothing) && unsafe { self.index.is_unshifted(shifts) };
        if sure { Look::Absent(NO_GENERATION) } else { Look::Inconclusive }
    }
}
