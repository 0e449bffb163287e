//! What the tests of regions share.

use crate::backend::Busy;
use crate::core::atomics::{AtomicU64, Ordering::Relaxed};
use crate::core::expiry::Terms;
use crate::shm::arena::Arena;
use crate::shm::layout::state;
use crate::shm::space::{LIVE, PLACE, RING, VISITED, WORD, high, low};
use crate::shm::table::Table;
use crate::shm::*;
use std::path::PathBuf;
use std::sync::Arc;

/// A directory of a test's own, gone when dropped.
pub struct Home(pub PathBuf);

impl Home {
    pub fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/dev/shm/tamis-test-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    pub fn open(&self, maxsize: Option<u64>, max_bytes: u64) -> Arc<Region> {
        Region::open(&self.0, "test", &RegionConfig { maxsize, max_bytes }).expect("a region")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// What tests do often, by keys and values alone.
pub trait Simply {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<Stored, Busy>;
    fn put_for(&self, key: &[u8], value: &[u8], terms: Terms, now: u64) -> Result<Stored, Busy>;
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;
    fn find(&self, key: &[u8], now: u64) -> Lookup;
    fn drop_one(&self, key: &[u8]) -> bool;
    fn count_hits(&self, interpreter: u64, count: u64);
}

impl Simply for Region {
    fn count_hits(&self, interpreter: u64, count: u64) {
        // As `ffi/sync/gil.rs` has it.
        let add_alone = |counter: &AtomicU64| counter.store(counter.load(Relaxed) + 1, Relaxed);
        let user = self.join(interpreter);
        (0..count).for_each(|_| self.line(user).count(|counters| &counters.hits, add_alone));
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<Stored, Busy> {
        self.put_for(key, value, Terms::NONE, 0)
    }

    fn put_for(&self, key: &[u8], value: &[u8], terms: Terms, now: u64) -> Result<Stored, Busy> {
        self.store(self.hash(key), key, value, &terms, now, &())
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        match self.lookup(self.hash(key), key, 0, &mut value) {
            Lookup::Fresh(found) => {
                assert_eq!(found.terms, Terms::NONE);
                Some(value)
            }
            Lookup::Absent => None,
            Lookup::Stale(_) => panic!("no terms, and stale"),
        }
    }

    fn find(&self, key: &[u8], now: u64) -> Lookup {
        self.lookup(self.hash(key), key, now, &mut Vec::new())
    }

    fn drop_one(&self, key: &[u8]) -> bool {
        self.remove_entry(self.hash(key), key, &()).expect("the lock")
    }
}

/// The slots in the order of the queue, the newest first, as keys and marks.
pub fn queue(region: &Region) -> Vec<(Vec<u8>, bool)> {
    let space = region.space();
    let mut id = space.state(state::NEWEST).load(Relaxed) as u32;
    let mut entries = Vec::new();
    while id != 0 {
        let slot = space.slot(id).expect("a slot");
        let extent = space.extent(slot[PLACE].load(Relaxed), slot[space::LENS].load(Relaxed)).expect("an extent");
        let mut key = Vec::new();
        assert!(space::copy_out(&space.arena()[extent.key_start()..extent.value_start()], extent.key, &mut key));
        entries.push((key, slot[WORD].load(Relaxed) & VISITED != 0));
        id = high(slot[RING].load(Relaxed));
    }
    entries
}

/// Asserts that all structures agree.
pub fn audit(region: &Region) {
    let space = region.space();
    let get = |at| space.state(at).load(Relaxed);
    let mut backwards = Vec::new();
    let mut id = get(state::OLDEST) as u32;
    while id != 0 {
        let slot = space.slot(id).expect("a slot");
        assert_ne!(slot[WORD].load(Relaxed) & LIVE, 0, "only live entries are in the ring");
        backwards.push(id);
        assert!(backwards.len() as u64 <= get(state::LEN));
        id = low(slot[RING].load(Relaxed));
    }
    assert_eq!(backwards.len() as u64, get(state::LEN));
    assert_eq!(queue(region).len(), backwards.len());
    assert!(get(state::HAND) == 0 || backwards.contains(&(get(state::HAND) as u32)));
    let (mut filed, mut bytes, mut used) = (0, 0, 0);
    for bucket in 0..space.geometry.heads_len {
        let mut id = space.head(bucket).first();
        while id != 0 {
            let slot = space.slot(id).expect("a slot");
            let extent = space.extent(slot[PLACE].load(Relaxed), slot[space::LENS].load(Relaxed)).expect("an extent");
            filed += 1;
            bytes += (extent.key + extent.value) as u64;
            used += extent.units();
            assert!(filed <= get(state::LEN));
            id = high(slot[PLACE].load(Relaxed));
        }
    }
    assert_eq!((filed, bytes), (get(state::LEN), get(state::BYTES)));
    let slabs: u64 = Table::new(space).slabs()[..get(state::SLABS) as usize]
        .iter()
        .map(|first| u64::from(Arena::new(space).size(first.load(Relaxed) as u32 - 1).expect("a block")))
        .sum();
    let free = Arena::new(space).survey().expect("tags that fit").free;
    assert_eq!(free + slabs + used + u64::from(arena::FIRST) + 2, u64::from(space.geometry.units()));
}
