//! What a store that is shared with readers keeps until they can't see it: retired slots, and memory that was replaced.

use crate::core::OutOfMemory;
use crate::core::cells::Retired;
use crate::core::index::Index;
use crate::core::memory::{Concurrent, Memory};
use crate::core::moves::Replaced;
use crate::core::slab::{Contents, RetiredSlots};
use crate::core::store::Store;
use crate::core::view::View;

/// The view of a store that has moved, and the memory where it was.
type Moved<K, V> = (Option<Box<View<K, V, Concurrent>>>, Vec<Replaced<K, V, Concurrent>>);

/// What a store that is shared with readers has beside.
impl<K, V> Store<K, V, Concurrent> {
    /// Whether it has moved since [`Store::take_replaced`].
    #[inline(always)]
    pub(in crate::core) fn has_moved(&self) -> bool {
        !self.moves.replaced.is_empty()
    }

    /// Makes sure that there is memory for a view.
    pub(in crate::core) fn reserve_view(&mut self) -> Result<(), OutOfMemory> {
        self.moves.reserve()
    }

    /// Hands out the memory that was replaced, and a view of that which took its place.
    pub(in crate::core) fn take_replaced(&mut self) -> Moved<K, V> {
        let view = self.view();
        let boxed = self.moves.view.take().map(|place| Box::write(place, view));
        (boxed, std::mem::take(&mut self.moves.replaced))
    }

    /// What is retired.
    #[inline(always)]
    pub(in crate::core) fn retired(&self) -> RetiredSlots {
        self.retired
    }

    /// Takes over what is retired.
    #[inline(always)]
    pub(in crate::core) fn take_retired(&mut self) -> RetiredSlots {
        std::mem::replace(&mut self.retired, RetiredSlots::NONE)
    }

    /// Gives some of that back.
    pub(in crate::core) fn put_retired(&mut self, rest: RetiredSlots) {
        self.retired = self.join_retired(self.retired, rest);
    }

    /// One list of two.
    pub(in crate::core) fn join_retired(&self, a: RetiredSlots, b: RetiredSlots) -> RetiredSlots {
        match (a.len, b.len) {
            (0, _) => b,
            (_, 0) => a,
            _ => {
                self.slab.set_next(a.last, b.first);
                RetiredSlots { first: a.first, last: b.last, len: a.len + b.len }
            }
        }
    }

    /// Lets go up to `most` of what was retired, but for the slots that are held, which wait on. Returns the rest.
    ///
    /// # Safety
    /// It comes from [`Store::take_retired`], and since then no reader can see a slot of it that is not held.
    pub(in crate::core) unsafe fn release(
        &mut self,
        mut retired: RetiredSlots,
        most: usize,
        held: impl Fn(u32) -> bool,
        mut each: impl FnMut((K, V)),
    ) -> RetiredSlots {
        for _ in 0..most.min(retired.len()) {
            let number = retired.first;
            retired = RetiredSlots { first: self.slab.links(number).next, len: retired.len - 1, ..retired };
            if held(number.get()) {
                self.retire(number);
            } else {
                // SAFETY: no reader can see it, as the caller says, and nobody borrows from the store.
                if let Some(pair) = unsafe { self.slab.slot(number).replace_pair(None) } {
                    each(pair);
                }
                self.slab.give(number);
            }
        }
        retired
    }

    /// Ends the store: its words, for readers to be turned away by, and its slots.
    pub(in crate::core) fn into_replaced(self) -> Replaced<K, V, Concurrent> {
        Replaced::new(self.index.into_words(), self.slab.into_slots())
    }
}

impl<K, V> Replaced<K, V, Concurrent> {
    /// Turns readers away that still search the words.
    pub(in crate::core) fn close(&mut self) {
        if !self.closed {
            <Concurrent as Memory>::Index::close(&self.words);
            self.closed = true;
        }
    }

    /// Takes what is in it but for the slots of these numbers, which readers look at.
    ///
    /// # Safety
    /// The words are closed, and no reader can see any other slot.
    pub(in crate::core) unsafe fn take_unless(&self, held: impl Fn(u32) -> bool, mut each: impl FnMut((K, V))) {
        for (id, slot) in self.slots.iter().enumerate() {
            if !held(id as u32) {
                // SAFETY: as the caller says.
                if let Some(pair) = unsafe { slot.replace_pair(None) } {
                    each(pair);
                }
            }
        }
    }

    /// What is still in it, when no reader is inside.
    pub(in crate::core) fn into_contents(self) -> Contents<K, V, Concurrent> {
        Contents::of(self.slots)
    }
}
