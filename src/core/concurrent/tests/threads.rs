//! Stress on real threads.

use super::*;
use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread;

pub use std::sync::Arc;

/// A spin lock. ThreadSanitizer sees all of it, unlike the parts of std's mutex that come compiled.
pub struct Lock<T> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: one thread at a time reaches the value.
unsafe impl<T: Send> Sync for Lock<T> {}

pub struct LockGuard<'a, T>(&'a Lock<T>);

impl<T> Lock<T> {
    pub fn new(value: T) -> Self {
        Self { locked: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    pub fn lock(&self) -> LockGuard<'_, T> {
        // Acquire: pairs with the Release in `drop`.
        while self.locked.swap(true, Ordering::Acquire) {
            thread::yield_now();
        }
        LockGuard(self)
    }

    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: locked.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: locked.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for LockGuard<'_, T> {
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `lock`.
        self.0.locked.store(false, Ordering::Release);
    }
}

#[cfg(target_os = "linux")]
pub fn heavy_barrier() -> bool {
    let membarrier = |command: libc::c_int| {
        // SAFETY: takes numbers, and has no effect on memory but order.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    };
    membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
        || membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
            && membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
}

#[cfg(not(target_os = "linux"))]
pub fn heavy_barrier() -> bool {
    std::sync::atomic::fence(Ordering::SeqCst);
    true
}

/// How many values live.
static LIVE: AtomicI64 = AtomicI64::new(0);
/// Held by each test, since they count the same values.
static COUNTING: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// A value on the heap, where the sanitizers see it, with its key.
struct Value(Box<(u64, u64)>);

impl Value {
    fn new(key: u64) -> Self {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Self(Box::new((key, !key)))
    }

    fn is_of(&self, key: u64) -> bool {
        *self.0 == (key, !key)
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        LIVE.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

const CALLS: u64 = if cfg!(debug_assertions) { 20_000 } else { 200_000 };

/// What one thread does: calls a cache of squares, so to say, and now and then something else.
fn work(shared: &Shared<Value>, thread: usize, keys: u64, upheaval: bool) -> (u64, u64) {
    let (mut hits, mut misses) = (0, 0);
    let mut state = thread as u64 * 0x9E37_79B9 + 1;
    for step in 0..CALLS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Hashes that collide, at times.
        let key = (state >> 33) % keys * if step % 2 == 0 { 1 } else { 1 << 40 };
        if let Some(value) = shared.hit(thread, key) {
            assert!(value.is_of(key));
            hits += 1;
        } else {
            misses += 1;
            match shared.look(thread, key) {
                Look::Same(value) => assert!(value.is_of(key)),
                Look::Ask(..) => unreachable!("nobody asks"),
                Look::Absent(_) | Look::Inconclusive => {}
            }
            let value = Value::new(key);
            shared.change(thread, |store| match Shared::find(store, key) {
                Some(id) => {
                    store.mark(id);
                    drop(value);
                }
                None => assert!(store.insert(Hash::of(key), key, value).is_ok_and(|left| left.is_none())),
            });
        }
        if upheaval {
            match step % 1024 {
                100 => shared.clear(thread),
                200 => shared.remove(thread, key),
                300 => _ = shared.change_rarely(thread, |store| Shared::remove_from(store, key)),
                400 => shared.change(thread, |store| {
                    if let Some(id) = Shared::find(store, key) {
                        let Ok((_, None)) = store.replace(id, Value::new(key), |key| Some(*key)) else {
                            panic!("memory")
                        };
                    }
                }),
                _ => {}
            }
        }
    }
    (hits, misses)
}

fn stress(threads: usize, capacity: usize, keys: u64, upheaval: bool) {
    let _counting = COUNTING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    assert_eq!(LIVE.load(Ordering::Relaxed), 0);
    let shared = Shared::new(capacity, threads);
    let start = Arc::new(Barrier::new(threads + 1));
    let done = Arc::new(AtomicBool::new(false));
    let most = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..threads)
        .map(|thread| {
            let (shared, start) = (shared.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                work(&shared, thread, keys, upheaval)
            })
        })
        .collect();
    let watcher = {
        let (shared, done, most) = (shared.clone(), done.clone(), most.clone());
        thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let locked = shared.lock();
                assert!(locked.store().len() <= capacity);
                most.fetch_max(locked.iter().count() - locked.store().len(), Ordering::Relaxed);
                drop(locked);
                thread::yield_now();
            }
        })
    };
    start.wait();
    let (hits, misses) = workers
        .into_iter()
        .map(|worker| worker.join().expect("a worker"))
        .fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    done.store(true, Ordering::Relaxed);
    watcher.join().expect("the watcher");
    assert_eq!(hits + misses, CALLS * threads as u64);
    assert_eq!(shared.lock().counts().0, hits);
    let most = most.load(Ordering::Relaxed);
    assert!(most <= WriterSide::<u64, Value>::most_waiting(capacity, threads), "{most} entries waited");
    shared.clear(0);
    assert_eq!(LIVE.load(Ordering::Relaxed), 0, "clearing lets everything go when nobody is inside");
    Shared::end(shared);
    assert_eq!(LIVE.load(Ordering::Relaxed), 0);
}

