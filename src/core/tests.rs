//! The store against a plain model, over each kind of memory and index; and what the index promises of hard keys.

use super::hash::{Combine, Hash, UNVISITED};
use super::index::Index;
use super::index::hashbrown::HashbrownIndex;
use super::index::words::WordIndex;
use super::memory::{Concurrent, Local, Memory};
use super::slot::SlotId;
use super::store::Store;
use super::view::Hit;
use std::cell::Cell;
use std::collections::HashMap;

type Words = WordIndex<Cell<u64>>;
type LocalStore<K, V> = Store<K, V, Local<Words>>;

/// What has left a store, whether it was handed out or waits.
trait Settle: Memory {
    fn settle(store: &mut Store<u64, u64, Self>, handed_out: Option<(u64, u64)>) -> Option<(u64, u64)>;
}

impl<I: Index<Word = Cell<u64>>> Settle for Local<I> {
    fn settle(_store: &mut Store<u64, u64, Self>, handed_out: Option<(u64, u64)>) -> Option<(u64, u64)> {
        handed_out
    }
}

impl Settle for Concurrent {
    fn settle(store: &mut Store<u64, u64, Self>, handed_out: Option<(u64, u64)>) -> Option<(u64, u64)> {
        assert_eq!(handed_out, None, "readers might see it");
        let mut left = Vec::new();
        let waited = store.take_retired();
        // SAFETY: there are no readers.
        unsafe { store.release(waited, usize::MAX, |_| false, |pair| left.push(pair)) };
        drop(store.take_replaced());
        assert!(left.len() <= 1);
        left.pop()
    }
}

/// xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// SIEVE in the plainest form: a list from the newest to the oldest, and the hand as a key.
struct Model {
    queue: Vec<(u64, u64, bool)>,
    hand: Option<u64>,
    capacity: usize,
}

impl Model {
    fn at(&self, key: u64) -> Option<usize> {
        self.queue.iter().position(|entry| entry.0 == key)
    }

    fn newer(&self, at: usize) -> Option<u64> {
        (at > 0).then(|| self.queue[at - 1].0)
    }

    fn insert(&mut self, key: u64, value: u64) -> Option<u64> {
        let victim = (self.queue.len() == self.capacity).then(|| self.evict(None));
        self.queue.insert(0, (key, value, false));
        victim
    }

    fn evict(&mut self, spared: Option<u64>) -> u64 {
        let mut at = self.hand.map_or(self.queue.len() - 1, |hand| self.at(hand).unwrap());
        while self.queue[at].2 || spared == Some(self.queue[at].0) {
            self.queue[at].2 = false;
            at = at.checked_sub(1).unwrap_or(self.queue.len() - 1);
        }
        self.hand = self.newer(at);
        self.queue.remove(at).0
    }

    fn remove(&mut self, at: usize) {
        if self.hand == Some(self.queue[at].0) {
            self.hand = self.newer(at);
        }
        self.queue.remove(at);
    }
}

fn find<M: Memory>(store: &Store<u64, u64, M>, hash: Hash, key: u64) -> Option<SlotId> {
    let mut candidate = store.first_candidate(hash);
    while let Some((entry, cursor)) = candidate {
        if *entry.key() == key {
            return Some(entry.id());
        }
        candidate = store.next_candidate(hash, cursor);
    }
    None
}

fn run_against_model<M: Settle>(capacity: usize, keys: u64, hash_of: impl Fn(u64) -> u64, steps: u32, seed: u64) {
    let mut store: Store<u64, u64, M> = Store::new(capacity).expect("memory");
    let mut model = Model { queue: Vec::new(), hand: None, capacity };
    let mut random = Random(seed);
    for step in 0..steps {
        let key = random.below(keys);
        let hash = Hash::of(hash_of(key));
        let known = model.at(key);
        let id = find(&store, hash, key);
        assert_eq!(id.is_some(), known.is_some(), "step {step}, key {key}");
        match (random.below(20), id, known) {
            (0, Some(id), Some(at)) => {
                let left = store.remove(id);
                assert_eq!(M::settle(&mut store, left), Some((key, model.queue[at].1)));
                model.remove(at);
            }
            (1, Some(id), Some(at)) => {
                let (id, left) = store.replace(id, u64::from(step), |key| Some(*key)).expect("memory");
                let left = left.map(|value| (key, value));
                assert_eq!(M::settle(&mut store, left), Some((key, model.queue[at].1)));
                model.queue[at].1 = u64::from(step);
                for _ in 0..random.below(4) {
                    let evictions = store.evictions();
                    let evicted = store.evict_other(id).map(|(key, _)| key);
                    M::settle(&mut store, None);
                    let spared = (model.queue.len() > 1).then(|| model.evict(Some(key)));
                    assert_eq!(evicted, spared, "step {step}");
                    assert_eq!(store.evictions() - evictions, u64::from(evicted.is_some()));
                    assert_eq!(*store.key(id), key);
                }
            }
            (_, Some(id), Some(at)) => {
                match store.hit(hash, |stored| *stored == key, |value| Some(*value)) {
                    Hit::Value(value) => assert_eq!(value, model.queue[at].1),
                    // Another key of this hash or tag came first.
                    Hit::Unsure(_) => store.mark(id),
                    Hit::Absent(_) => panic!("step {step}: the entry was there"),
                }
                model.queue[at].2 = true;
            }
            _ => {
                let left = store.insert(hash, key, u64::from(step)).expect("memory");
                let evicted = M::settle(&mut store, left).map(|(key, _)| key);
                assert_eq!(evicted, model.insert(key, u64::from(step)), "step {step}");
            }
        }
        assert!(store.len() <= capacity);
        if step % 64 == 0 || steps < 2000 {
            let queue: Vec<_> = store.queue().map(|(&key, &value, visited)| (key, value, visited)).collect();
            assert_eq!(queue, model.queue, "step {step}");
        }
    }
    let contents: HashMap<u64, u64> = store.take().expect("memory").into_contents().collect();
    assert_eq!(contents, model.queue.iter().map(|&(key, value, _)| (key, value)).collect());
    assert!(store.is_empty() && store.queue().next().is_none());
}

