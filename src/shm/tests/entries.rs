//! One process: what a region promises of sizes, times and names.

use super::helpers::{Home, Random, Simply, audit, queue};
use crate::core::atomics::Ordering::Relaxed;
use crate::core::expiry::Terms;
use crate::shm::arena::{Arena, Damaged};
use crate::shm::layout::{SLOT_WORDS, UNIT_WORDS};
use crate::shm::space::{LENS, LIVE, PLACE, WORD, halves, low};
use crate::shm::table::Table;
use crate::shm::*;
use std::collections::HashMap;
use std::sync::Arc;

#[test]
fn keys_and_values_of_all_lengths_come_back() {
    let home = Home::new("lengths");
    let region = home.open(None, 1 << 20);
    let mut random = Random(5);
    for len in (0..100).chain([127, 128, 129, 1000, 4095, 4096, 65_535, 65_536, 200_001]) {
        let (key, value) = (random.bytes(len % 1000), random.bytes(len));
        let Ok(Stored::Done(token)) = region.put(&key, &value) else { panic!("length {len} is not stored") };
        assert_eq!(region.get(&key), Some(value), "length {len}");
        assert!(region.check(token));
    }
    audit(&region);
    assert_eq!(region.put(b"large", &vec![0; 1 << 20]), Ok(Stored::TooLarge));
    assert_eq!(region.get(b"large"), None);
}

#[test]
fn a_token_fails_once_its_entry_was_replaced_evicted_removed_or_cleared() {
    let home = Home::new("tokens");
    let region = home.open(Some(2), 128 << 10);
    let stored = |key: &[u8]| match region.put(key, b"value") {
        Ok(Stored::Done(token)) => token,
        other => panic!("{other:?}"),
    };
    let first = stored(b"a");
    let second = stored(b"a");
    assert!(!region.check(first) && region.check(second));
    assert!(region.drop_one(b"a") && !region.drop_one(b"a"));
    assert!(!region.check(second));
    let (a, _, _) = (stored(b"a"), stored(b"b"), stored(b"c"));
    assert!(!region.check(a));
    let d = stored(b"d");
    assert!(region.check(d));
    region.clear(&()).expect("the lock");
    assert!(!region.check(d));
    let again = stored(b"d");
    assert!(!region.check(d) && region.check(again));
    assert_eq!(region.stats().currsize, 1);
    audit(&region);
}

#[test]
fn entries_are_fresh_then_stale_then_gone() {
    let home = Home::new("terms");
    let region = home.open(Some(10), 128 << 10);
    let terms = Terms { fresh_until: 100, stale_until: 200, ..Terms::NONE };
    assert!(matches!(region.put_for(b"a", b"1", terms, 0), Ok(Stored::Done(_))));
    assert!(matches!(region.find(b"a", 99), Lookup::Fresh(found) if found.terms == terms));
    let Lookup::Stale(found) = region.find(b"a", 100) else { panic!("it is stale") };
    assert!(region.begin_refresh(found.version, 100) && !region.begin_refresh(found.version, 100));
    region.give_up_refresh(found.version);
    assert!(region.begin_refresh(found.version, 100));
    assert_eq!(region.find(b"a", 200), Lookup::Absent);
    assert!(matches!(region.put_for(b"a", b"2", terms, 200), Ok(Stored::Done(_))));
    assert_eq!((region.stats().expirations, region.stats().currsize), (1, 1));
    assert!(!region.begin_refresh(found.version, 200), "it has been replaced");
}

#[test]
fn an_entry_that_is_read_stays_and_an_idle_one_goes() {
    let home = Home::new("idle");
    let region = home.open(Some(10), 128 << 10);
    let terms = Terms { idle: 10, ..Terms::NONE };
    let Ok(Stored::Done(token)) = region.put_for(b"a", b"1", terms, 0) else { panic!("no room") };
    assert!(matches!(region.find(b"a", 8), Lookup::Fresh(_)));
    assert!(region.check(token) && region.touch(token, &terms, 16));
    assert!(matches!(region.find(b"a", 24), Lookup::Fresh(_)));
    assert_eq!(region.find(b"a", 35), Lookup::Absent);
    assert!(!region.touch(token, &terms, 35));
}

