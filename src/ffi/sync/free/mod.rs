//! Without the GIL: hits take no lock, and everything else takes one for a moment.
//!
//! Whoever holds the lock runs no Python code and reaches no safe point, and neither does a thread inside a hit. So while the
//! world is stopped nobody is in the middle of either; `os.fork()` and the collector's visits happen in such pauses.

mod barrier;
mod mutex;
mod references;
mod share;
mod threads;

use crate::core::OutOfMemory;
use crate::core::concurrent::{After, Departed, Outside, OwnReader, ReaderSide, Ticket, WriterSide};
use crate::core::forks::process;
use crate::core::hash::Hash;
use crate::core::memory::Concurrent;
use crate::core::slot::SlotId;
use crate::core::store;
use crate::core::view::{Hit, Look, Verdict};
use crate::ffi::reference::Borrowed;
use crate::ffi::sync::StoreLock;
use mutex::Mutex;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use references::{Lent, SharedCount};

/// What a cache's entries lie in.
pub type Store<K, V> = store::Store<K, V, Concurrent>;

/// What has to be done once in the process, before the first cache is made.
pub fn prepare() {
    // Twice is as good as once: interpreters may import at the same time, and nothing here may wait for another one.
    threads::prepare();
    barrier::prepare();
}

/// What keeps threads apart, in a word: whether hits take no lock, or take one where there is no barrier.
pub fn lock_mode() -> &'static CStr {
    if barrier::is_there() { c"hazards" } else { c"mutex" }
}

/// Adds one to a number that other processes read and this one's threads write.
#[inline(always)]
pub fn bump(counter: &AtomicU64) {
    // Relaxed: a number alone.
    counter.fetch_add(1, Ordering::Relaxed);
}

/// How often threads are waited for that look at what a rare change has taken out, and from which time on by sleeping.
const LET_GO_TRIES: u32 = 16;
const LET_GO_SLEEPS_FROM: u32 = 8;
const LET_GO_SLEEP: Duration = Duration::from_micros(200);

/// A store whose hits take no lock, and its counts.
#[repr(C)]
pub struct LockedStore<K, V> {
    reader_side: ReaderSide<K, V>,
    cold: Box<Cold<K, V>>,
}

/// What hits don't touch, on cache lines of its own.
#[repr(align(128))]
struct Cold<K, V> {
    mutex: Mutex,
    /// Counted by threads that have no reader.
    hits: AtomicU64,
    misses: AtomicU64,
    guarded: UnsafeCell<Guarded<K, V>>,
}

/// What the mutex guards.
struct Guarded<K, V> {
    writer_side: WriterSide<K, V>,
    /// What had been counted when counting began anew.
    counted_before: (u64, u64),
    /// Whether the owner has been told that threads share it.
    shared: bool,
    /// The process that last had the lock.
    process: u32,
}

/// What the mutex guards, for as long as it is held.
struct Held<'a, K, V> {
    guarded: &'a mut Guarded<K, V>,
    _locked: mutex::Locked<'a>,
}

impl<K, V> Cold<K, V> {
    #[inline(always)]
    fn outside(&self) -> Outside<fn() -> bool> {
        // SAFETY: the calling thread's number, which is its own while it lives; and the barrier is one for all threads.
        unsafe { Outside::new(threads::current(), barrier::heavy) }
    }

    /// The lock, and what it guards.
    #[inline(always)]
    fn lock(&self) -> Held<'_, K, V> {
        let locked = self.mutex.lock();
        // SAFETY: the mutex is held as long as `Held` stands.
        let guarded = unsafe { &mut *self.guarded.get() };
        if guarded.process != process() {
            guarded.after_fork();
        }
        Held { guarded, _locked: locked }
    }
}

impl<K, V> Guarded<K, V> {
    /// This is the first change in the child of a fork.
    #[cold]
    #[inline(never)]
    fn after_fork(&mut self) {
        threads::while_none_is_taken(|lives| {
            // SAFETY: the process is another one than at the last change, and numbers are told of by their list.
            unsafe { self.writer_side.after_fork(lives) }
        });
        self.process = process();
    }
}

