//! The steps of a write, at which tests kill the writer.

/// Where a writer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Step {
    /// It has the lock.
    Locked = 1,
    /// A slab was taken from the arena, and not listed.
    SlabTaken,
    /// A slab is listed, and its slots are not linked.
    SlabListed,
    /// A slot was taken.
    SlotTaken,
    /// A block was taken.
    BlockTaken,
    /// The block is written.
    BlockWritten,
    /// The slot is being written.
    SlotKilled,
    /// The slot is written, and not live.
    SlotWritten,
    /// The entry is live, and in no list.
    Published,
    /// It is in the ring.
    InRing,
    /// Its head leads to it.
    InHead,
    /// An entry was killed, and is still in all lists.
    Killed,
    /// It is in the ring only.
    OutOfHead,
    /// Its block is not free yet.
    OutOfRing,
    /// Its block is free, and its slot is not.
    BlockGiven,
    /// Of clearing: some entries are gone.
    Clearing,
    /// Of rebuilding: nothing is linked.
    Rebuilding,
    /// Of rebuilding: the arena is laid out anew.
    LaidOut,
    /// Before the lock is given back.
    Done,
}
