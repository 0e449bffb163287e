//! Models of the protocols. Loom fails where two threads come near one place without an order between them, where memory
//! is left over, and where an assertion does.

use super::*;
use loom::sync::atomic::{AtomicUsize, Ordering, fence};
use loom::thread;

pub use loom::sync::{Arc, MutexGuard as LockGuard};

/// Loom's mutex, without poison.
pub struct Lock<T>(loom::sync::Mutex<T>);

impl<T> Lock<T> {
    pub fn new(value: T) -> Self {
        Self(loom::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> LockGuard<'_, T> {
        self.0.lock().expect("no thread panics")
    }

    pub fn into_inner(self) -> T {
        self.0.into_inner().expect("no thread panics")
    }
}

pub fn heavy_barrier() -> bool {
    fence(Ordering::SeqCst);
    true
}

/// A value that knows whether it was dropped, in memory that loom watches.
struct Value {
    number: u64,
    references: Arc<AtomicUsize>,
}

impl Value {
    fn new(number: u64) -> Self {
        Self { number, references: Arc::new(AtomicUsize::new(1)) }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        // As a reference count that must not come writer_side from zero.
        assert!(self.references.fetch_add(1, Ordering::Relaxed) > 0, "a value that was given writer_side");
        Self { number: self.number, references: self.references.clone() }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.references.fetch_sub(1, Ordering::AcqRel);
    }
}

const MAIN: usize = 0;
const OTHER: usize = 1;

/// A full store of one entry, key 1, and what another thread does with it.
fn with_reader(read: impl Fn(&Shared<Value>) + Send + 'static, write: impl Fn(&Shared<Value>)) {
    let shared = Shared::new(1, 2);
    // The first ones let the store grow to its size.
    for key in [8, 9, 1] {
        shared.insert(MAIN, key, Value::new(key));
        shared.change(OTHER, |_| ());
    }
    let other = shared.clone();
    let reader = thread::spawn(move || read(&other));
    write(&shared);
    reader.join().expect("the reader");
    Shared::end(shared);
}

/// As the threshold has it.
fn close_and_reclaim(shared: &Shared<Value>) {
    let ticket = shared.lock().close_batch_to_reclaim(false);
    shared.reclaim(ticket);
}

fn read_key_one(shared: &Shared<Value>) {
    if let Some(value) = shared.hit(OTHER, 1) {
        assert_eq!(value.number, 1);
    }
}

#[test]
fn a_hit_while_the_entry_is_evicted_and_reclaimed_by_the_barrier() {
    loom::model(|| {
        with_reader(read_key_one, |shared| {
            shared.insert(MAIN, 2, Value::new(2));
            close_and_reclaim(shared);
        });
    });
}

#[test]
fn a_hit_while_the_slot_gets_another_entry() {
    loom::model(|| {
        with_reader(read_key_one, |shared| {
            shared.remove(MAIN, 1);
            close_and_reclaim(shared);
            // The same slot, unless the reader held it, and the same word.
            shared.insert(MAIN, 1, Value::new(1));
        });
    });
}

#[test]
fn a_hit_while_the_cache_is_cleared() {
    loom::model(|| with_reader(read_key_one, |shared| shared.clear(MAIN)));
}

#[test]
fn a_hit_while_the_value_is_replaced() {
    loom::model(|| {
        with_reader(
            |shared| {
                if let Some(value) = shared.hit(OTHER, 1) {
                    assert!(value.number == 1 || value.number == 10);
                }
            },
            |shared| {
                shared.change(MAIN, |store| {
                    let id = Shared::find(store, 1).expect("it is there");
                    let Ok((_, None)) = store.replace(id, Value::new(10), |key| Some(*key)) else { panic!("memory") };
                });
            },
        );
    });
}

#[test]
fn an_entry_whose_value_is_replaced_is_never_absent() {
    loom::model(|| {
        with_reader(
            |shared| assert!(!matches!(shared.look(OTHER, 1), Look::Absent(_))),
            |shared| {
                shared.change(MAIN, |store| {
                    let id = Shared::find(store, 1).expect("it is there");
                    let Ok((_, None)) = store.replace(id, Value::new(10), |key| Some(*key)) else { panic!("memory") };
                });
            },
        );
    });
}

#[test]
fn an_entry_is_never_absent_while_the_store_moves() {
    loom::model(|| {
        let shared = Shared::new(16, 2);
        shared.insert(MAIN, 1, Value::new(1));
        let other = shared.clone();
        let reader = thread::spawn(move || assert!(!matches!(other.look(OTHER, 1), Look::Absent(_))));
        shared.insert(MAIN, 2, Value::new(2));
        reader.join().expect("the reader");
        Shared::end(shared);
    });
}

#[test]
fn what_left_goes_when_the_reader_has_had_the_lock() {
    loom::model(|| {
        with_reader(
            |shared| {
                read_key_one(shared);
                shared.change(OTHER, |_| ());
                read_key_one(shared);
            },
            |shared| {
                shared.insert(MAIN, 2, Value::new(2));
                // Lets the batch go, if the other thread has been there since.
                shared.change(MAIN, |_| ());
            },
        );
    });
}

#[test]
fn a_hit_while_the_store_moves() {
    loom::model(|| {
        let shared = Shared::new(16, 2);
        shared.insert(MAIN, 1, Value::new(1));
        let other = shared.clone();
        let reader = thread::spawn(move || read_key_one(&other));
        // The second entry already needs more words.
        shared.insert(MAIN, 2, Value::new(2));
        reader.join().expect("the reader");
        assert_eq!(shared.hit(MAIN, 1).map(|value| value.number), Some(1));
        Shared::end(shared);
    });
}

/// Words of one home, of which the first goes while another thread looks for the second.
#[test]
fn an_entry_whose_word_is_shifted_back_is_never_absent() {
    loom::model(|| {
        let shared = Shared::new(4, 2);
        for key in [1, 1 | 1 << 40, 2] {
            shared.insert(MAIN, key, Value::new(key));
            shared.change(OTHER, |_| ());
        }
        let keys = [1 | 1 << 40, 2];
        let other = shared.clone();
        let reader = thread::spawn(move || {
            for key in keys {
                assert!(!matches!(other.look(OTHER, key), Look::Absent(_)));
            }
        });
        shared.remove(MAIN, 1);
        reader.join().expect("the reader");
        Shared::end(shared);
    });
}

#[test]
fn counts_are_exact_once_the_threads_have_ended() {
    loom::model(|| {
        let shared = Shared::new(2, 2);
        shared.insert(MAIN, 1, Value::new(1));
        let other = shared.clone();
        let reader = thread::spawn(move || u64::from(other.hit(OTHER, 1).is_some()));
        let own = u64::from(shared.hit(MAIN, 1).is_some());
        let seen = shared.lock().counts().0;
        let all = own + reader.join().expect("the reader");
        assert!(seen >= own && seen <= all);
        assert_eq!(shared.lock().counts(), (all, 0));
        Shared::end(shared);
    });
}

#[test]
fn a_thread_that_joins_while_another_hits() {
    loom::model(|| {
        let shared = Shared::new(2, 1);
        shared.insert(MAIN, 1, Value::new(1));
        let other = shared.clone();
        let joiner = thread::spawn(move || {
            other.register(OTHER);
            read_key_one(&other);
        });
        assert!(shared.hit(MAIN, 1).is_some());
        joiner.join().expect("the other thread");
        Shared::end(shared);
    });
}

#[test]
fn a_hit_while_the_entry_is_taken_out_by_a_rare_change() {
    loom::model(|| {
        with_reader(read_key_one, |shared| {
            let (_, held) = shared.change_rarely(MAIN, |store| Shared::remove_from(store, 1));
            let (_, still_held) = shared.change_rarely(MAIN, |_| ());
            assert!(held || !still_held, "what was given back can't be held");
        });
    });
}

/// In the child of a fork. A thread that forked in a finalizer goes on to reclaim its batch, for which it had passed the barrier in
/// the parent. Meanwhile another batch was closed, whose entry a reader may look at.
#[test]
fn a_hit_while_a_batch_of_before_a_fork_is_reclaimed() {
    loom::model(|| {
        let shared = Shared::new(1, 2);
        for key in [8, 9] {
            shared.insert(MAIN, key, Value::new(key));
            shared.change(OTHER, |_| ());
        }
        let ticket = shared.lock().close_batch_to_reclaim(false);
        shared.after_fork(|_| true);
        shared.insert(MAIN, 1, Value::new(1));
        let other = shared.clone();
        let reader = thread::spawn(move || read_key_one(&other));
        shared.insert(MAIN, 2, Value::new(2));
        let newer = shared.lock().close_batch_to_reclaim(false);
        // SAFETY: the barrier of before the fork was passed, for this ticket.
        let (departed, more) = unsafe { shared.lock().reclaim(ticket, true) };
        assert!(!more);
        departed.for_each(drop);
        shared.reclaim(newer);
        reader.join().expect("the reader");
        Shared::end(shared);
    });
}

/// A thread that begins after a fork may get the number of one that was left behind, at any time before or after this cache is
/// first changed there.
#[test]
fn a_hit_by_a_thread_that_got_its_number_while_a_cache_finds_out_about_a_fork() {
    loom::model(|| {
        let shared = Shared::new(2, 2);
        shared.insert(MAIN, 1, Value::new(1));
        // As `ffi/sync/free/threads.rs` keeps numbers.
        let taken = Arc::new(Lock::new(false));
        let (other, taken_there) = (shared.clone(), taken.clone());
        let child = thread::spawn(move || {
            *taken_there.lock() = true;
            if other.reader_side.reader_of(OTHER).is_some() {
                read_key_one(&other);
            }
        });
        {
            let mut locked = shared.lock();
            let taken = taken.lock();
            // SAFETY: as in a child, where nothing was changed yet.
            unsafe { locked.after_fork(|thread| thread == MAIN || *taken) };
        }
        shared.change_rarely(MAIN, |store| Shared::remove_from(store, 1));
        child.join().expect("the other thread");
        Shared::end(shared);
    });
}
