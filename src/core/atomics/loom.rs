//! What loom checks. Its fences stand for membarrier(2).

pub use loom::cell::UnsafeCell as Place;
pub use loom::hint::spin_loop;
pub use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
pub use loom::thread::yield_now;

/// A reader's half of an asymmetric fence.
pub fn light_barrier() {
    // SeqCst: pairs with the fence of the writer's half.
    loom::sync::atomic::fence(Ordering::SeqCst);
}
