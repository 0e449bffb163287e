//! What a store's memory is made of: plain cells, where one thread at a time comes near, or atomics, where threads read
//! without a lock what another one writes; and where memory goes that other memory has replaced.

use super::OutOfMemory;
use super::atomics::{AtomicU64, Ordering};
use std::cell::Cell;

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
pub trait Retired<T> {
    /// Makes room for one more.
    fn reserve(&mut self) -> Result<(), OutOfMemory>;
    /// Puts one in, for which there is room.
    fn put(&mut self, item: T);
}

/// Nobody else can see it: it is dropped at once.
impl<T> Retired<T> for () {
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
impl<T> Retired<T> for Vec<T> {
    fn reserve(&mut self) -> Result<(), OutOfMemory> {
        Ok(self.try_reserve(1)?)
    }

    fn put(&mut self, item: T) {
        self.push(item);
    }
}
