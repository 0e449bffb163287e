//! Several processes in one region, some of which die.

use super::children::{Child, End};
use super::helpers::{Home, Random, Simply, audit};
use crate::backend::Busy;
use crate::core::atomics::Ordering::Relaxed;
use crate::shm::hooks::{self, STEPS, Step};
use crate::shm::identity::Identity;
use crate::shm::lock;
use crate::shm::table::Table;
use crate::shm::*;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// A value that says which key it belongs to, and checks itself.
pub fn value_of(key: u64, random: &mut Random) -> Vec<u8> {
    let len = random.below(40) * random.below(40);
    let mut value = key.to_le_bytes().to_vec();
    value.extend((0..len).map(|at| (key.wrapping_mul(31) ^ at ^ len) as u8));
    value.extend(len.to_le_bytes());
    value
}

pub fn assert_value_of(key: u64, value: &[u8]) {
    let len = value.len() as u64 - 16;
    assert_eq!(value.first_chunk(), Some(&key.to_le_bytes()), "another key's value");
    assert_eq!(value.last_chunk(), Some(&len.to_le_bytes()), "a value of another length");
    for (at, byte) in value[8..value.len() - 8].iter().enumerate() {
        assert_eq!(*byte, (key.wrapping_mul(31) ^ at as u64 ^ len) as u8, "a torn value");
    }
}

/// One operation of any kind. Nothing may be busy, whatever happens to others.
pub fn operate(region: &Region, random: &mut Random, tokens: &mut Vec<(u64, Token)>) {
    let key = random.below(300);
    let bytes = key.to_le_bytes();
    match random.below(200) {
        // Rarely: it zeroes the count of recoveries too.
        0 if random.below(100) == 0 => region.clear(&()).expect("the lock"),
        0..20 => drop(region.drop_one(&bytes)),
        20..90 => match region.put(&bytes, &value_of(key, random)) {
            Ok(Stored::Done(token)) => tokens.push((key, token)),
            Ok(Stored::TooLarge | Stored::Superseded) => panic!("it is small"),
            Err(Busy) => panic!("nobody holds the lock for long"),
        },
        90..100 => drop(region.contains(region.hash(&bytes), &bytes, 0)),
        100..110 => {
            if let Lease::Mine(lease) = region.lease(key << 16, None, &()) {
                region.end_lease(lease);
            }
        }
        110..130 => {
            if let Some((_, token)) = tokens.pop() {
                region.check(token);
            }
        }
        _ => {
            let mut value = Vec::new();
            if let Lookup::Fresh(found) = region.lookup(region.hash(&bytes), &bytes, 0, &mut value) {
                assert_value_of(key, &value);
                tokens.push((key, found.version));
            }
        }
    }
    tokens.truncate(50);
}

fn operate_for_ever(region: &Region, seed: u64) -> ! {
    let (mut random, mut tokens) = (Random(seed), Vec::new());
    loop {
        operate(region, &mut random, &mut tokens);
    }
}