#[test]
fn a_mix_of_sizes_fills_the_region_with_payload() {
    let home = Home::new("mix");
    for (maxsize, uniform) in [(None, true), (None, false), (Some(100_000), false)] {
        let region = home.open(maxsize, 8 << 20);
        let mut random = Random(11);
        let mut least = 1.0f64;
        let mut at_first = 0.0;
        for number in 0..60_000u64 {
            let len = if uniform { 16 + random.below(65_520) } else { 16 << random.below(13) };
            let len = len + random.below(len / 2 + 1);
            assert!(matches!(region.put(&number.to_le_bytes(), &vec![7; len as usize]), Ok(Stored::Done(_))));
            let stats = region.stats();
            let share = stats.bytes as f64 / (8 << 20) as f64;
            if stats.evictions == 0 {
                at_first = share;
            } else if number % 64 == 0 {
                least = least.min(share);
            }
        }
        audit(&region);
        println!("maxsize {maxsize:?}, uniform {uniform}: {at_first:.3} before it evicts, {least:.3} at least after");
        assert!(at_first >= 0.7, "{at_first}");
        drop(region);
        assert!(Region::remove(&home.0, "test").expect("removed"));
    }
}

#[test]
fn small_entries_alone_fill_the_region_too() {
    let home = Home::new("small");
    let region = home.open(None, 4 << 20);
    let mut number = 0u64;
    while region.stats().evictions == 0 {
        assert!(matches!(region.put(&number.to_le_bytes(), &number.to_le_bytes()), Ok(Stored::Done(_))));
        number += 1;
    }
    audit(&region);
    // A slot of 64 bytes, a block of 32, and a share of the heads.
    let each = (4 << 20) / region.stats().currsize;
    println!("{each} bytes for an entry of 8 + 8");
    assert!(each <= 112, "{each}");
}

#[test]
fn rebuilding_keeps_all_entries_and_their_order() {
    let home = Home::new("rebuild");
    let region = home.open(Some(500), 256 << 10);
    let mut random = Random(3);
    let mut expected = HashMap::new();
    for number in 0..500u64 {
        let value = random.bytes(random.0 as usize % 100);
        assert!(matches!(region.put(&number.to_le_bytes(), &value), Ok(Stored::Done(_))));
        expected.insert(number, value);
    }
    for number in (0..500u64).step_by(7) {
        assert!(region.drop_one(&number.to_le_bytes()));
        expected.remove(&number);
    }
    let before = queue(&region);
    Table::new(region.space()).rebuild().expect("memory");
    audit(&region);
    assert_eq!(queue(&region), before);
    for (number, value) in &expected {
        assert_eq!(region.get(&number.to_le_bytes()).as_ref(), Some(value));
    }
    Table::new(region.space()).reset().expect("memory");
    audit(&region);
    assert_eq!(region.stats().currsize, 0);
}

#[test]
fn rebuilding_looks_at_the_arena_a_few_times_whatever_the_slots_say() {
    let home = Home::new("lengths");
    let region = home.open(None, 16 << 20);
    for number in 0..100_000u64 {
        assert!(matches!(region.put(&number.to_le_bytes(), b"v"), Ok(Stored::Done(_))));
    }
    let space = region.space();
    for (id, slot) in space.arena().as_chunks::<SLOT_WORDS>().0.iter().enumerate() {
        let seen = slot[WORD].load(Relaxed);
        if seen & LIVE != 0 && space.id(seen) as usize == id {
            let start = low(slot[PLACE].load(Relaxed)) as usize * UNIT_WORDS + 2;
            let rest = (space.geometry.arena_words - start) as u32 * 8;
            slot[LENS].store(halves(8, rest), Relaxed);
        }
    }
    // By these lengths it would read a terabyte.
    Table::new(space).rebuild().expect("memory");
    audit(&region);
    assert_eq!(region.stats().currsize, 0);
}

