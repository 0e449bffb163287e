//! One entry's place in a store, and the two kinds of numbers that places are known by.

use super::atomics::Place;
use super::cells::Word;
use super::hash::UNVISITED;

/// An entry's number, valid until the entry leaves; from then on it may name another one, or none. A store that is asked
/// about one looks first whether an entry is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct SlotId(pub(super) u32);

impl SlotId {
    /// No entry's number.
    pub const NONE: Self = Self(0);
}

/// The number of a slot that the slab has. Slabs never shrink, so it stays one for as long as its store has this slab.
///
/// Whoever has one got it from the slab, from the links between its slots, or from the index of the same store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(super) struct SlotNumber(u32);

impl SlotNumber {
    /// The slot that every slab has and that holds no entry. The ring's ends meet there. As a hand it means "start at the tail".
    pub(super) const SENTINEL: Self = Self(0);

    /// # Safety
    /// The slab that the number is used with has more slots than this.
    #[inline(always)]
    pub(super) const unsafe fn new(number: u32) -> Self {
        Self(number)
    }

    #[inline(always)]
    pub(super) const fn get(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub(super) const fn id(self) -> SlotId {
        SlotId(self.0)
    }
}

/// 32 bytes, two to a cache line and never across one, for keys and values of a pointer each.
///
/// A reader without a lock sees a slot from when its word is filed until its hazard is gone: key and value stand still
/// all that time, and of the hash only the mark changes. The links are the writer's alone.
#[repr(align(32))]
pub(super) struct Slot<K, V, W> {
    /// The hash; its bit [`UNVISITED`] is SIEVE's mark, upside down.
    pub(super) hash: W,
    pair: Place<Option<(K, V)>>,
    links: Place<Links>,
}

#[derive(Clone, Copy)]
pub(super) struct Links {
    /// Towards the head: the next newer entry. In a slot that is retired, the slot itself.
    pub(super) prev: SlotNumber,
    /// Towards the tail: the next older entry. In a free slot, and in one that is retired, the next such one.
    pub(super) next: SlotNumber,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Slot<&(), &(), std::cell::Cell<u64>>>() == 32);

impl<K, V, W: Word> Slot<K, V, W> {
    pub(super) fn empty() -> Self {
        let links = Links { prev: SlotNumber::SENTINEL, next: SlotNumber::SENTINEL };
        Self { hash: W::new(0), pair: Place::new(None), links: Place::new(links) }
    }

    /// # Safety
    /// The caller is the writer.
    #[inline(always)]
    pub(super) unsafe fn links(&self) -> Links {
        // SAFETY: the writer's alone, and the writer is one.
        self.links.with(|links| unsafe { *links })
    }

    /// # Safety
    /// The caller is the writer.
    #[inline(always)]
    pub(super) unsafe fn set_links(&self, new: Links) {
        // SAFETY: the writer's alone, and the writer is one.
        self.links.with_mut(|links| unsafe { *links = new });
    }

    /// # Safety
    /// The caller is the writer.
    #[inline(always)]
    pub(super) unsafe fn set_next(&self, next: SlotNumber) {
        // SAFETY: the writer's alone, and the writer is one.
        self.links.with_mut(|links| unsafe { (*links).next = next });
    }

    /// # Safety
    /// The caller is the writer.
    #[inline(always)]
    pub(super) unsafe fn set_prev(&self, prev: SlotNumber) {
        // SAFETY: the writer's alone, and the writer is one.
        self.links.with_mut(|links| unsafe { (*links).prev = prev });
    }

    #[inline(always)]
    pub(super) fn mark(&self) {
        let stored = self.hash.get();
        if stored & UNVISITED != 0 {
            self.hash.set(stored & !UNVISITED);
        }
    }

    #[inline(always)]
    pub(super) fn is_marked(&self) -> bool {
        self.hash.get() & UNVISITED == 0
    }

    #[inline(always)]
    pub(super) fn pair(&self) -> Option<&(K, V)> {
        // SAFETY: only written by `replace_pair`, while nobody looks at it.
        self.pair.with(|pair| unsafe { &*pair }).as_ref()
    }

    /// # Safety
    /// The caller is the writer, no reader can see the pair, and nobody uses a reference to it.
    #[inline(always)]
    pub(super) unsafe fn replace_pair(&self, new: Option<(K, V)>) -> Option<(K, V)> {
        // SAFETY: the caller is the writer, and keeps readers out.
        self.pair.with_mut(|pair| unsafe { std::ptr::replace(pair, new) })
    }

    /// A slot of the same contents elsewhere.
    ///
    /// # Safety
    /// The caller is the writer, and does not use this one as an owner of its pair any more.
    pub(super) unsafe fn relocated(&self) -> Self {
        // SAFETY: the pair moves, as the caller says.
        let pair = self.pair.with(|pair| unsafe { std::ptr::read(pair) });
        // SAFETY: the caller is the writer.
        let links = unsafe { self.links() };
        Self { hash: W::new(self.hash.get()), pair: Place::new(pair), links: Place::new(links) }
    }

    pub(super) fn into_pair(self) -> Option<(K, V)> {
        self.pair.into_inner()
    }
}
