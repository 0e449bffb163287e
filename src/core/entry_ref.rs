//! An entry that is there.

use super::slot::{SlotId, SlotNumber};

/// An entry of a store, borrowed from it: as long as this stands, so does the entry.
pub struct EntryRef<'a, K, V> {
    number: SlotNumber,
    pair: &'a (K, V),
}

impl<K, V> Clone for EntryRef<'_, K, V> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for EntryRef<'_, K, V> {}

impl<'a, K, V> EntryRef<'a, K, V> {
    #[inline(always)]
    pub(super) const fn new(number: SlotNumber, pair: &'a (K, V)) -> Self {
        Self { number, pair }
    }

    /// Its number, by which it is found again while it has not left.
    #[inline(always)]
    pub fn id(self) -> SlotId {
        self.number.id()
    }

    /// Its key.
    #[inline(always)]
    pub fn key(self) -> &'a K {
        &self.pair.0
    }

    /// Its value.
    #[inline(always)]
    pub fn value(self) -> &'a V {
        &self.pair.1
    }

    #[inline(always)]
    pub(super) fn pair(self) -> &'a (K, V) {
        self.pair
    }

    #[inline(always)]
    pub(super) fn number(self) -> SlotNumber {
        self.number
    }
}
