//! What a store's memory is made of: plain cells, where one thread at a time comes near, or atomics, where threads read
//! without a lock what another one writes. The store is written once; the choice is a type and costs nothing.

use super::OutOfMemory;
use super::atomics::{AtomicU64, Ordering};
use super::index::{Index, WordIndex};
use std::cell::Cell;
use std::marker::PhantomData;

/// A 64-bit cell. All changes to one are made by one thread at a time.
pub trait Word {
    /// Holds `value`.
    fn new(value: u64) -> Self;
    /// The value, when nothing else is read because of it.
    fn get(&self) -> u64;
    /// Gives it a value.
    fn set(&self, value: u64);
    /// The value, and with it all that its writer did before [`Word::publish`].
    fn acquire(&self) -> u64;
    /// Gives it a value that leads readers to what was written before.
    fn publish(&self, value: u64);
}

impl Word for Cell<u64> {
    #[inline(always)]
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    #[inline(always)]
    fn get(&self) -> u64 {
        self.get()
    }

    #[inline(always)]
    fn set(&self, value: u64) {
        self.set(value);
    }

    #[inline(always)]
    fn acquire(&self) -> u64 {
        self.get()
    }

    #[inline(always)]
    fn publish(&self, value: u64) {
        self.set(value);
    }
}

impl Word for AtomicU64 {
    #[inline(always)]
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    #[inline(always)]
    fn get(&self) -> u64 {
        // Relaxed: as the trait says.
        self.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn set(&self, value: u64) {
        // Relaxed: as the trait says.
        self.store(value, Ordering::Relaxed);
    }

    #[inline(always)]
    fn acquire(&self) -> u64 {
        // Acquire: pairs with the Release in `publish`.
        self.load(Ordering::Acquire)
    }

    #[inline(always)]
    fn publish(&self, value: u64) {
        // Release: pairs with the Acquire in `acquire`.
        self.store(value, Ordering::Release);
    }
}

/// Where memory goes that was replaced by other memory.
pub trait Bin<T> {
    /// Makes room for one more.
    fn reserve(&mut self) -> Result<(), OutOfMemory>;
    /// Puts one in, for which there is room.
    fn put(&mut self, item: T);
}

/// Nobody else can see it: it is dropped at once.
impl<T> Bin<T> for () {
    #[inline(always)]
    fn reserve(&mut self) -> Result<(), OutOfMemory> {
        Ok(())
    }

    #[inline(always)]
    fn put(&mut self, item: T) {
        drop(item);
    }
}

/// Readers may still see it: it waits.
impl<T> Bin<T> for Vec<T> {
    fn reserve(&mut self) -> Result<(), OutOfMemory> {
        Ok(self.try_reserve(1)?)
    }

    fn put(&mut self, item: T) {
        self.push(item);
    }
}

/// How a store's memory is used.
pub trait Memory: Sized {
    /// What entries' hashes lie in.
    type Word: Word;
    /// From hashes to entries.
    type Index: Index<Word = Self::Word>;
    /// Where replaced memory goes.
    type Bin<T>: Bin<T> + Default;
    /// Whether threads read without a lock. What leaves such a store then waits until nobody can see it.
    const SHARED: bool;
}

/// One thread at a time.
pub struct Local<I = LocalIndex>(PhantomData<I>);

impl<I: Index<Word = Cell<u64>>> Memory for Local<I> {
    type Word = Cell<u64>;
    type Index = I;
    type Bin<T> = ();
    const SHARED: bool = false;
}

/// One writer at a time, and any number of readers.
pub struct Concurrent;

impl Memory for Concurrent {
    type Word = AtomicU64;
    type Index = WordIndex<AtomicU64>;
    type Bin<T> = Vec<T>;
    const SHARED: bool = true;
}

/// The index that ships.
#[cfg(not(feature = "hashbrown-index"))]
type LocalIndex = WordIndex<Cell<u64>>;
/// The rival, built in to compare.
#[cfg(feature = "hashbrown-index")]
type LocalIndex = super::index_hashbrown::HashbrownIndex;
