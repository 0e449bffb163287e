//! How many entries a cache may hold.

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