fn run_over_sizes<M: Settle>() {
    for capacity in 1..12 {
        run_against_model::<M>(capacity, capacity as u64 * 2 + 1, |key| key, 1500, 0x1234_5678 + capacity as u64);
    }
    run_against_model::<M>(100, 250, |key| key << 32, 20_000, 7);
    run_against_model::<M>(333, 700, |key| key.wrapping_mul(0x9E37_79B9_7F4A_7C15), 20_000, 8);
    // Few hashes for many keys.
    run_against_model::<M>(50, 90, |key| key % 3, 5_000, 9);
}

#[test]
fn the_store_evicts_as_the_model_over_the_word_index() {
    run_over_sizes::<Local<Words>>();
}

#[test]
fn the_store_evicts_as_the_model_over_hashbrown() {
    run_over_sizes::<Local<HashbrownIndex>>();
}

#[test]
fn the_store_that_readers_share_evicts_as_the_model() {
    run_over_sizes::<Concurrent>();
}

#[test]
fn a_key_of_the_same_hash_is_no_hit() {
    let mut store: LocalStore<&str, u32> = Store::new(4).expect("memory");
    assert!(store.insert(Hash::of(5), "a", 1).is_ok());
    assert!(matches!(store.hit(Hash::of(5), |key| *key == "b", |value| Some(*value)), Hit::Unsure(_)));
    assert!(matches!(store.hit(Hash::of(5), |key| *key == "a", |value| Some(*value)), Hit::Value(1)));
    assert!(matches!(store.hit(Hash::of(6), |_| true, |value| Some(*value)), Hit::Absent(_)));
}

#[test]
fn a_hash_of_zero_is_found_and_missed() {
    let mut store: LocalStore<u32, u32> = Store::new(4).expect("memory");
    assert!(matches!(store.hit(Hash::of(0), |_| true, |value| Some(*value)), Hit::Absent(_)));
    assert!(store.first_candidate(Hash::of(0)).is_none());
    assert!(store.insert(Hash::of(0), 0, 1).is_ok());
    assert!(matches!(store.hit(Hash::of(0), |key| *key == 0, |value| Some(*value)), Hit::Value(1)));
}

#[test]
fn the_generation_changes_when_an_entry_comes_or_goes_and_not_on_hits() {
    let mut store: LocalStore<u32, u32> = Store::new(1).expect("memory");
    let mut seen = vec![store.generation()];
    assert!(store.insert(Hash::of(1), 1, 1).is_ok());
    seen.push(store.generation());
    assert!(matches!(store.hit(Hash::of(1), |_| true, |value| Some(*value)), Hit::Value(1)));
    assert_eq!(store.generation(), seen[1]);
    assert!(store.insert(Hash::of(2), 2, 2).is_ok());
    seen.push(store.generation());
    drop(store.take());
    seen.push(store.generation());
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 4);
}

/// Files so many keys, and finds each again.
fn filed(count: u64, hash_of: impl Fn(u64) -> u64) -> Words {
    let mut index = Words::new().expect("memory");
    for key in 0..count {
        if !index.has_room(key as usize) {
            index.relocate(key as usize).expect("memory");
        }
        let hash_of_slot = |slot| Hash::of(hash_of(u64::from(slot) - 1));
        index.insert(Hash::of(hash_of(key)), key as u32 + 1, hash_of_slot, &mut ());
    }
    for key in 0..count {
        let hash = Hash::of(hash_of(key));
        let mut candidate = index.first(hash);
        while let Some((_, cursor)) = candidate.filter(|&(slot, _)| slot != key as u32 + 1) {
            candidate = index.after(hash, cursor);
        }
        assert!(candidate.is_some(), "key {key} is filed and not found");
    }
    index
}

