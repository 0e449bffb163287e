//! A region through the trait, as those see it who may have any backend.

use super::helpers::Home;
use crate::backend::{Backend, Busy, Lease, Lookup, NoWait, Request, Stored, Waited};
use crate::core::expiry::Terms;
use crate::shm::lock;

/// The contract of a backend, for any that has no entry of this key.
fn keeps_the_contract<B: Backend>(backend: &B)
where
    B::Error: std::fmt::Debug,
{
    let key = b"key";
    let request = Request { hash: backend.hash(key), key };
    let mut value = b"what was there before".to_vec();
    let terms = Terms { fresh_until: 100, stale_until: 200, ..Terms::NONE };
    assert!(matches!(backend.get(request, 1, &mut value), Ok(Lookup::Absent)));
    let Lease::Mine(lease) = backend.lease(request, None, &()) else { panic!("nobody else computes") };
    let Lease::Ours(other) = backend.lease(request, None, &()) else { panic!("this process computes") };
    let mut wait = backend.begin_wait(other);
    assert!(matches!(backend.look_at_lease(&mut wait), Waited::StillRunning));
    let Ok(Stored::Done(version)) = backend.put(request, b"value", &terms, 1, Some(lease), &()) else {
        panic!("there is room")
    };
    backend.end_lease(lease);
    assert!(matches!(backend.look_at_lease(&mut wait), Waited::Over));
    assert!(!backend.lacks(request.hash) && backend.contains(request, 1).expect("an answer"));
    let Ok(Lookup::Fresh(found)) = backend.get(request, 99, &mut value) else { panic!("it is fresh") };
    assert_eq!((value.as_slice(), found.version, found.terms), (b"value".as_slice(), version, terms));
    assert!(backend.stands(version));
    assert!(matches!(backend.get(request, 100, &mut value), Ok(Lookup::Stale(_))));
    assert!(backend.claim_refresh(version, 100) && !backend.claim_refresh(version, 100));
    backend.give_up_refresh(version);
    assert!(matches!(backend.get(request, 200, &mut value), Ok(Lookup::Absent)));
    assert!(backend.remove(request, &()).expect("an answer") && !backend.remove(request, &()).expect("an answer"));
    assert!(!backend.stands(version));
    backend.clear(&()).expect("an answer");
}

#[test]
fn a_region_keeps_the_contract_of_a_backend() {
    let home = Home::new("backend");
    keeps_the_contract(&*home.open(Some(10), 128 << 10));
}

#[test]
fn an_entry_of_a_region_has_expired_at_the_moment_when_it_was_not_read_for_so_long() {
    let home = Home::new("boundary");
    let region = home.open(Some(10), 128 << 10);
    let (hash, terms) = (region.hash(b"key"), Terms { idle: 10, ..Terms::NONE });
    let Ok(Stored::Done(version)) = region.store(hash, b"key", b"value", &terms, 5, &()) else { panic!("no room") };
    assert!(region.contains(hash, b"key", 14) && !region.contains(hash, b"key", 15));
    assert!(!region.touch(version, &terms, 15));
    assert_eq!(region.lookup(hash, b"key", 15, &mut Vec::new()), Lookup::Absent);
    assert!(region.touch(version, &terms, 14) && region.contains(hash, b"key", 23));
}

#[test]
fn who_may_not_wait_is_refused_while_the_lock_is_held() {
    let home = Home::new("nowait");
    let region = home.open(Some(10), 128 << 10);
    let hash = region.hash(b"key");
    let locked = lock::try_lock(region.space()).expect("nobody has it");
    assert_eq!(region.lease(hash, None, &NoWait), Lease::Busy);
    assert_eq!(region.remove_entry(hash, b"key", &NoWait), Err(Busy));
    drop(locked);
    assert!(matches!(region.lease(hash, None, &NoWait), Lease::Mine(_)));
}
