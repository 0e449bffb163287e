//! From a hash to the slots that may hold its key.

use super::OutOfMemory;
use super::cells::{Retired, Word};
use super::hash::Hash;

#[cfg(any(feature = "hashbrown-index", test))]
pub mod hashbrown;
pub mod words;

/// A multimap from hashes to slot numbers. Slot numbers start at 1.
///
/// One trait for the index that ships ([`WordIndex`](words::WordIndex)) and its rivals, so that the store is written once.
///
/// # Safety
/// It yields only slots that were inserted and not removed since: the store looks them up unchecked. Through a view that a
/// reader keeps without a lock it may also yield slots that were removed meanwhile.
pub unsafe trait Index: Sized {
    /// What hashes of entries lie in, beside this index.
    type Word: Word;
    /// What the hit path needs of the index, to be copied out.
    type View: Copy;
    /// Where the hit path found a candidate.
    type Spot: Copy;
    /// Where a search stands: behind a candidate.
    type Cursor: Copy;
    /// What it is made of, and gives up when it grows.
    type Words;

    /// An index with nothing in it.
    fn new() -> Result<Self, OutOfMemory>;
    /// The view of it as it stands, until it moves.
    fn view(&self) -> Self::View;
    /// What lies near the home of `hash`: [`Index::first`] for the hit path, which may give up.
    ///
    /// # Safety
    /// The memory of the index that the view was taken of still stands.
    unsafe fn probe(view: Self::View, hash: Hash) -> IndexProbe<Self::Spot>;
    /// Whether that candidate is still filed there.
    ///
    /// # Safety
    /// As of [`Index::probe`].
    unsafe fn holds(view: Self::View, spot: Self::Spot) -> bool;
    /// The first slot that may be filed under `hash`.
    fn first(&self, hash: Hash) -> Option<(u32, Self::Cursor)>;
    /// The next one. The index must not have changed since [`Index::first`].
    fn after(&self, hash: Hash, cursor: Self::Cursor) -> Option<(u32, Self::Cursor)>;
    /// Whether there is room for one more slot than `len`.
    fn has_room(&self, len: usize) -> bool;
    /// Moves to other memory, with room for one more slot than `len`, and gives up the old.
    fn relocate(&mut self, len: usize) -> Result<Self::Words, OutOfMemory>;
    /// Files `slot` under `hash`. There must be room. `hash_of` tells what any other slot is filed under, for an index that
    /// wants to order itself anew; what it gives up then goes into `retired`.
    fn insert(&mut self, hash: Hash, slot: u32, hash_of: impl Fn(u32) -> Hash, retired: &mut impl Retired<Self::Words>);
    /// Takes out `slot`, which is filed under `hash`.
    fn remove(&mut self, hash: Hash, slot: u32);
    /// Makes words that were given up look empty, to readers that still search them.
    fn close(words: &Self::Words);
}

/// What [`Index::probe`] saw.
pub enum IndexProbe<S> {
    /// The first slot that may be filed under the hash.
    Candidate(u32, S),
    /// There is no such slot.
    Nothing,
    /// Neither, so far.
    GaveUp,
}
