//! What ships.

pub use std::hint::spin_loop;
use std::sync::atomic::compiler_fence;
pub use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
pub use std::thread::yield_now;

/// Memory whose users keep out of each other's way by a protocol. Loom checks that they do.
#[repr(transparent)]
pub struct Place<T>(std::cell::UnsafeCell<T>);

impl<T> Place<T> {
    /// Holds `value`.
    pub const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// A look, during which nobody may write.
    #[inline(always)]
    pub fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
        look(self.0.get())
    }

    /// A change, during which nobody else may look.
    #[inline(always)]
    pub fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
        change(self.0.get())
    }

    /// The value.
    #[inline(always)]
    pub fn into_inner(self) -> T {
        self.0.into_inner()
    }
}

/// A reader's half of an asymmetric fence; the writer's half is the barrier that it hands to [`Back`](crate::core::concurrent::WriterSide).
///
/// Linux's membarrier(2) makes every thread of the process pass a full fence, so that readers need only keep the
/// compiler from reordering. Elsewhere both halves are full fences.
#[inline(always)]
pub fn light_barrier() {
    if cfg!(target_os = "linux") {
        compiler_fence(Ordering::SeqCst);
    } else {
        // SeqCst: pairs with the fence of the writer's half.
        fence(Ordering::SeqCst);
    }
}
