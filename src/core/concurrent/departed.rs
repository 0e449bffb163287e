//! What has left a shared store, and what is to be done about it when the lock has been given back.

use crate::core::memory::Concurrent;
use crate::core::moves::Replaced;
use crate::core::slab::Contents;

/// What is to be done after a change, when the lock has been given back.
#[must_use = "what left is to be dropped when the lock is given back"]
pub enum After<K, V> {
    /// Nothing.
    Nothing,
    /// Drop this. Reenters: finalizers.
    Drop(Departed<K, V>),
    /// Pass the heavy barrier. Then, as long as there is more: take the lock again, call [`WriterSide::reclaim`](super::WriterSide::reclaim)
    /// with this, give the lock back, drop what comes of it. Reenters: finalizers.
    Reclaim(Ticket),
}

/// Names the batch that its holder is to reclaim.
///
/// The barrier that the holder passes says something of that batch alone. In the child of a fork, another thread may have made the
/// next batch before the holder goes on: one that forked in a finalizer.
#[derive(Clone, Copy)]
pub struct Ticket {
    /// The epoch that began when the batch was closed.
    pub(super) epoch: u64,
    /// Whether readers are waited for a moment.
    pub(super) at_once: bool,
}

/// What has left a shared store and can be seen by nobody.
#[must_use = "what left is to be dropped when the lock is given back"]
pub struct Departed<K, V> {
    pub(super) pairs: Vec<(K, V)>,
    pub(super) one: Option<(K, V)>,
    pub(super) contents: Option<Contents<K, V, Concurrent>>,
    pub(super) replaced: Vec<Replaced<K, V, Concurrent>>,
    pub(super) held: bool,
}

impl<K, V> Departed<K, V> {
    pub(super) const fn nothing() -> Self {
        Self { pairs: Vec::new(), one: None, contents: None, replaced: Vec::new(), held: false }
    }

    /// Whether there was more, which readers were looking at.
    pub fn some_is_held(&self) -> bool {
        self.held
    }
}

impl<K, V> Iterator for Departed<K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        loop {
            let next = self.one.take().or_else(|| self.pairs.pop()).or_else(|| self.contents.as_mut()?.next());
            if next.is_some() {
                return next;
            }
            self.contents = Some(self.replaced.pop()?.into_contents());
        }
    }
}
