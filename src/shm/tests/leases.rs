//! Leases and claims: who has them, and what becomes of those whose owners are gone, stopped, or damaged.

use super::children::{Child, End};
use super::helpers::{Home, Simply};
use crate::core::atomics::AtomicU64;
use crate::core::atomics::Ordering::Relaxed;
use crate::core::expiry::Terms;
use crate::shm::identity::Identity;
use crate::shm::layout::LEASE_WORDS;
use crate::shm::lease::PATIENCE;
use crate::shm::*;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(1000);

fn wait(region: &Region, lease: LeaseId, at_most: Duration) -> Waited {
    region.wait_lease(&mut LeaseWait::new(lease), at_most)
}

fn mine(region: &Region, hash: u64) -> LeaseId {
    match region.lease(hash, None, &()) {
        Lease::Mine(lease) => lease,
        other => panic!("{other:?}"),
    }
}

/// The word of a lease: 0 for the owner, 1 for the hash, 2 for the turn.
fn word_of(region: &Region, lease: LeaseId, word: usize) -> &AtomicU64 {
    let space = region.space();
    &space.words()[space.geometry.leases + lease.cell as usize * LEASE_WORDS + word]
}

/// A child that takes the lease of hash 5 and the refresh of the token, and then does something else.
fn owner(region: &Region, token: Option<Token>, then: impl FnOnce()) -> (Child, LeaseId) {
    let child = Child::fork(|| {
        assert!(token.is_none_or(|token| region.begin_refresh(token, 1)));
        mine(region, 5);
        then();
        0
    });
    loop {
        // Not before the child has it: this process would take it.
        let taken = (0..region.space().geometry.leases_len as u32)
            .map(|cell| LeaseId { cell, turn: 0 })
            .any(|cell| word_of(region, cell, 0).load(Relaxed) != 0);
        if taken && let Lease::Theirs(lease) = region.lease(5, None, &()) {
            return (child, lease);
        }
        std::thread::yield_now();
    }
}

fn stop() {
    // SAFETY: stops this process.
    unsafe { libc::raise(libc::SIGSTOP) };
}

fn stale_entry(region: &Region) -> Token {
    let terms = Terms { fresh_until: 0, ..Terms::NONE };
    assert!(matches!(region.put_for(b"key", b"value", terms, 0), Ok(Stored::Done(_))));
    let Lookup::Stale(found) = region.find(b"key", 1) else { panic!("it is stale") };
    found.version
}

#[test]
fn a_lease_has_one_owner_and_ends() {
    let home = Home::new("lease");
    let region = home.open(Some(2), 64 << 10);
    let lease = mine(&region, 5);
    assert_eq!(region.lease(5, None, &()), Lease::Ours(lease));
    mine(&region, 6);
    let short = Duration::from_millis(5);
    assert_eq!(wait(&region, lease, short), Waited::StillRunning);
    let other = region.clone();
    let waiter = std::thread::spawn(move || wait(&other, lease, LONG));
    std::thread::sleep(short);
    region.end_lease(lease);
    assert_eq!(waiter.join().expect("the waiter"), Waited::Over);
    assert_eq!(wait(&region, lease, short), Waited::Over);
    let next = mine(&region, 5);
    region.end_lease(lease);
    assert_eq!(region.lease(5, None, &()), Lease::Ours(next), "an old one's end ends no new one");
    for hash in 0..100_000 {
        let _ = region.lease(hash << 16, None, &());
    }
    assert_eq!(region.lease(77 << 40, None, &()), Lease::Full);
}

#[test]
fn what_a_dead_process_had_claimed_another_gets() {
    let home = Home::new("claims");
    let region = home.open(Some(100), 256 << 10);
    let token = stale_entry(&region);
    let (child, lease) = owner(&region, Some(token), || std::thread::sleep(LONG));
    assert!(!region.begin_refresh(token, 1 << 40));
    assert_eq!(wait(&region, lease, Duration::from_millis(1)), Waited::StillRunning);
    child.signal(libc::SIGKILL);
    let Waited::OwnerGone(_) = wait(&region, lease, LONG) else { panic!("it is dead") };
    mine(&region, 5);
    assert!(region.begin_refresh(token, 2 << 40));
    assert_eq!(child.wait(), End::Signal(libc::SIGKILL));
}

#[test]
fn a_stopped_process_is_waited_for_a_second_and_keeps_its_lease() {
    let home = Home::new("stopped-lease");
    let region = home.open(Some(100), 256 << 10);
    let token = stale_entry(&region);
    let (child, lease) = owner(&region, Some(token), stop);
    child.wait_until_stopped();
    let begin = Instant::now();
    assert_eq!(wait(&region, lease, LONG), Waited::Enough);
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert!(matches!(region.lease(5, None, &()), Lease::Theirs(_)), "it may go on and store");
    assert!(region.begin_refresh(token, 1 << 40), "a stale entry is made anew by another");
    child.signal(libc::SIGCONT);
    assert_eq!(child.wait(), End::Exit(0));
    assert!(!region.begin_refresh(token, 2 << 40), "this process has the claim");
}