/// Asserts that keys of these hashes cost what keys of random hashes cost: on average no more than two words further to
/// look, a quarter of a cache line, and no long way for any.
fn assert_spread_like_random(what: &str, count: u64, hash_of: impl Fn(u64) -> u64) {
    let mut random = Random(42);
    let noise: Vec<u64> = (0..count).map(|_| random.next()).collect();
    let (random_most, random_mean) = filed(count, |key| noise[key as usize]).distances();
    let (most, mean) = filed(count, hash_of).distances();
    assert!(mean <= random_mean + 2.0, "{count} {what}: {mean} words from home, random ones {random_mean}");
    assert!(most <= random_most.max(8) * 6, "{count} {what}: up to {most} words from home, random ones {random_most}");
}

/// Python's hash of `key / 2^bits`, and of `key * 2^(61 - bits)`: rotated in 61 bits.
fn float_hash(key: u64, bits: u32) -> u64 {
    (key << (61 - bits) | key >> bits) & ((1 << 61) - 1)
}

#[test]
fn dense_integers_all_lie_at_home() {
    for count in [100, 1_000, 50_000] {
        assert_eq!(filed(count, |key| key).distances(), (0, 0.0));
        assert_eq!(filed(count, |key| key + 1_000_000).distances(), (0, 0.0));
        assert_eq!(filed(count, u64::wrapping_neg).distances(), (0, 0.0));
    }
}

#[test]
fn strides_floats_and_pointers_cost_what_random_hashes_cost() {
    for count in [200, 4_000, 16_000] {
        for stride in 1..58 {
            assert_spread_like_random(&format!("keys in strides of 2^{stride}"), count, |key| {
                float_hash(key, 61 - stride)
            });
        }
        for size in [3, 4, 5, 7, 13] {
            let address = |key| 0x7F3A_1234_5670 + key * size * 16;
            assert_spread_like_random("pointers", count, |key| u64::rotate_right(address(key), 4));
        }
    }
}

#[test]
fn pairs_of_small_integers_have_hashes_of_their_own() {
    let mut seen = HashMap::new();
    for a in 0..300u64 {
        for b in 0..300u64 {
            let hash = Combine::new(2).with(a).with(b).finish();
            assert_eq!(seen.insert(hash.visited(), (a, b)), None, "{a}, {b}");
            assert_eq!(hash.visited() & UNVISITED, 0);
        }
    }
}

#[test]
fn pairs_cost_what_random_hashes_cost() {
    let pair = |a: u64, b: u64| Combine::new(2).with(a).with(b).finish().visited() >> 1;
    for width in [2, 10, 126, 1024] {
        assert_spread_like_random("pairs", 16_000, |key| pair(key / width, key % width));
        let floats = |key| pair(float_hash(key / width, 7), float_hash(key % width, 20));
        assert_spread_like_random("pairs of floats", 16_000, floats);
    }
}

#[test]
fn a_scan_of_a_full_index_stays_at_home_for_ever() {
    let mut index = Words::new().expect("memory");
    const LIVE: u64 = 1_000;
    for key in 0..100_000u64 {
        if key >= LIVE {
            index.remove(Hash::of(key - LIVE), (key % LIVE) as u32 + 1);
        } else if !index.has_room(key as usize) {
            index.relocate(key as usize).expect("memory");
        }
        index.insert(Hash::of(key), (key % LIVE) as u32 + 1, |_| unreachable!("dense integers never collide"), &mut ());
    }
    assert_eq!(index.distances(), (0, 0.0));
    assert!(!index.mixes());
}

/// Whatever is asked about an entry that has left, the store stays whole.
fn old_numbers_name_nothing<M: Settle>() {
    let mut store: Store<u64, u64, M> = Store::new(4).expect("memory");
    assert!(store.insert(Hash::of(1), 1, 10).is_ok() && store.insert(Hash::of(2), 2, 20).is_ok());
    let id = find(&store, Hash::of(1), 1).expect("it is there");
    assert_eq!(store.entry(id).map(|entry| (*entry.key(), *entry.value())), Some((1, 10)));
    let left = store.remove(id);
    assert_eq!(M::settle(&mut store, left), Some((1, 10)));
    let past_the_end = SlotId(1000);
    for old in [id, past_the_end, SlotId::NONE] {
        assert!(store.entry(old).is_none() && store.key_if_live(old).is_none() && !store.is_marked(old));
        assert_eq!((store.remove(old), store.take_out(old)), (None, None));
        store.mark(old);
        store.set_hand(old);
        assert_eq!(store.len(), 1);
    }
    assert_eq!(store.oldest().and_then(|oldest| store.newer(oldest)), None);
    assert_eq!(store.newer(past_the_end), None);
    assert_eq!(store.queue().collect::<Vec<_>>(), [(&2, &20, false)]);
    // What is retired, but not let go yet, is no entry either.
    let id = find(&store, Hash::of(2), 2).expect("it is there");
    let _left = store.remove(id);
    assert!(store.entry(id).is_none() && store.remove(id).is_none());
    assert_eq!(store.len(), 0);
}

#[test]
fn numbers_of_entries_that_have_left_name_nothing() {
    old_numbers_name_nothing::<Local<Words>>();
    old_numbers_name_nothing::<Local<HashbrownIndex>>();
    old_numbers_name_nothing::<Concurrent>();
}
