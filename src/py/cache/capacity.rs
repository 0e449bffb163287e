//! How many entries a cache may hold.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many entries a cache may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// `maxsize` 0: nothing is stored.
    Off,
    /// `maxsize` above 0.
    Entries(usize),
    /// `maxsize` None.
    Unbounded,
}

impl Bound {
    /// The number: 0 if nothing is stored, and nothing if there is no bound.
    pub fn entries(self) -> Option<usize> {
        match self {
            Self::Off => Some(0),
            Self::Entries(entries) => Some(entries),
            Self::Unbounded => None,
        }
    }
}

/// The bound of a cache, which a mapping may be given another one of.
pub struct CurrentBound(AtomicUsize);

impl CurrentBound {
    /// This one, for now.
    pub fn new(bound: Bound) -> Self {
        let current = Self(AtomicUsize::new(0));
        current.set(bound);
        current
    }

    /// That of now.
    #[inline(always)]
    pub fn get(&self) -> Bound {
        // Relaxed: a number alone.
        match self.0.load(Ordering::Relaxed) {
            0 => Bound::Off,
            usize::MAX => Bound::Unbounded,
            entries => Bound::Entries(entries),
        }
    }

    /// Another one from now on.
    pub fn set(&self, bound: Bound) {
        self.0.store(bound.entries().unwrap_or(usize::MAX), Ordering::Relaxed);
    }
}