#[test]
fn nobody_is_waited_for_longer_than_the_bound() {
    let home = Home::new("bound");
    let region = home.open(Some(100), 256 << 10);
    let lease = mine(&region, 5);
    let begin = Instant::now().checked_sub(PATIENCE - Duration::from_millis(10)).expect("the machine runs for longer");
    let mut wait = LeaseWait { begin, ..LeaseWait::new(lease) };
    assert_eq!(region.look_at_lease(&mut wait), Waited::StillRunning);
    assert_eq!(region.wait_lease(&mut wait, LONG), Waited::Enough);
    assert_eq!(region.lease(5, None, &()), Lease::Ours(lease));
}

#[test]
fn a_process_that_became_another_program_has_nothing() {
    let home = Home::new("exec-lease");
    let region = home.open(Some(100), 256 << 10);
    let token = stale_entry(&region);
    let (child, lease) = owner(&region, Some(token), || {
        panic!("{}", Command::new("sleep").arg("1000").exec());
    });
    let Waited::OwnerGone(gone) = wait(&region, lease, LONG) else { panic!("it is another program") };
    assert!(matches!(region.lease(5, None, &()), Lease::Theirs(_)), "that takes a look at its maps");
    let Lease::Mine(_) = region.lease(5, Some(gone), &()) else { panic!("nobody has it") };
    assert!(region.begin_refresh(token, 1 << 40));
    child.signal(libc::SIGKILL);
    assert_eq!(child.wait(), End::Signal(libc::SIGKILL));
}

#[test]
fn what_bears_this_process_identity_and_was_not_taken_is_nobodys() {
    let home = Home::new("earlier-life");
    let region = home.open(Some(100), 256 << 10);
    let token = stale_entry(&region);
    mine(&region, 5);
    assert!(region.begin_refresh(token, 1));
    assert!(!region.begin_refresh(token, 1 << 40));
    // As after exec(2): the same identity, and no list.
    region.forget_mine();
    mine(&region, 5);
    assert!(region.begin_refresh(token, 2 << 40));
    assert!(!region.begin_refresh(token, 3 << 40));
}

#[test]
fn a_child_has_none_of_its_parents_leases() {
    let home = Home::new("forked-lease");
    let region = home.open(Some(100), 256 << 10);
    let lease = mine(&region, 5);
    let child = Child::fork(|| {
        region.end_lease(lease);
        i32::from(region.lease(5, None, &()) != Lease::Theirs(lease))
    });
    assert_eq!(child.wait(), End::Exit(0));
    assert_eq!(region.lease(5, None, &()), Lease::Ours(lease));
}

#[test]
fn a_lease_ends_whatever_bits_of_its_turn_and_hash_have_flipped() {
    let home = Home::new("flipped");
    let region = home.open(Some(100), 256 << 10);
    for (word, bit) in [(2, 0), (2, 31), (2, 63), (1, 0), (1, 40)] {
        let lease = mine(&region, 5);
        word_of(&region, lease, word).fetch_xor(1 << bit, Relaxed);
        region.end_lease(lease);
        assert_eq!(word_of(&region, lease, 0).load(Relaxed), 0, "word {word}, bit {bit}");
        let again = mine(&region, 5);
        region.end_lease(again);
    }
}

#[test]
fn an_owner_whose_identity_is_damaged_is_dead() {
    let home = Home::new("owner-flipped");
    let region = home.open(Some(100), 256 << 10);
    for bit in [0, 5, 21, 23, 40, 62] {
        let lease = mine(&region, 5);
        let before = word_of(&region, lease, 0).fetch_xor(1 << bit, Relaxed);
        assert_eq!(before, Identity::own().0);
        let next = mine(&region, 5);
        region.end_lease(lease);
        region.end_lease(next);
    }
}

#[test]
fn waiters_in_another_process_are_woken() {
    let home = Home::new("wake");
    let region = home.open(Some(100), 256 << 10);
    let lease = mine(&region, 5);
    let child = Child::fork(|| match region.lease(5, None, &()) {
        Lease::Theirs(lease) => i32::from(wait(&region, lease, LONG) != Waited::Over),
        _ => 2,
    });
    std::thread::sleep(Duration::from_millis(20));
    region.end_lease(lease);
    assert_eq!(child.wait(), End::Exit(0));
}