impl<K: Clone, V: Clone> LockedStore<K, V> {
    /// This thread's reader, if it has one.
    #[inline(always)]
    fn reader(&self) -> Option<OwnReader<'_, K, V>> {
        // SAFETY: the calling thread's number, which is its own while it lives; and what is asked of keys and values in a hit runs
        // no Python code and comes back to no cache.
        unsafe { self.reader_side.reader(threads::current()) }
    }

    #[inline(always)]
    fn search<const COUNT: bool, T>(
        &self,
        hash: Hash,
        same: impl FnOnce(&K) -> bool,
        take: impl FnOnce(&V) -> Option<T>,
    ) -> Hit<T> {
        let Some(reader) = self.reader() else {
            return Hit::Unsure(SlotId::NONE);
        };
        match reader.hit(hash, same, take) {
            Hit::Value(value) => {
                if COUNT {
                    reader.count_hit();
                }
                Hit::Value(value)
            }
            // One way out, to `look`, which finds out more.
            Hit::Absent(_) | Hit::Unsure(_) => Hit::Unsure(SlotId::NONE),
        }
    }

    /// This thread's first call: from the next one on it hits without a lock. Without memory or a number for the thread,
    /// it goes on with locks.
    #[cold]
    #[inline(never)]
    fn register_now(&self, owner: Option<Borrowed<'_>>) {
        if !barrier::is_there() {
            return;
        }
        let Some(thread) = threads::register() else { return };
        let share = {
            let Held { guarded, _locked } = self.cold.lock();
            // SAFETY: made together in `new`.
            if unsafe { guarded.writer_side.register_thread(&self.reader_side, thread) }.is_err() {
                return;
            }
            let owner = owner.filter(|&owner| {
                !guarded.shared && (guarded.writer_side.reader_count() > 1 || references::is_foreign(owner))
            });
            guarded.shared |= owner.is_some();
            owner
        };
        if let Some(owner) = share {
            share::share(owner);
        }
    }

    /// The second value says whether threads look at some of what is to go. Reenters: as [`StoreLock::change`].
    fn change_and_let_go<R>(&self, work: impl FnOnce(&mut Store<K, V>) -> R) -> (R, bool) {
        let Held { guarded, _locked } = self.cold.lock();
        // SAFETY: made together in `new`.
        let (result, after) =
            unsafe { guarded.writer_side.change_rarely(&self.reader_side, &self.cold.outside(), work) };
        drop(_locked);
        let held = match after {
            After::Nothing => false,
            After::Drop(departed) => drop_all(departed),
            After::Reclaim(ticket) => self.reclaim(ticket),
        };
        (result, held)
    }

    /// Drops what waits, as soon as threads have left their hits: most often they have been put to sleep there, and need but a
    /// processor. Reenters: finalizers.
    #[cold]
    fn let_go(&self) {
        for tried in 0..LET_GO_TRIES {
            match tried {
                0..LET_GO_SLEEPS_FROM => std::thread::yield_now(),
                _ => std::thread::sleep(LET_GO_SLEEP),
            }
            if !self.change_and_let_go(|_| ()).1 {
                return;
            }
        }
    }

    /// Drops what a ticket is for. Tells whether threads look at some of it. Reenters: finalizers of what has left.
    #[cold]
    #[inline(never)]
    fn reclaim(&self, ticket: Ticket) -> bool {
        // Takes microseconds, which others need not wait for.
        let passed = barrier::heavy();
        let mut held = false;
        loop {
            // SAFETY: the barrier was passed above, if it was.
            let (departed, more) = unsafe { self.cold.lock().guarded.writer_side.reclaim(ticket, passed) };
            held |= drop_all(departed);
            if !more {
                return held;
            }
        }
    }

    fn all_counts(&self, guarded: &Guarded<K, V>) -> (u64, u64) {
        let (hits, misses) = guarded.writer_side.counts();
        // Relaxed: numbers alone.
        let (others_hits, others_misses) =
            (self.cold.hits.load(Ordering::Relaxed), self.cold.misses.load(Ordering::Relaxed));
        (hits + others_hits, misses + others_misses)
    }
}

impl<K: Clone, V: Clone> StoreLock<K, V> for LockedStore<K, V> {
    type Store = Store<K, V>;
    type Cleared = Departed<K, V>;

    fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        let (reader_side, writer_side) = WriterSide::new(capacity)?;
        let cold = Cold {
            mutex: Mutex::new(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            guarded: UnsafeCell::new(Guarded {
                writer_side,
                counted_before: (0, 0),
                shared: false,
                process: process(),
            }),
        };
        Ok(Self { reader_side, cold: crate::core::boxed(cold)? })
    }