/// How many rounds: `make soak` sets more.
pub fn rounds(usually: u64) -> u64 {
    std::env::var("TAMIS_SOAK_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usually)
}

#[test]
fn writers_killed_at_random_moments_leave_no_wrong_value_and_nobody_waiting() {
    let home = Home::new("kills");
    let region = home.open(Some(200), 128 << 10);
    let mut random = Random(0xFEED ^ u64::from(std::process::id()));
    let mut recoveries = 0;
    let spawn = |seed| Child::fork(|| operate_for_ever(&region, seed | 1));
    let mut children: Vec<_> = (0..4).map(|seed| spawn(seed * 2 + 1)).collect();
    let mut round = 0;
    // Until one was killed inside of the lock, too.
    while round < rounds(50) || (recoveries == 0 && round < 5000) {
        round += 1;
        std::thread::sleep(Duration::from_micros(random.below(3000)));
        let child = children.swap_remove(random.below(4) as usize);
        child.signal(libc::SIGKILL);
        assert_eq!(child.wait(), End::Signal(libc::SIGKILL), "round {round}");
        recoveries += region.stats().recoveries.min(1);
        children.push(spawn(random.next()));
        let mut tokens = Vec::new();
        for _ in 0..20 {
            operate(&region, &mut random, &mut tokens);
        }
        assert!(region.stats().currsize <= 200);
    }
    for child in children {
        child.signal(libc::SIGKILL);
        assert_eq!(child.wait(), End::Signal(libc::SIGKILL));
    }
    assert!(matches!(region.put(b"last", b"value"), Ok(Stored::Done(_))));
    audit(&region);
    assert!(recoveries > 0);
}

/// All kinds of writes, so that each step comes up.
fn write_all_kinds(region: &Region) {
    for key in 1000..1200u64 {
        assert!(matches!(region.put(&key.to_le_bytes(), b"new"), Ok(Stored::Done(_))));
    }
    assert!(matches!(region.put(&0u64.to_le_bytes(), b"replaced"), Ok(Stored::Done(_))));
    assert!(region.drop_one(&1u64.to_le_bytes()));
    {
        let _locked = lock::try_lock(region.space()).expect("nobody has it");
        Table::new(region.space()).rebuild().expect("memory");
    }
    region.clear(&()).expect("the lock");
}

#[test]
fn a_writer_killed_at_any_step_loses_no_other_entry() {
    for step in 1..=STEPS {
        let home = Home::new("steps");
        let region = home.open(None, 256 << 10);
        let mut random = Random(step);
        for key in 0..100u64 {
            assert!(matches!(region.put(&key.to_le_bytes(), &value_of(key, &mut random)), Ok(Stored::Done(_))));
        }
        let child = Child::fork(|| {
            hooks::die_at(step);
            write_all_kinds(&region);
            0
        });
        assert_eq!(child.wait(), End::Signal(libc::SIGKILL), "step {step} never comes");
        assert!(matches!(region.put(b"after", b"value"), Ok(Stored::Done(_))), "step {step}");
        audit(&region);
        assert!(region.stats().recoveries > 0, "step {step}");
        if step != Step::Clearing as u64 {
            for key in 2..100u64 {
                let value = region.get(&key.to_le_bytes());
                assert_value_of(key, &value.unwrap_or_else(|| panic!("step {step}: entry {key} is lost")));
            }
        }
    }
}

#[test]
fn a_writer_killed_while_it_stores_over_an_entry_loses_no_third_one() {
    use Step::*;
    let steps = [
        Locked,
        Killed,
        OutOfHead,
        OutOfRing,
        BlockTaken,
        BlockWritten,
        SlotKilled,
        SlotWritten,
        Published,
        InRing,
        InHead,
        Done,
    ];
    for step in steps {
        let home = Home::new("over");
        let region = home.open(Some(100), 256 << 10);
        let put = |key: u64| matches!(region.put(&key.to_le_bytes(), &key.to_be_bytes()), Ok(Stored::Done(_)));
        assert!((0..100).all(put));
        let child = Child::fork(|| {
            hooks::die_at(step as u64);
            i32::from(put(100))
        });
        assert_eq!(child.wait(), End::Signal(libc::SIGKILL), "{step:?} never comes");
        assert!(put(200), "{step:?}");
        audit(&region);
        assert_eq!(region.stats().recoveries, 1, "{step:?}");
        // Of the oldest ones, one had to go for each.
        for key in 2..100u64 {
            assert_eq!(region.get(&key.to_le_bytes()), Some(key.to_be_bytes().to_vec()), "{step:?}: {key} is lost");
        }
    }
}

#[test]
fn processes_that_make_a_region_at_once_end_up_in_one() {
    for round in 0..20 {
        let home = Home::new("race");
        let children: Vec<_> = (0..4u64)
            .map(|key| {
                Child::fork(|| {
                    let region = home.open(Some(100), 256 << 10);
                    i32::from(!matches!(region.put(&key.to_le_bytes(), b"here"), Ok(Stored::Done(_))))
                })
            })
            .collect();
        for child in children {
            assert_eq!(child.wait(), End::Exit(0));
        }
        let region = home.open(Some(100), 256 << 10);
        for key in 0..4u64 {
            assert_eq!(region.get(&key.to_le_bytes()), Some(b"here".to_vec()), "round {round}");
        }
        assert_eq!(std::fs::read_dir(&home.0).expect("it is there").count(), 1, "nothing unfinished stays");
    }
}

#[test]
fn parent_and_child_count_on_lines_of_their_own() {
    const CALLS: u64 = 200_000;
    let home = Home::new("fork");
    let region = home.open(Some(100), 256 << 10);
    let line = || std::ptr::from_ref(region.line(region.join(0)).counters());
    let own = line();
    let count = || region.count_hits(0, CALLS);
    for generation in 1..4 {
        let child = Child::fork(|| {
            count();
            i32::from(std::ptr::eq(line(), own))
        });
        count();
        assert_eq!(child.wait(), End::Exit(0));
        assert_eq!(region.stats().hits, CALLS * 2 * generation, "counts of the dead stay");
    }
}

#[test]
fn interpreters_of_one_process_lose_no_counts_and_neither_do_processes_without_a_line() {
    const CALLS: u64 = 100_000;
    let home = Home::new("interpreters");
    // Of the smallest regions, which have 15 lines for processes.
    let region = home.open(Some(100), 64 << 10);
    let lines = region.space().geometry.processes_len as u64;
    let count = |region: &Region| {
        std::thread::scope(|scope| {
            for interpreter in 5..8 {
                scope.spawn(move || region.count_hits(interpreter, CALLS));
            }
        });
    };
    let children: Vec<_> = (0..lines)
        .map(|_| {
            Child::fork(|| {
                count(&region);
                0
            })
        })
        .collect();
    count(&region);
    children.into_iter().for_each(|child| assert_eq!(child.wait(), End::Exit(0)));
    assert_eq!(region.stats().hits, CALLS * 3 * (lines + 1));
    let sight = Region::list(&home.0).expect("a list").expect("a directory").remove(0);
    let own = std::process::id();
    assert_eq!(sight.summary.expect("a region").processes.iter().filter(|&&pid| pid == own).count(), 1);
}

#[test]
fn a_child_forked_while_a_thread_holds_the_list_of_regions_opens_them() {
    let home = Home::new("known");
    let region = home.open(Some(100), 256 << 10);
    assert!(matches!(region.put(b"key", b"value"), Ok(Stored::Done(_))));
    let known = crate::shm::region::Known::lock();
    let child = Child::fork(|| {
        let again = home.open(Some(100), 256 << 10);
        let other = Region::open(&home.0, "other", &RegionConfig { maxsize: Some(10), max_bytes: 64 << 10 });
        let one_map = std::sync::Arc::ptr_eq(&again, &region);
        i32::from(!(one_map && again.get(b"key").is_some() && other.is_ok()))
    });
    assert_eq!(child.wait(), End::Exit(0));
    drop(known);
}

#[test]
fn a_process_that_knew_who_it_is_before_it_opened_a_region_has_children_that_are_others() {
    let home = Home::new("identity");
    let own = Identity::own();
    let child = Child::fork(|| {
        let region = home.open(Some(100), 256 << 10);
        i32::from(Identity::own() == own || region.put(b"key", b"value") == Err(Busy))
    });
    assert_eq!(child.wait(), End::Exit(0));
}

#[test]
fn the_lock_of_a_stopped_process_is_busy_until_it_goes_on() {
    let home = Home::new("stopped");
    let region = home.open(Some(100), 256 << 10);
    let child = Child::fork(|| {
        let locked = lock::try_lock(region.space()).expect("nobody has it");
        // SAFETY: stops this process.
        unsafe { libc::raise(libc::SIGSTOP) };
        drop(locked);
        0
    });
    child.wait_until_stopped();
    assert_eq!(region.put(b"key", b"value"), Err(Busy));
    for _ in 0..1000 {
        // At once: a second for each would show.
        assert_eq!(region.put(b"key", b"value"), Err(Busy));
    }
    child.signal(libc::SIGCONT);
    assert_eq!(child.wait(), End::Exit(0));
    assert!(matches!(region.put(b"key", b"value"), Ok(Stored::Done(_))));
    assert_eq!(region.stats().recoveries, 0);
}

#[test]
fn the_lock_of_a_process_that_became_another_program_is_taken_over() {
    let home = Home::new("exec");
    let region = home.open(Some(100), 256 << 10);
    let child = Child::fork(|| {
        std::mem::forget(lock::try_lock(region.space()));
        let error = Command::new("sleep").arg("1000").exec();
        panic!("{error}");
    });
    while region.space().state(crate::shm::layout::state::LOCK).load(Relaxed) == 0 {
        std::thread::yield_now();
    }
    assert!(matches!(region.put(b"key", b"value"), Ok(Stored::Done(_))));
    assert_eq!(region.stats().recoveries, 1);
    child.signal(libc::SIGKILL);
    assert_eq!(child.wait(), End::Signal(libc::SIGKILL));
}

#[test]
fn a_child_goes_on_when_its_parents_thread_held_the_lock() {
    let home = Home::new("held");
    let region = home.open(Some(100), 256 << 10);
    let locked = lock::try_lock(region.space()).expect("nobody has it");
    let child = Child::fork(|| {
        assert_ne!(Identity::own().pid(), 0);
        i32::from(!matches!(region.put(b"key", b"child"), Ok(Stored::Done(_))))
    });
    std::thread::sleep(Duration::from_millis(50));
    drop(locked);
    assert_eq!(child.wait(), End::Exit(0));
    assert_eq!(region.get(b"key"), Some(b"child".to_vec()));
    assert_eq!(region.stats().recoveries, 0, "the parent lives");
}

#[test]
fn a_process_that_cannot_say_who_it_is_gets_no_lock() {
    let home = Home::new("descriptors");
    let region = home.open(Some(100), 256 << 10);
    assert!(matches!(region.put(b"other", b"value"), Ok(Stored::Done(_))));
    let child = Child::fork(|| {
        // No descriptor is left for /proc in the child of this child.
        let limit = libc::rlimit { rlim_cur: 0, rlim_max: 4096 };
        // SAFETY: a limit.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
        let second = Child::fork(|| {
            let busy = region.put(b"key", b"value") == Err(Busy) && region.get(b"other").is_some();
            let limit = libc::rlimit { rlim_cur: 100, ..limit };
            // SAFETY: a limit.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
            i32::from(!busy || region.put(b"key", b"value") == Err(Busy))
        });
        match second.wait() {
            End::Exit(code) => code,
            End::Signal(_) => 2,
        }
    });
    assert_eq!(child.wait(), End::Exit(0));
}
