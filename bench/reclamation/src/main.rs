//! Two figures for each way to read without a lock what another thread may take away:
//!
//! - nanoseconds that the protection adds to a read, of one thread;
//! - how many entries that were taken away still live after 100,000 replacements, while one reader was put to sleep inside.

use std::hint::black_box;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;
use tamis::core::hash::Hash;
use tamis::core::memory::Local;
use tamis::core::concurrent::{After, Outside, WriterSide};
use tamis::core::store::Store;
use tamis::core::view::Hit;

const ENTRIES: usize = 256;
const READS: usize = 2_000_000;
const REPLACEMENTS: usize = 100_000;
const PASSES: usize = 15;

static LIVE: AtomicI64 = AtomicI64::new(0);

struct Value(u64);

impl Value {
    fn new(number: u64) -> Self {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Self(number)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

/// Nanoseconds a call, the best of some passes.
fn timed(mut read: impl FnMut(usize) -> u64) -> f64 {
    let pass = |read: &mut dyn FnMut(usize) -> u64| {
        let start = Instant::now();
        let sum = (0..READS).fold(0u64, |sum, step| sum.wrapping_add(read(step % ENTRIES)));
        black_box(sum);
        start.elapsed().as_nanos() as f64 / READS as f64
    };
    (0..PASSES).map(|_| pass(&mut read)).fold(f64::INFINITY, f64::min)
}

fn membarrier() -> bool {
    // SAFETY: takes numbers, and has no effect on memory but order.
    let call = |command: libc::c_int| unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 };
    call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
        || call(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && call(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
}

/// Lets another thread go inside and sleep there while `write` runs, and counts what lives afterwards beside the entries.
fn left_over(inside: impl FnOnce(&mut dyn FnMut()) + Send, write: impl FnOnce()) -> i64 {
    let (entered, wait_for_entry) = mpsc::channel();
    let (leave, wait_to_leave) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            inside(&mut || {
                entered.send(()).expect("the main thread");
                wait_to_leave.recv().expect("the main thread");
            });
        });
        wait_for_entry.recv().expect("the reader");
        let before = LIVE.load(Ordering::Relaxed);
        write();
        let left = LIVE.load(Ordering::Relaxed) - before;
        leave.send(()).expect("the reader");
        left
    })
}

fn plain() -> f64 {
    let table: Vec<_> = (0..ENTRIES).map(|number| AtomicPtr::new(Box::into_raw(Box::new(Value::new(number as u64))))).collect();
    // SAFETY: nobody takes anything away.
    timed(|at| unsafe { (*table[at].load(Ordering::Acquire)).0 })
}

fn crossbeam() -> (f64, i64) {
    use crossbeam_epoch::{Atomic, Owned, pin};
    let table: Vec<_> = (0..ENTRIES).map(|number| Atomic::new(Value::new(number as u64))).collect();
    let time = timed(|at| {
        let guard = pin();
        // SAFETY: the guard keeps it.
        unsafe { table[at].load(Ordering::Acquire, &guard).deref() }.0
    });
    let left = left_over(
        |sleep| {
            let guard = pin();
            black_box(table[0].load(Ordering::Acquire, &guard));
            sleep();
        },
        || {
            for step in 0..REPLACEMENTS {
                let guard = pin();
                let old = table[step % ENTRIES].swap(Owned::new(Value::new(1)), Ordering::AcqRel, &guard);
                // SAFETY: taken out of the table.
                unsafe { guard.defer_destroy(old) };
            }
        },
    );
    (time, left)
}

fn seize() -> (f64, i64) {
    use seize::{Collector, Guard, reclaim};
    let collector = Collector::new();
    let new = |number| Box::into_raw(Box::new(Value::new(number)));
    let table: Vec<_> = (0..ENTRIES).map(|number| AtomicPtr::new(new(number as u64))).collect();
    let time = timed(|at| {
        let guard = collector.enter();
        // SAFETY: the guard keeps it.
        unsafe { (*guard.protect(&table[at], Ordering::Acquire)).0 }
    });
    let left = left_over(
        |sleep| {
            let guard = collector.enter();
            black_box(guard.protect(&table[0], Ordering::Acquire));
            sleep();
        },
        || {
            for step in 0..REPLACEMENTS {
                let guard = collector.enter();
                let old = guard.swap(&table[step % ENTRIES], new(1), Ordering::AcqRel);
                // SAFETY: taken out of the table.
                unsafe { guard.defer_retire(old, reclaim::boxed) };
            }
        },
    );
    (time, left)
}

/// The time is that of a whole hit, less that of the same hit in a store that no other thread reads.
fn tamis() -> (f64, i64) {
    let mut alone: Store<u64, Value, Local> = Store::new(ENTRIES).expect("memory");
    for key in 0..ENTRIES as u64 {
        assert!(alone.insert(Hash::of(key), key, Value::new(key)).is_ok());
    }
    let bare = timed(|at| match alone.hit(Hash::of(at as u64), |key| *key == at as u64, |value| Some(value.0)) {
        Hit::Value(value) => value,
        _ => 0,
    });
    let (reader_side, mut writer_side) = WriterSide::new(ENTRIES).expect("memory");
    // SAFETY: this is thread 0, and the barrier is one.
    let outside = unsafe { Outside::new(0, membarrier) };
    // SAFETY: made together.
    unsafe { writer_side.register_thread(&reader_side, 0) }.expect("memory");
    // SAFETY: made together.
    unsafe { writer_side.register_thread(&reader_side, 1) }.expect("memory");
    let mut insert = |key: u64| {
        let work = |store: &mut Store<_, _, _>| assert!(store.insert(Hash::of(key), key, Value::new(key)).is_ok());
        // SAFETY: made together.
        let ((), after) = unsafe { writer_side.change(&reader_side, &outside, work) };
        match after {
            After::Nothing => {}
            After::Drop(departed) => departed.for_each(drop),
            After::Reclaim(ticket) => {
                let passed = membarrier();
                loop {
                    // SAFETY: the barrier was passed just now, if it was.
                    let (departed, more) = unsafe { writer_side.reclaim(ticket, passed) };
                    departed.for_each(drop);
                    if !more {
                        break;
                    }
                }
            }
        }
    };
    (0..ENTRIES as u64).for_each(&mut insert);
    // SAFETY: this is thread 0, and the closures come back to nothing.
    let reader = unsafe { reader_side.reader(0) }.expect("joined");
    let time = timed(|at| match reader.hit(Hash::of(at as u64), |key| *key == at as u64, |value| Some(value.0)) {
        Hit::Value(value) => value,
        _ => 0,
    });
    let left = left_over(
        |sleep| {
            // SAFETY: thread 1 alone runs this, and the closures come back to nothing.
            let reader = unsafe { reader_side.reader(1) }.expect("joined");
            assert!(matches!(reader.hit(Hash::of(5), |key| *key == 5, |_| Some(sleep())), Hit::Value(())));
        },
        || (0..REPLACEMENTS as u64).for_each(|step| insert(1000 + step)),
    );
    (time - bare, left)
}

fn main() {
    let bare = plain();
    println!("{:<44}{:>12}{:>16}", "", "ns a read", "still living");
    for (name, (time, left)) in [
        ("crossbeam-epoch 0.9 (epochs)", crossbeam()),
        ("seize 0.5 (Hyaline, membarrier)", seize()),
    ] {
        println!("{name:<44}{:>12.2}{left:>16}", time - bare);
    }
    let (time, left) = tamis();
    println!("{:<44}{time:>12.2}{left:>16}", "tamis (hazard pointers, membarrier)");
}
