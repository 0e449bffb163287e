//! Threads of one process in one region: what ThreadSanitizer looks at, which can't follow forks. Threads are joined, not
//! scoped: how std's scopes end it can't see.

use super::helpers::{Home, Random, Simply, audit};
use super::processes::operate;
use crate::shm::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

#[test]
fn threads_read_no_torn_value_while_all_write() {
    let home = Home::new("threads");
    let region = home.open(Some(200), 128 << 10);
    let work = |seed| {
        let region = region.clone();
        thread::spawn(move || {
            let (mut random, mut tokens) = (Random(seed), Vec::new());
            for _ in 0..20_000 {
                operate(&region, &mut random, &mut tokens);
                assert!(region.stats().currsize <= 200);
            }
        })
    };
    let threads: Vec<_> = (1..5).map(work).collect();
    for thread in threads {
        thread.join().expect("a thread");
    }
    audit(&region);
    assert_eq!(region.stats().recoveries, 0);
}

#[test]
fn a_token_that_holds_says_that_the_newest_value_was_seen() {
    let home = Home::new("newest");
    let region = home.open(Some(4), 64 << 10);
    let newest = Arc::new(AtomicU64::new(0));
    let writer = {
        let (region, newest) = (region.clone(), newest.clone());
        thread::spawn(move || {
            for number in 1..20_000u64 {
                assert!(matches!(region.put(b"key", &number.to_le_bytes()), Ok(Stored::Done(_))));
                newest.store(number, Ordering::Release);
            }
        })
    };
    let mut cached = None;
    while !writer.is_finished() {
        let least = newest.load(Ordering::Acquire);
        let mut value = Vec::new();
        if let Some((token, number)) = cached
            && region.check(token)
        {
            assert!(number >= least, "an old value's token holds");
        } else if let Lookup::Fresh(found) = region.lookup(region.hash(b"key"), b"key", 0, &mut value) {
            let number = u64::from_le_bytes(value.try_into().expect("eight bytes"));
            assert!(number >= least, "an old value");
            cached = Some((found.version, number));
        }
    }
    writer.join().expect("the writer");
}

#[test]
fn entries_that_nobody_touches_outlast_those_that_come_and_go() {
    let home = Home::new("untouched");
    let region = home.open(None, 1 << 20);
    for key in 0..100u64 {
        assert!(matches!(region.put(&key.to_le_bytes(), b"here"), Ok(Stored::Done(_))));
    }
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (region, done) = (region.clone(), done.clone());
        thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                // Absent for a moment, if a writer loses its processor in the middle of a slot of the same head.
                for value in (0..100u64).filter_map(|key| region.get(&key.to_le_bytes())) {
                    assert_eq!(value, b"here");
                }
            }
        })
    };
    for key in 1000..31_000u64 {
        assert!(matches!(region.put(&key.to_le_bytes(), b"there"), Ok(Stored::Done(_))));
        assert!(region.drop_one(&key.to_le_bytes()));
    }
    done.store(true, Ordering::Relaxed);
    reader.join().expect("the reader");
    for key in 0..100u64 {
        assert_eq!(region.get(&key.to_le_bytes()), Some(b"here".to_vec()));
    }
}
