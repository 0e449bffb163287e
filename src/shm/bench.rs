//! Figures, not asserts: `make bench-shm`.

use super::tests::helpers::{Home, Random, Simply};
use crate::shm::*;
use std::hint::black_box;
use std::time::Instant;

/// Nanoseconds of one call: the least of several passes.
fn measure(what: &str, calls: u32, mut call: impl FnMut(u32)) {
    let pass = || {
        let begin = Instant::now();
        (0..calls).for_each(&mut call);
        begin.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
    };
    let least = std::iter::repeat_with(pass).take(7).fold(f64::INFINITY, f64::min);
    println!("{what:<48} {least:8.1} ns");
}

#[test]
#[ignore = "figures: make bench-shm"]
fn figures() {
    const ENTRIES: u32 = 10_000;
    let home = Home::new("bench");
    let key_of = |number: u32| {
        let mut key = [0u8; 9];
        key[1..5].copy_from_slice(&number.to_le_bytes());
        key
    };
    let mut random = Random(1);
    let order: Vec<u32> = (0..ENTRIES).map(|_| random.below(u64::from(ENTRIES)) as u32).collect();
    let mut buffer = Vec::new();
    for len in [16, 700] {
        let region = home.open(Some(u64::from(ENTRIES)), 64 << 20);
        let value = vec![3; len];
        let tokens: Vec<Token> = (0..ENTRIES)
            .map(|number| match region.put(&key_of(number), &value) {
                Ok(Stored::Done(token)) => token,
                other => panic!("{other:?}"),
            })
            .collect();
        for keys in [256, ENTRIES] {
            measure(&format!("lookup, {len} bytes, of {keys} in random order"), ENTRIES, |at| {
                let key = key_of(order[at as usize] % keys);
                let found = region.lookup(region.hash(&key), &key, 5, &mut buffer);
                assert!(matches!(black_box(found), Lookup::Fresh(_)));
            });
            measure(&format!("check, of {keys} in random order"), ENTRIES, |at| {
                assert!(black_box(region.check(tokens[(order[at as usize] % keys) as usize])));
            });
        }
        let key = key_of(1);
        measure("hash of a key of 9 bytes", ENTRIES, |_| {
            black_box(region.hash(black_box(&key)));
        });
        measure(&format!("store with eviction, {len} bytes, of {ENTRIES}"), ENTRIES, {
            let mut number = ENTRIES;
            let (region, value) = (&region, &value);
            move |_| {
                number += 1;
                assert!(matches!(region.put(&key_of(number), value), Ok(Stored::Done(_))));
            }
        });
        measure(&format!("store in place, {len} bytes"), ENTRIES, |_| {
            assert!(matches!(region.put(&key, &value), Ok(Stored::Done(_))));
        });
        drop(region);
        measure("open an existing 64 MiB", 20, |_| drop(home.open(Some(u64::from(ENTRIES)), 64 << 20)));
        let begin = Instant::now();
        assert!(Region::remove(&home.0, "test").expect("removed"));
        drop(home.open(Some(u64::from(ENTRIES)), 64 << 20));
        println!("make 64 MiB: {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
        assert!(Region::remove(&home.0, "test").expect("removed"));
    }
    let region = home.open(None, 64 << 20);
    let begin = Instant::now();
    let mut number = 0;
    while region.stats().evictions == 0 {
        assert!(matches!(region.put(&key_of(number), &[3; 700]), Ok(Stored::Done(_))));
        number += 1;
    }
    println!("fill 64 MiB with {number} entries: {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
    let begin = Instant::now();
    super::table::Table::new(region.space()).rebuild().expect("memory");
    println!("rebuild it: {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
}
