//! What a store behind its lock does, the same for both builds: with the GIL that is the lock, and without it hits take none.

use crate::core::OutOfMemory;
use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::core::view::{Hit, Look, Verdict};
use crate::ffi::reference::Borrowed;
use std::ffi::c_int;

/// A store that threads share, and its counts. `owner` is the Python object that the cache belongs to, where one is asked for.
pub trait StoreLock<K: Clone, V: Clone>: Sized {
    /// The store, of this build.
    type Store;
    /// What [`StoreLock::clear`] has taken out.
    type Cleared;

    /// An empty one, of at most `capacity` entries.
    fn new(capacity: usize) -> Result<Self, OutOfMemory>;

    /// The value of the entry with this hash whose key `same` accepts, marked as used. Counts a hit. Takes no lock, and waits for nobody.
    #[inline(always)]
    fn hit(&self, hash: Hash, same: impl FnOnce(&K) -> bool) -> Hit<V> {
        self.hit_with(hash, same, |value| Some(value.clone()))
    }

    /// As [`StoreLock::hit`], with what `take` makes of the value. If that is nothing, it is not counted.
    fn hit_with<T>(&self, hash: Hash, same: impl FnOnce(&K) -> bool, take: impl FnOnce(&V) -> Option<T>) -> Hit<T>;

    /// As [`StoreLock::hit_with`], counting nothing.
    fn find_with<T>(&self, hash: Hash, same: impl FnOnce(&K) -> bool, take: impl FnOnce(&V) -> Option<T>) -> Hit<T>;

    /// A closer look at what [`StoreLock::hit`] was unsure of. Counts a hit where the verdict is "same". Takes no lock but in a thread's
    /// first call.
    fn look(&self, owner: Option<Borrowed<'_>>, hash: Hash, id: SlotId, judge: impl FnMut(&K) -> Verdict)
    -> Look<K, V>;

    /// Lends the store to `work`, which runs no Python code, drops no reference and does not come back here. Reenters:
    /// afterwards, finalizers, on builds where what leaves may have to wait.
    fn change<R>(&self, work: impl FnOnce(&mut Self::Store) -> R) -> R;

    /// [`StoreLock::change`] for changes that are rare: what leaves is dropped before this returns, and what has left before, which may
    /// take some microseconds. Only what a thread looks at that does not leave its hit meanwhile waits for later changes. Reenters: as
    /// that.
    fn change_rarely<R>(&self, work: impl FnOnce(&mut Self::Store) -> R) -> R;

    /// Takes everything out, and counts from zero again. `before` may do something to the store first, as in [`StoreLock::change`].
    /// Reenters: as [`StoreLock::change_rarely`].
    fn clear(&self, before: impl FnOnce(&mut Self::Store)) -> Result<Self::Cleared, OutOfMemory>;

    /// Sees to it that this thread can hit without a lock.
    fn register_thread(&self, owner: Option<Borrowed<'_>>);

    /// Counts a hit that [`StoreLock::hit`] and [`StoreLock::look`] have not counted.
    fn count_hit(&self);

    /// Counts a miss.
    fn count_miss(&self);

    /// Hits and misses since the last [`StoreLock::clear`], the number of entries, and how many have left for others.
    fn counts(&self) -> (u64, u64, usize, u64);

    /// Shows the collector all that the store holds, until it says stop. Nothing else runs meanwhile.
    fn visit(&self, each: impl FnMut(&K, &V) -> c_int) -> c_int;

    /// Everything in it, when nobody else can reach it any more.
    fn into_contents(self) -> impl Iterator<Item = (K, V)>;
}
