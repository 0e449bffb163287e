//! The entry protocol in every order that the memory model allows, up to a number of preemptions: `make test-loom`.
//!
//! The shipped readers and writers, over a region of a few words. One thread reads, and one writes, or two with a lock for
//! that of the region: what one process has written before, another goes on from, and the reader knows of no lock.

use crate::core::expiry::Terms;
use crate::shm::digest::digest;
use crate::shm::layout::{Geometry, state};
use crate::shm::map::Map;
use crate::shm::space::Space;
use crate::shm::storing::NewEntry;
use crate::shm::table::Table;
use crate::shm::types::{Lookup, Token};
use loom::sync::{Arc, Mutex};
use loom::thread;

const SEED: u64 = 7;

/// Room for two slots and some blocks; both keys have one head.
fn region() -> Arc<Space> {
    let slabs = state::WORDS;
    let heads = slabs + 2;
    let arena = (heads + 1).next_multiple_of(8);
    let arena_words = 80;
    let geometry = Geometry {
        file: ((arena + arena_words) * 8) as u64,
        state: 0,
        slabs,
        slabs_len: 1,
        slab_slots: 2,
        processes: slabs,
        processes_len: 0,
        leases: slabs,
        leases_len: 0,
        heads,
        heads_len: 1,
        arena,
        arena_words,
        maxsize: 2,
    };
    let space = Space::new(Map::new(geometry.file), geometry, SEED);
    Table::new(&space).arena.lay_out([].into_iter()).expect("room");
    Arc::new(space)
}

/// A value that says which key it belongs to.
fn value_of(key: u8, version: u8) -> [u8; 12] {
    let mut value = [version; 12];
    value[0] = key;
    value
}

fn store(space: &Space, key: u8, version: u8) -> Token {
    let value = value_of(key, version);
    let entry = NewEntry { hash: digest(SEED, &[key]), key: &[key], value: &value, terms: &Terms::NONE, now: &0u64 };
    Table::new(space).store(&entry).expect("order").expect("room")
}

fn take_out(space: &Space, key: u8) {
    let (table, hash) = (Table::new(space), digest(SEED, &[key]));
    let id = table.find(table.head(hash), hash, &[key]).expect("order").expect("it is there");
    table.take_out(id).expect("order");
}

/// The version that is there, after a look that it is whole.
fn get(space: &Space, key: u8) -> Option<(u8, Token)> {
    let mut value = Vec::new();
    match space.lookup(digest(SEED, &[key]), &[key], 0, &mut value) {
        Lookup::Fresh(found) => {
            assert_eq!(value, value_of(key, value[11]), "torn, or another key's");
            Some((value[11], found.version))
        }
        Lookup::Absent => None,
        Lookup::Stale(_) => panic!("no terms, and stale"),
    }
}

/// Runs `read` beside `write`, over a region that holds key 1.
fn beside(preemptions: usize, read: fn(&Space, Token), write: fn(&Space)) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 100_000;
    model.check(move || {
        let space = region();
        let token = store(&space, 1, 1);
        let other = space.clone();
        let reader = thread::spawn(move || read(&other, token));
        write(&space);
        reader.join().expect("the reader");
    });
}

/// Runs `read` beside two threads that write one after the other, over a region that `begin` has filled.
fn beside_two(preemptions: usize, begin: fn(&Space) -> Token, read: fn(&Space, Token), write: [fn(&Space); 2]) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 100_000;
    model.check(move || {
        let space = region();
        let token = begin(&space);
        // As in `lock.rs`: each turn sees all that those before it have done.
        let turns = Arc::new(Mutex::new(0));
        let other = space.clone();
        let reader = thread::spawn(move || read(&other, token));
        let (other, other_turns) = (space.clone(), turns.clone());
        let second = thread::spawn(move || {
            let mut turn = other_turns.lock().expect("no thread panics");
            if *turn == 1 {
                write[1](&other);
            }
            *turn = 2;
        });
        {
            let mut turn = turns.lock().expect("no thread panics");
            // The order of the two is given, or there is no second one.
            if *turn == 0 {
                write[0](&space);
                *turn = 1;
            }
        }
        reader.join().expect("the reader");
        second.join().expect("the other writer");
    });
}

/// What one process kills, another writes over. A value of another key would not pass the check; another one of the same key would.
#[test]
fn a_block_that_another_writer_gave_back_gives_nothing_new_under_the_old_token() {
    beside_two(
        2,
        |space| store(space, 1, 1),
        |space, token| match get(space, 1) {
            Some((2, newer)) => {
                assert!(newer != token, "the old token with a newer value");
                assert!(space.check(newer));
            }
            seen => assert!(seen.is_none_or(|(_, old)| old == token)),
        },
        [|space| take_out(space, 1), |space| _ = store(space, 1, 2)],
    );
}

/// One process stores a new value, and another one's hand unmarks the entry: who sees that sees the new value.
#[test]
fn an_entry_that_another_writer_has_unmarked_is_seen_as_it_was_published() {
    beside_two(
        2,
        |space| {
            let token = store(space, 1, 1);
            store(space, 2, 1);
            token
        },
        |space, token| {
            let seen = get(space, 1);
            assert!(
                seen.is_none_or(|(version, seen)| version == 2 || seen == token),
                "the newest token with an old value"
            );
        },
        [|space| _ = store(space, 1, 2), |space| _ = store(space, 3, 1)],
    );
}

#[test]
fn a_reader_beside_a_replacement_sees_one_value_or_the_other() {
    beside(
        3,
        |space, _| {
            if let Some((version, _)) = get(space, 1) {
                assert!(version == 1 || version == 2);
            }
        },
        |space| {
            store(space, 1, 2);
        },
    );
}

#[test]
fn a_token_that_holds_after_a_newer_value_was_seen_is_never_the_old_one() {
    beside(
        3,
        |space, token| match get(space, 1) {
            Some((2, newer)) => {
                assert!(!space.check(token));
                assert!(space.check(newer));
            }
            seen => assert!(seen.is_none_or(|(_, old)| old == token), "the newest token with an old value"),
        },
        |space| {
            store(space, 1, 2);
        },
    );
}

#[test]
fn a_slot_and_a_block_that_are_used_again_give_no_value_of_the_other_key() {
    beside(
        3,
        |space, _| {
            get(space, 1);
        },
        |space| {
            take_out(space, 1);
            store(space, 2, 2);
        },
    );
}

#[test]
fn an_entry_stays_in_sight_while_another_of_its_head_comes_and_goes() {
    beside(
        3,
        |space, _| {
            assert!(get(space, 1).is_some());
        },
        |space| {
            store(space, 2, 2);
            take_out(space, 2);
        },
    );
}
