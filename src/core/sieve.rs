//! SIEVE: the order in which entries stand, and who leaves next.
//!
//! Algorithm 1 of Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for Web Caches",
//! NSDI 2024: one queue, new entries at its head, and a hand that walks from the tail towards the head, spares (and
//! unmarks) what was visited, evicts the first entry that was not, and stays where it stopped.
//!
//! This is all that the store knows of a policy: it tells of each entry that comes, leaves or moves to another slot, and asks
//! for a victim. Hits come past it: they write the mark and nothing else. Another policy stands beside this file with the
//! same functions and its own numbers, and [`Memory`](super::memory::Memory) would name it, so that the choice is made by the compiler.

use super::cells::Word;
use super::hash::UNVISITED;
use super::slab::Slab;
use super::slot::{Links, SlotNumber};

/// The queue, as links between slots in a ring through the sentinel, and the hand.
pub(super) struct Sieve {
    hand: SlotNumber,
}

impl Sieve {
    pub(super) const fn new() -> Self {
        Self { hand: SlotNumber::SENTINEL }
    }

    /// An entry has come to this slot: it is the newest.
    #[inline(always)]
    pub(super) fn push<K, V, W: Word>(&mut self, slab: &Slab<K, V, W>, number: SlotNumber) {
        let head = slab.links(SlotNumber::SENTINEL).next;
        slab.set_links(number, Links { prev: SlotNumber::SENTINEL, next: head });
        slab.set_prev(head, number);
        slab.set_next(SlotNumber::SENTINEL, number);
    }

    /// The entry of this slot leaves, though it is no victim.
    #[inline(always)]
    pub(super) fn remove<K, V, W: Word>(&mut self, slab: &Slab<K, V, W>, number: SlotNumber) {
        if self.hand == number {
            self.hand = slab.links(number).prev;
        }
        unlink(slab, number);
    }

    /// The entry of one slot is in another one from now on, which takes its place.
    pub(super) fn replace<K, V, W: Word>(&mut self, slab: &Slab<K, V, W>, old: SlotNumber, new: SlotNumber) {
        let links = slab.links(old);
        slab.set_links(new, links);
        slab.set_next(links.prev, new);
        slab.set_prev(links.next, new);
        if self.hand == old {
            self.hand = new;
        }
    }

    /// Takes the next victim out, of a queue that is not empty.
    #[inline(always)]
    pub(super) fn evict<K, V, W: Word>(&mut self, slab: &Slab<K, V, W>) -> SlotNumber {
        let victim = self.pass_hand(slab);
        unlink(slab, victim);
        victim
    }

    /// Walks the hand to the next victim and past it. The queue is not empty.
    #[inline(always)]
    pub(super) fn pass_hand<K, V, W: Word>(&mut self, slab: &Slab<K, V, W>) -> SlotNumber {
        let mut number = self.hand;
        loop {
            if number == SlotNumber::SENTINEL {
                number = slab.links(SlotNumber::SENTINEL).prev;
            }
            let slot = slab.slot(number);
            let prev = slab.links(number).prev;
            let stored = slot.hash.get();
            if stored & UNVISITED != 0 {
                self.hand = prev;
                return number;
            }
            slot.hash.set(stored | UNVISITED);
            number = prev;
        }
    }

    /// Where the hand stands.
    pub(super) fn hand(&self) -> SlotNumber {
        self.hand
    }

    /// Puts the hand to an entry, from which it goes on.
    pub(super) fn set_hand(&mut self, number: SlotNumber) {
        self.hand = number;
    }

    /// The next newer entry, or the oldest one after the sentinel; none is the sentinel again.
    pub(super) fn newer<K, V, W: Word>(&self, slab: &Slab<K, V, W>, number: SlotNumber) -> SlotNumber {
        slab.links(number).prev
    }

    /// The next older entry, or the newest one after the sentinel; none is the sentinel again.
    pub(super) fn older<K, V, W: Word>(&self, slab: &Slab<K, V, W>, number: SlotNumber) -> SlotNumber {
        slab.links(number).next
    }
}

#[inline(always)]
fn unlink<K, V, W: Word>(slab: &Slab<K, V, W>, number: SlotNumber) {
    let Links { prev, next } = slab.links(number);
    slab.set_next(prev, next);
    slab.set_prev(next, prev);
}