#[test]
fn two_threads_read_what_two_threads_evict() {
    stress(2, 64, 100, false);
}

#[test]
fn many_threads_in_a_tiny_cache() {
    stress(8, 1, 3, true);
    stress(8, 5, 11, true);
}

#[test]
fn threads_in_caches_that_grow_and_are_cleared() {
    for capacity in [100, 1_000, 10_000] {
        stress(4, capacity, capacity as u64 * 5 / 4, true);
    }
}

#[test]
fn one_thread_alone_has_nothing_waiting() {
    let _counting = COUNTING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let shared = Shared::new(3, 1);
    for key in 0..100 {
        shared.insert(0, key, Value::new(key));
        assert!(LIVE.load(Ordering::Relaxed) <= 3);
    }
    Shared::end(shared);
    assert_eq!(LIVE.load(Ordering::Relaxed), 0);
}

#[test]
fn a_rare_change_leaves_nothing_waiting() {
    let _counting = COUNTING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let shared = Shared::new(usize::MAX, 3);
    for key in 0..200 {
        shared.insert(0, key, Value::new(key));
    }
    for key in 0..200 {
        let ((), held) = shared.change_rarely(0, |store| Shared::remove_from(store, key));
        assert!(!held);
        assert_eq!(LIVE.load(Ordering::Relaxed), 199 - key as i64);
    }
    Shared::end(shared);
}

#[test]
fn after_a_fork_readers_that_were_left_behind_hold_nothing_and_are_counted() {
    let _counting = COUNTING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let shared = Shared::new(3, 8);
    for key in 0..50 {
        shared.insert(0, key, Value::new(key));
    }
    assert!(shared.hit(5, 49).is_some());
    // Its thread was put to sleep inside, and is not here any more.
    let behind = shared.reader_side.reader_of(5).expect("it has joined");
    behind.hazard.store(crate::core::concurrent::reader::SEARCHING, Ordering::Relaxed);
    shared.clear(0);
    assert_ne!(shared.lock().replaced_count(), 0);
    shared.after_fork(|thread| thread == 0);
    assert_eq!(shared.lock().reader_count(), 1);
    assert!((0..8).all(|thread| shared.reader_side.reader_of(thread).is_some() == (thread == 0)));
    assert_eq!(shared.lock().counts(), (1, 0));
    // Alone: everything goes at once.
    for key in 0..50 {
        shared.insert(0, key, Value::new(key));
        assert!(LIVE.load(Ordering::Relaxed) <= 3);
        assert_eq!(shared.lock().replaced_count(), 0);
    }
    shared.register(5);
    assert!(shared.hit(5, 49).is_some());
    assert_eq!(shared.lock().counts(), (2, 0));
    Shared::end(shared);
    assert_eq!(LIVE.load(Ordering::Relaxed), 0);
}

#[test]
fn a_ticket_of_before_a_fork_lets_nothing_of_a_newer_batch_go() {
    let _counting = COUNTING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let shared = Shared::new(1, 2);
    for key in [1, 2] {
        shared.insert(0, key, Value::new(key));
    }
    let ticket = shared.lock().close_batch_to_reclaim(false);
    shared.after_fork(|_| true);
    shared.insert(0, 3, Value::new(3));
    let newer = shared.lock().close_batch_to_reclaim(false);
    let waiting = LIVE.load(Ordering::Relaxed) - 1;
    assert!(waiting > 0);
    shared.reclaim(ticket);
    assert_eq!(LIVE.load(Ordering::Relaxed) - 1, waiting);
    shared.reclaim(newer);
    assert_eq!(LIVE.load(Ordering::Relaxed), 1);
    Shared::end(shared);
}
