//! Memory that a store has moved out of, while readers may still be there.

use super::cells::Retired;
use super::index::Index;
use super::memory::Memory;
use super::slot::Slot;
use super::view::View;
use super::{OutOfMemory, boxed};
use std::mem::MaybeUninit;

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
    pub(super) replaced: M::Retired<Replaced<K, V, M>>,
    pub(super) view: Option<Box<MaybeUninit<View<K, V, M>>>>,
}

impl<K, V, M: Memory> Moves<K, V, M> {
    pub(super) fn none() -> Self {
        Self { replaced: Default::default(), view: None }
    }
}

impl<K, V, M: Memory> Retired<<M::Index as Index>::Words> for Moves<K, V, M> {
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
