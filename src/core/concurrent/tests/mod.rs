//! Readers and writers at once. Built with `--cfg loom`, small models run in every order that the memory model allows;
//! without, larger ones run on real threads, for the sanitizers too. Both run the shipped code.

use super::{After, Outside, ReaderSide, Ticket, WriterSide};
use crate::core::hash::Hash;
use crate::core::memory::Concurrent;
use crate::core::slot::SlotId;
use crate::core::store::Store;
use crate::core::view::{Hit, Look, Verdict};

#[cfg(loom)]
#[path = "loom.rs"]
mod models;
#[cfg(not(loom))]
#[path = "threads.rs"]
mod models;

use models::{Arc, Lock, LockGuard};

/// A shared store with its lock, as the layer above puts it together.
struct Shared<V> {
    reader_side: ReaderSide<u64, V>,
    writer_side: Lock<WriterSide<u64, V>>,
}

type TestStore<V> = Store<u64, V, Concurrent>;

impl<V: Clone> Shared<V> {
    /// An empty one, which threads of these numbers have called.
    fn new(capacity: usize, threads: usize) -> Arc<Self> {
        let (reader_side, mut writer_side) = WriterSide::new(capacity).expect("memory");
        for thread in 0..threads {
            // SAFETY: made together.
            unsafe { writer_side.register_thread(&reader_side, thread) }.expect("memory");
        }
        Arc::new(Self { reader_side, writer_side: Lock::new(writer_side) })
    }

    /// A thread calls for the first time.
    fn register(&self, thread: usize) {
        // SAFETY: made together.
        unsafe { self.lock().register_thread(&self.reader_side, thread) }.expect("memory");
    }

    /// As in the child of a fork.
    fn after_fork(&self, lives: impl Fn(usize) -> bool) {
        // SAFETY: no thread is inside, as in a child, where nothing was changed yet.
        unsafe { self.lock().after_fork(lives) };
    }

    fn lock(&self) -> LockGuard<'_, WriterSide<u64, V>> {
        self.writer_side.lock()
    }

    fn outside(thread: usize) -> Outside<fn() -> bool> {
        // SAFETY: tests number their threads, and the barrier is one.
        unsafe { Outside::new(thread, models::heavy_barrier) }
    }

    fn hit(&self, thread: usize, key: u64) -> Option<V> {
        // SAFETY: tests number their threads, and closures come back to nothing.
        let reader = unsafe { self.reader_side.reader(thread) }.expect("the thread has joined");
        match reader.hit(Hash::of(key), |stored| *stored == key, |value| Some(value.clone())) {
            Hit::Value(value) => {
                reader.count_hit();
                Some(value)
            }
            Hit::Absent(_) | Hit::Unsure(_) => None,
        }
    }

    fn look(&self, thread: usize, key: u64) -> Look<u64, V> {
        // SAFETY: tests number their threads, and closures come back to nothing.
        let reader = unsafe { self.reader_side.reader(thread) }.expect("the thread has joined");
        reader.look(Hash::of(key), |stored| Verdict::of(*stored == key))
    }

    fn change<R>(&self, thread: usize, work: impl FnOnce(&mut TestStore<V>) -> R) -> R {
        let mut locked = self.lock();
        // SAFETY: made together.
        let (result, after) = unsafe { locked.change(&self.reader_side, &Self::outside(thread), work) };
        drop(locked);
        self.finish(after);
        result
    }

    /// As [`Shared::change`]. The second value says whether readers hold some of what was to go.
    fn change_rarely<R>(&self, thread: usize, work: impl FnOnce(&mut TestStore<V>) -> R) -> (R, bool) {
        let mut locked = self.lock();
        // SAFETY: made together.
        let (result, after) = unsafe { locked.change_rarely(&self.reader_side, &Self::outside(thread), work) };
        drop(locked);
        (result, self.finish(after))
    }

    fn finish(&self, after: After<u64, V>) -> bool {
        match after {
            After::Nothing => false,
            After::Drop(departed) => {
                let held = departed.some_is_held();
                departed.for_each(drop);
                held
            }
            After::Reclaim(ticket) => self.reclaim(ticket),
        }
    }

    fn reclaim(&self, ticket: Ticket) -> bool {
        let passed = models::heavy_barrier();
        let mut held = false;
        loop {
            // SAFETY: the barrier was passed just now, if it was.
            let (departed, more) = unsafe { self.lock().reclaim(ticket, passed) };
            held |= departed.some_is_held();
            departed.for_each(drop);
            if !more {
                return held;
            }
        }
    }

    /// Stores a value for a key that is not there.
    fn insert(&self, thread: usize, key: u64, value: V) {
        self.change(thread, |store| assert!(store.insert(Hash::of(key), key, value).is_ok_and(|left| left.is_none())));
    }

    fn find(store: &TestStore<V>, key: u64) -> Option<SlotId> {
        let mut candidate = store.first_candidate(Hash::of(key));
        while let Some((entry, cursor)) = candidate {
            if *entry.key() == key {
                return Some(entry.id());
            }
            candidate = store.next_candidate(Hash::of(key), cursor);
        }
        None
    }

    fn remove(&self, thread: usize, key: u64) {
        self.change(thread, |store| Self::remove_from(store, key));
    }

    fn remove_from(store: &mut TestStore<V>, key: u64) {
        if let Some(id) = Self::find(store, key) {
            assert!(store.remove(id).is_none());
        }
    }

    fn clear(&self, thread: usize) {
        // SAFETY: made together.
        let departed = unsafe { self.lock().take(&self.reader_side, &Self::outside(thread)) };
        departed.unwrap_or_else(|_| panic!("memory")).for_each(drop);
    }

    /// Everything in it, when no thread uses it any more.
    fn end(shared: Arc<Self>) {
        let Ok(this) = Arc::try_unwrap(shared) else { panic!("still in use") };
        let Self { reader_side, writer_side, .. } = this;
        // SAFETY: made together.
        unsafe { writer_side.into_inner().into_contents(reader_side) }.for_each(drop);
    }
}
