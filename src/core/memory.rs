//! The two kinds of memory that a store may live in. The store is written once; the choice is a type and costs nothing.

use super::atomics::AtomicU64;
use super::cells::{Retired, Word};
use super::index::Index;
use super::index::words::WordIndex;
use std::cell::Cell;
use std::marker::PhantomData;

/// How a store's memory is used.
pub trait Memory: Sized {
    /// What entries' hashes lie in.
    type Word: Word;
    /// From hashes to entries.
    type Index: Index<Word = Self::Word>;
    /// Where replaced memory goes.
    type Retired<T>: Retired<T> + Default;
    /// Whether threads read without a lock. What leaves such a store then waits until nobody can see it.
    const SHARED: bool;
}

/// One thread at a time.
pub struct Local<I = LocalIndex>(PhantomData<I>);

impl<I: Index<Word = Cell<u64>>> Memory for Local<I> {
    type Word = Cell<u64>;
    type Index = I;
    type Retired<T> = ();
    const SHARED: bool = false;
}

/// One writer at a time, and any number of readers.
pub struct Concurrent;

impl Memory for Concurrent {
    type Word = AtomicU64;
    type Index = WordIndex<AtomicU64>;
    type Retired<T> = Vec<T>;
    const SHARED: bool = true;
}

/// The index that ships.
#[cfg(not(feature = "hashbrown-index"))]
type LocalIndex = WordIndex<Cell<u64>>;
/// The rival, built in to compare.
#[cfg(feature = "hashbrown-index")]
type LocalIndex = super::index::hashbrown::HashbrownIndex;