    #[inline(always)]
    fn hit_with<T>(&self, hash: Hash, same: impl FnOnce(&K) -> bool, take: impl FnOnce(&V) -> Option<T>) -> Hit<T> {
        self.search::<true, T>(hash, same, take)
    }

    #[inline(always)]
    fn find_with<T>(&self, hash: Hash, same: impl FnOnce(&K) -> bool, take: impl FnOnce(&V) -> Option<T>) -> Hit<T> {
        self.search::<false, T>(hash, same, take)
    }

    #[inline(always)]
    fn look(
        &self,
        owner: Option<Borrowed<'_>>,
        hash: Hash,
        _id: SlotId,
        judge: impl FnMut(&K) -> Verdict,
    ) -> Look<K, V> {
        let Some(reader) = self.reader() else {
            self.register_now(owner);
            return Look::Inconclusive;
        };
        let found = reader.look(hash, judge);
        if matches!(found, Look::Same(_)) {
            reader.count_hit();
        }
        found
    }

    #[inline(always)]
    fn register_thread(&self, owner: Option<Borrowed<'_>>) {
        if self.reader().is_none() {
            self.register_now(owner);
        }
    }

    #[inline]
    fn change<R>(&self, work: impl FnOnce(&mut Store<K, V>) -> R) -> R {
        let Held { guarded, _locked } = self.cold.lock();
        // SAFETY: made together in `new`.
        let (result, after) = unsafe { guarded.writer_side.change(&self.reader_side, &self.cold.outside(), work) };
        drop(_locked);
        match after {
            After::Nothing => {}
            After::Drop(departed) => departed.for_each(drop),
            After::Reclaim(ticket) => _ = self.reclaim(ticket),
        }
        result
    }

    fn change_rarely<R>(&self, work: impl FnOnce(&mut Store<K, V>) -> R) -> R {
        let (result, held) = self.change_and_let_go(work);
        if held {
            self.let_go();
        }
        result
    }

    fn clear(&self, before: impl FnOnce(&mut Store<K, V>)) -> Result<Departed<K, V>, OutOfMemory> {
        let Held { guarded, _locked } = self.cold.lock();
        before(guarded.writer_side.store_mut());
        // SAFETY: made together in `new`.
        let departed = unsafe { guarded.writer_side.take(&self.reader_side, &self.cold.outside()) }?;
        guarded.counted_before = self.all_counts(guarded);
        drop(_locked);
        if departed.some_is_held() {
            self.let_go();
        }
        Ok(departed)
    }

    #[inline]
    fn count_hit(&self) {
        match self.reader() {
            Some(reader) => reader.count_hit(),
            // Relaxed: a number alone.
            None => _ = self.cold.hits.fetch_add(1, Ordering::Relaxed),
        }
    }

    #[inline]
    fn count_miss(&self) {
        match self.reader() {
            Some(reader) => reader.count_miss(),
            // Relaxed: a number alone.
            None => _ = self.cold.misses.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn counts(&self) -> (u64, u64, usize, u64) {
        let Held { guarded, _locked } = self.cold.lock();
        let (hits, misses) = self.all_counts(guarded);
        let (hits_before, misses_before) = guarded.counted_before;
        let store = guarded.writer_side.store();
        (hits - hits_before, misses - misses_before, store.len(), store.evictions())
    }

    fn visit(&self, mut each: impl FnMut(&K, &V) -> c_int) -> c_int {
        // SAFETY: the world is stopped, and no thread stops while it holds the mutex: there is no safe point.
        let guarded = unsafe { &*self.cold.guarded.get() };
        guarded.writer_side.iter().map(|(key, value)| each(key, value)).find(|&stop| stop != 0).unwrap_or(0)
    }

    fn into_contents(self) -> impl Iterator<Item = (K, V)> {
        // SAFETY: made together in `new`.
        unsafe { self.cold.guarded.into_inner().writer_side.into_contents(self.reader_side) }
    }
}

/// Drops what has left. Tells whether there was more, which threads were looking at. Reenters: finalizers.
fn drop_all<K, V>(departed: Departed<K, V>) -> bool {
    let held = departed.some_is_held();
    departed.for_each(drop);
    held
}
