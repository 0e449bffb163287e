//! What readers do: no lock, and no more than so many steps.

use super::digest::{digest, mix};
use super::space::{
    CHECK, Extent, HASH, LENS, LIVE, PLACE, READ, RegionSlot, Space, VISITED, WORD, copy_out, equal, high, same,
    words_of,
};
use super::types::{FoundEntry, Lookup, Token};
use crate::backend::Now;
use crate::core::atomics::{Ordering, spin_loop};
use crate::core::clock::{NEVER, Time};
use crate::core::expiry::{Age, Terms};

/// How often a search begins again that met a writer. Then it has found nothing.
const TRIES: u32 = if cfg!(loom) { 2 } else { 8 };
/// How many slots of one head are looked at. Hashes are keyed, so no such chain comes up but by damage.
const LONGEST: u32 = 64;

/// An entry as it was seen: true if its slot's word still stands.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Its slot.
    pub slot: &'a RegionSlot,
    /// The slot's word.
    pub word: u64,
    /// Where its bytes lie.
    pub extent: Extent,
}

/// What a search met.
enum Met<'a, T> {
    Entry(&'a RegionSlot, u64, T),
    Nothing,
    Writer,
}

/// The check over an entry's value and all that belongs to it.
#[inline(always)]
pub fn check_of(seed: u64, hash: u64, lens: u64, terms: &Terms, value: &[u8]) -> u64 {
    let times = mix(terms.fresh_until ^ seed, terms.stale_until.wrapping_add(terms.idle.rotate_left(32)) ^ !seed);
    mix(digest(seed, value) ^ hash, lens ^ times)
}

impl Space {
    /// Searches for an entry of this hash of which `take` takes something.
    #[inline(always)]
    fn search<T>(&self, hash: u64, take: impl Fn(&RegionSlot, u64) -> Option<T>) -> Met<'_, T> {
        let bucket = self.bucket(hash);
        let mut id = self.head(bucket).first();
        for _ in 0..LONGEST {
            if id == 0 {
                return Met::Nothing;
            }
            let Some(slot) = self.slot(id) else { return Met::Nothing };
            // Acquire: pairs with the Release that publishes the entry.
            let word = slot[WORD].load(Ordering::Acquire);
            if word & LIVE == 0 || self.id(word) != id {
                return Met::Writer;
            }
            // Relaxed, here and below: `stands` orders them.
            let other = slot[HASH].load(Ordering::Relaxed);
            let place = slot[PLACE].load(Ordering::Relaxed);
            if other == hash
                && let Some(taken) = take(slot, place)
            {
                return Met::Entry(slot, word, taken);
            }
            if self.bucket(other) != bucket || !self.stands(slot, word) {
                return Met::Writer;
            }
            id = high(place);
        }
        Met::Nothing
    }

    /// See [`Region::lacks`](super::Region::lacks).
    #[inline(always)]
    pub fn lacks(&self, hash: u64) -> bool {
        matches!(self.search(hash, |_, _| Some(())), Met::Nothing)
    }

    /// Searches, and lets `read` read what was found, until nothing has changed meanwhile.
    #[inline(always)]
    fn read<T>(&self, hash: u64, key: &[u8], mut read: impl FnMut(&Seen<'_>) -> T) -> Option<(Seen<'_>, T)> {
        for _ in 0..TRIES {
            let entry = self.search(hash, |slot, place| {
                let extent = self.extent(place, slot[LENS].load(Ordering::Relaxed))?;
                let words = &self.arena()[extent.key_start()..extent.value_start()];
                (extent.key == key.len() && equal(words, key)).then_some(extent)
            });
            match entry {
                Met::Entry(slot, word, extent) => {
                    let seen = Seen { slot, word, extent };
                    let value = read(&seen);
                    if self.stands(seen.slot, seen.word) {
                        return Some((seen, value));
                    }
                }
                Met::Nothing => return None,
                Met::Writer => (),
            }
            spin_loop();
        }
        None
    }

    /// The terms of an entry.
    #[inline(always)]
    pub fn terms(&self, extent: &Extent) -> Terms {
        if extent.terms == 0 {
            return Terms::NONE;
        }
        // Relaxed: `stands` orders them.
        let at = |n: usize| self.arena()[extent.start + n].load(Ordering::Relaxed);
        Terms { fresh_until: at(0), stale_until: at(1), idle: at(2) }
    }

    /// See [`Region::lookup`](super::Region::lookup).
    #[inline]
    pub fn lookup(&self, hash: u64, key: &[u8], now: impl Now, value: &mut Vec<u8>) -> Lookup {
        let copy = |seen: &Seen<'_>| {
            let extent = &seen.extent;
            let words = &self.arena()[extent.value_start()..][..words_of(extent.value)];
            // Relaxed: `stands` orders it.
            let check = seen.slot[CHECK].load(Ordering::Relaxed);
            (copy_out(words, extent.value, value), check, self.terms(extent))
        };
        let Some((seen, (copied, check, terms))) = self.read(hash, key, copy) else { return Lookup::Absent };
        if !copied || check != check_of(self.seed, hash, seen.extent.lens(), &terms, value) {
            return Lookup::Absent;
        }
        let found = FoundEntry { version: Token(seen.word | VISITED), terms };
        // What has no terms needs no clock.
        let now = if terms == Terms::NONE { 0 } else { now.now() };
        let age = age(seen.slot, &terms, now);
        if age == Age::Expired {
            return Lookup::Absent;
        }
        if seen.word & VISITED == 0 {
            mark(seen.slot, seen.word);
        }
        if terms.idle != NEVER {
            // Relaxed: a time, no message. If the entry left at this moment, another is taken for read a little late.
            seen.slot[READ].store(now, Ordering::Relaxed);
        }
        if age == Age::Fresh { Lookup::Fresh(found) } else { Lookup::Stale(found) }
    }

    /// See [`Region::contains`](super::Region::contains).
    pub fn contains(&self, hash: u64, key: &[u8], now: Time) -> bool {
        let seen = self.read(hash, key, |seen| self.terms(&seen.extent));
        seen.is_some_and(|(seen, terms)| age(seen.slot, &terms, now) != Age::Expired)
    }

    /// See [`Region::check`](super::Region::check).
    #[inline(always)]
    pub fn check(&self, token: Token) -> bool {
        let Some(slot) = self.slot(self.id(token.0)) else { return false };
        // Acquire: pairs with the Release that publishes the entry; its user may go on to read the slot.
        let word = slot[WORD].load(Ordering::Acquire);
        word == token.0 || (word == token.0 & !VISITED && mark(slot, word))
    }

    /// See [`Region::touch`](super::Region::touch).
    pub fn touch(&self, token: Token, terms: &Terms, now: Time) -> bool {
        let Some(slot) = self.slot(self.id(token.0)) else { return false };
        if age(slot, terms, now) == Age::Expired {
            return false;
        }
        // Relaxed: as in `lookup`.
        slot[READ].store(now, Ordering::Relaxed);
        true
    }
}

/// How good the entry in a slot is.
#[inline(always)]
pub fn age(slot: &RegionSlot, terms: &Terms, now: Time) -> Age {
    // Relaxed: a time, no message.
    terms.age(now, || slot[READ].load(Ordering::Relaxed))
}

/// Marks an entry as visited. False: it has left.
#[cold]
#[inline(never)]
fn mark(slot: &RegionSlot, word: u64) -> bool {
    // Relaxed: a hint for the hand. Another reader may have been faster.
    match slot[WORD].compare_exchange(word, word | VISITED, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => true,
        Err(now) => same(now, word),
    }
}
