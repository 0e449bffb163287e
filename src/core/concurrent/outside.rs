//! What the writer's side can't know by itself.

/// What a change needs to know of the world outside.
pub struct Outside<B> {
    pub(super) thread: usize,
    pub(super) barrier: B,
}

impl<B: Fn() -> bool> Outside<B> {
    /// `thread` is the number of the thread that makes the change; that of no reader if it has none. `barrier` is the heavy barrier.
    ///
    /// # Safety
    /// No other thread that lives has the number, and every other thread passes a full fence before the barrier returns true.
    #[inline(always)]
    pub const unsafe fn new(thread: usize, barrier: B) -> Self {
        Self { thread, barrier }
    }
}