#[test]
fn the_arena_gives_back_what_it_took() {
    let home = Home::new("arena");
    let region = home.open(None, 1 << 20);
    let arena = Arena::new(region.space());
    let mut random = Random(9);
    let mut taken: Vec<(u32, u32)> = Vec::new();
    let whole = arena.survey().expect("tags");
    for _ in 0..20_000 {
        if random.below(2) == 0 && !taken.is_empty() {
            let (at, _) = taken.swap_remove(random.below(taken.len() as u64) as usize);
            arena.give(at).expect("tags");
        } else if let Some(at) = arena.take(1 + (random.next() >> random.below(16) & 0x3FF) as u32).expect("tags") {
            taken.push((at, arena.size(at).expect("tags")));
        }
    }
    let used: u64 = taken.iter().map(|&(_, size)| u64::from(size)).sum();
    assert_eq!(arena.survey().expect("tags").free, whole.free - used);
    for (at, _) in taken {
        arena.give(at).expect("tags");
        assert_eq!(arena.give(at), Err(Damaged), "given twice");
    }
    assert_eq!(arena.survey(), Ok(whole));
}

#[test]
fn any_text_is_a_name_and_no_two_share_a_file() {
    let home = Home::new("names");
    let config = RegionConfig { maxsize: Some(4), max_bytes: 64 << 10 };
    let long = "x".repeat(3000);
    let names = ["a", "A", "", "..", "../a", "/etc/passwd", "a/b", "a b", "\u{e9}\n\0", &long];
    let regions: Vec<_> = names.iter().map(|name| Region::open(&home.0, name, &config).expect("a region")).collect();
    for (region, name) in regions.iter().zip(names) {
        assert!(matches!(region.put(b"key", name.as_bytes()), Ok(Stored::Done(_))));
    }
    for (region, name) in regions.iter().zip(names) {
        assert_eq!(region.get(b"key"), Some(name.as_bytes().to_vec()));
    }
    let listed = Region::list(&home.0).expect("a list").expect("a directory");
    let mut listed: Vec<_> = listed.into_iter().map(|sight| sight.summary.expect("a region").name).collect();
    let mut expected = names.map(String::from).to_vec();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    assert_eq!(std::fs::read_dir(&home.0).expect("it is there").count(), names.len());
    assert!(Region::remove(&home.0, "../a").expect("removed") && !Region::remove(&home.0, "../a").expect("gone"));
    assert!(matches!(
        Region::open(&home.0, &"x".repeat(5000), &config),
        Err(OpenError::Io(error, _)) if error.raw_os_error() == Some(libc::ENAMETOOLONG)
    ));
}

#[test]
fn a_process_maps_a_region_once_and_one_of_another_configuration_replaces_it() {
    let home = Home::new("twice");
    let region = home.open(Some(4), 64 << 10);
    assert!(Arc::ptr_eq(&region, &home.open(Some(4), 64 << 10)));
    assert!(matches!(region.put(b"key", b"old"), Ok(Stored::Done(_))));
    let other = home.open(Some(5), 128 << 10);
    assert_eq!(other.get(b"key"), None);
    assert!(matches!(other.put(b"key", b"new"), Ok(Stored::Done(_))));
    assert_eq!(region.get(b"key"), Some(b"old".to_vec()), "who has it goes on with it");
    drop(region);
    assert_eq!(home.open(Some(5), 128 << 10).get(b"key"), Some(b"new".to_vec()));
    let listed = Region::list(&home.0).expect("a list").expect("a directory");
    let summary = listed[0].summary.as_ref().expect("a region");
    assert_eq!(summary.config, other.config());
    // Children that other tests fork have it too.
    assert!(summary.processes.contains(&std::process::id()));
}

#[test]
fn clearing_zeroes_the_counts() {
    let home = Home::new("counts");
    let region = home.open(Some(2), 64 << 10);
    region.count_hits(0, 1);
    region.line(LineUser(false)).counters().misses.fetch_add(2, Relaxed);
    for key in [b"a", b"b", b"c"] {
        assert!(matches!(region.put(key, b"value"), Ok(Stored::Done(_))));
    }
    assert!(region.drop_one(b"c"));
    let stats = region.stats();
    let seen = (stats.hits, stats.misses, stats.evictions, stats.invalidations, stats.currsize, stats.bytes);
    assert_eq!(seen, (1, 2, 1, 1, 1, 6));
    region.clear(&()).expect("the lock");
    assert_eq!(region.stats(), RegionStats::default());
    region.count_hits(0, 1);
    assert_eq!(region.stats().hits, 1);
}
