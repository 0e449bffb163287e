//! What is done under the lock where a search in a cache without options ends.

use crate::core::OutOfMemory;
use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::ffi::Owned;
use crate::py::cache::entry_store::Store;
use crate::py::cache::lookup::Action;
use crate::py::key::Key;

/// Reads an entry as a call does.
pub struct Get;

impl Action for Get {
    /// The value, or the generation in which there was none.
    type Output = std::result::Result<Owned, Option<u64>>;

    #[inline(always)]
    fn found(&mut self, store: &mut Store, id: SlotId) -> Self::Output {
        store.mark(id);
        Ok(store.value(id).clone())
    }

    #[inline(always)]
    fn absent(&mut self, store: &mut Store) -> Self::Output {
        Err(Some(store.generation()))
    }

    fn nothing(&mut self) -> Self::Output {
        Err(None)
    }
}

/// Stores a new entry, or treats the one that is there already as `replace` says.
pub(in crate::py) struct Keep {
    pub hash: Hash,
    pub entry: Option<(Key, Owned)>,
    pub replace: bool,
}

/// What left the store for a new entry, to be dropped outside, or that there was no memory.
pub type Displaced = std::result::Result<Option<(Option<Key>, Option<Owned>)>, OutOfMemory>;

impl Action for Keep {
    type Output = Displaced;

    #[inline(always)]
    fn found(&mut self, store: &mut Store, id: SlotId) -> Displaced {
        if !self.replace {
            return Ok(None);
        }
        store.mark(id);
        let Some((key, value)) = self.entry.take() else {
            return Ok(None);
        };
        match store.replace(id, value, Key::duplicate) {
            Ok((_, old)) => Ok(Some((Some(key), old))),
            Err((value, error)) => {
                self.entry = Some((key, value));
                Err(error)
            }
        }
    }

    #[inline(always)]
    fn absent(&mut self, store: &mut Store) -> Displaced {
        let Some((key, value)) = self.entry.take() else {
            return Ok(None);
        };
        match store.insert(self.hash, key, value) {
            Ok(evicted) => Ok(evicted.map(|(key, value)| (Some(key), Some(value)))),
            Err((key, value, error)) => {
                self.entry = Some((key, value));
                Err(error)
            }
        }
    }

    fn nothing(&mut self) -> Displaced {
        Ok(None)
    }
}

/// Tells whether there is an entry, and leaves it alone.
pub(in crate::py) struct Contains;

impl Action for Contains {
    type Output = bool;

    fn found(&mut self, _store: &mut Store, _id: SlotId) -> bool {
        true
    }

    fn nothing(&mut self) -> bool {
        false
    }
}

/// Takes an entry out.
pub(in crate::py) struct Invalidate;

impl Action for Invalidate {
    /// Whether it was there, and the entry, if that can be dropped now.
    type Output = (bool, Option<(Key, Owned)>);
    const RARE: bool = true;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Self::Output {
        (true, store.remove(id))
    }

    fn nothing(&mut self) -> Self::Output {
        (false, None)
    }
}

/// Stores an entry unless there is one.
pub struct SetDefault {
    pub hash: Hash,
    pub entry: Option<(Key, Owned)>,
}

pub enum Default {
    /// This value is there already.
    There(Owned),
    /// Stored, and this has left for it. Or not stored, where there is no telling.
    Done(Option<(Key, Owned)>),
    NoMemory,
}

impl Action for SetDefault {
    type Output = Default;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Default {
        store.mark(id);
        Default::There(store.value(id).clone())
    }

    fn absent(&mut self, store: &mut Store) -> Default {
        let Some((key, value)) = self.entry.take() else { return Default::Done(None) };
        match store.insert(self.hash, key, value) {
            Ok(evicted) => Default::Done(evicted),
            Err((key, value, OutOfMemory)) => {
                self.entry = Some((key, value));
                Default::NoMemory
            }
        }
    }

    fn nothing(&mut self) -> Default {
        Default::Done(None)
    }
}

/// Takes an entry out, to be given to the caller.
pub struct Take;

impl Action for Take {
    type Output = Option<(Key, Owned)>;
    const RARE: bool = true;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Self::Output {
        store.take_out(id)
    }

    fn nothing(&mut self) -> Self::Output {
        None
    }
}

/// The value of an entry without options, without more ado.
pub struct PeekValue;

impl Action for PeekValue {
    type Output = Option<Owned>;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Option<Owned> {
        Some(store.value(id).clone())
    }

    fn nothing(&mut self) -> Option<Owned> {
        None
    }
}

/// Marks an entry as used.
pub(in crate::py) struct Mark;

impl Action for Mark {
    type Output = ();

    fn found(&mut self, store: &mut Store, id: SlotId) {
        store.mark(id);
    }

    fn nothing(&mut self) {}
}
