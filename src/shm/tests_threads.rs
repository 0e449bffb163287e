//! Threads of one process in one region: what ThreadSanitizer looks at, which can't follow forks.

use super::tests::{Home, Random, Simply, audit};
use super::tests_processes::operate;
use super::*;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[test]
fn threads_read_no_torn_value_while_all_write() {
    let home = Home::new("threads");
    let region = home.open(Some(200), 128 << 10);
    std::thread::scope(|scope| {
        for seed in 1..5 {
            let region = &region;
            scope.spawn(move || {
                let (mut random, mut tokens) = (Random(seed), Vec::new());
                for _ in 0..20_000 {
                    operate(region, &mut random, &mut tokens);
                    assert!(region.stats().currsize <= 200);
                }
            });
        }
    });
    audit(&region);
    assert_eq!(region.stats().recoveries, 0);
}

#[test]
fn a_token_that_holds_says_that_the_newest_value_was_seen() {
    let home = Home::new("newest");
    let region = home.open(Some(4), 64 << 10);
    let newest = std::sync::atomic::AtomicU64::new(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..20_000u64 {
                assert!(matches!(region.put(b"key", &number.to_le_bytes()), Stored::Done(_)));
                newest.store(number, std::sync::atomic::Ordering::Release);
            }
            done.store(true, Relaxed);
        });
        let mut cached = None;
        while !done.load(Relaxed) {
            let least = newest.load(std::sync::atomic::Ordering::Acquire);
            let mut value = Vec::new();
            if let Some((token, number)) = cached
                && region.check(token)
            {
                assert!(number >= least, "an old value's token holds");
            } else if let Lookup::Fresh(found) = region.lookup(region.hash(b"key"), b"key", 0, &mut value) {
                let number = u64::from_le_bytes(value.try_into().expect("eight bytes"));
                assert!(number >= least, "an old value");
                cached = Some((found.token, number));
            }
        }
    });
}

#[test]
fn entries_that_nobody_touches_outlast_those_that_come_and_go() {
    let home = Home::new("untouched");
    let region = home.open(None, 1 << 20);
    for key in 0..100u64 {
        assert!(matches!(region.put(&key.to_le_bytes(), b"here"), Stored::Done(_)));
    }
    let done = AtomicBool::new(false);
    let absent = std::thread::scope(|scope| {
        scope.spawn(|| {
            for key in 1000..31_000u64 {
                assert!(matches!(region.put(&key.to_le_bytes(), b"there"), Stored::Done(_)));
                assert!(region.drop_one(&key.to_le_bytes()));
            }
            done.store(true, Relaxed);
        });
        let mut absent = 0u64;
        while !done.load(Relaxed) {
            absent += (0..100u64).filter(|key| region.get(&key.to_le_bytes()).is_none()).count() as u64;
        }
        absent
    });
    // A writer that loses its processor in the middle of a neighbour's slot keeps readers of that head out meanwhile.
    println!("absent for a moment: {absent}");
    for key in 0..100u64 {
        assert_eq!(region.get(&key.to_le_bytes()), Some(b"here".to_vec()));
    }
}
