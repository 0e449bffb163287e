//! The entry protocol in every order that the memory model allows, up to a number of preemptions: `make test-loom`.
//!
//! The shipped readers and writers, over a region of a few words. One thread writes, as the lock has it, and one reads.

use super::digest::digest;
use super::layout::{Geometry, state};
use super::map::Map;
use super::space::Space;
use super::table::{Entry, Table};
use super::types::{Lookup, Terms, Token};
use loom::sync::Arc;
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
    let entry = Entry { hash: digest(SEED, &[key]), key: &[key], value: &value, terms: &Terms::NONE, now: &0u64 };
    Table::new(space).store(&entry).expect("order").expect("room")
}

/// The version that is there, after a look that it is whole.
fn get(space: &Space, key: u8) -> Option<(u8, Token)> {
    let mut value = Vec::new();
    match space.lookup(digest(SEED, &[key]), &[key], 0, &mut value) {
        Lookup::Fresh(found) => {
            assert_eq!(value, value_of(key, value[11]), "torn, or another key's");
            Some((value[11], found.token))
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
            let table = Table::new(space);
            let id = table
                .find(table.head(digest(SEED, &[1])), digest(SEED, &[1]), &[1])
                .expect("order")
                .expect("it is there");
            table.take_out(id).expect("order");
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
            let table = Table::new(space);
            let id = table
                .find(table.head(digest(SEED, &[2])), digest(SEED, &[2]), &[2])
                .expect("order")
                .expect("it is there");
            table.take_out(id).expect("order");
        },
    );
}
