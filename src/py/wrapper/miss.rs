//! The way of a call that the hit path has not decided: an entry to be looked at more closely, or a miss.

use super::Bound;
use super::lookup::{Action, Candidate};
use super::{Keeper, Wrapper};
use crate::core::OutOfMemory;
use crate::core::hash::Hash;
use crate::core::view::{Look, SlotId};
use crate::ffi::sync::Store;
use crate::ffi::{CallArgs, Owned, Raised, Result, object};
use crate::py::key::{Key, KeyKind};
use pyo3_ffi as py;
use std::ptr;

/// The hit path found an entry that may be the one: another object that is perhaps equal. Reenters: as
/// [`Wrapper::call_hashed`].
#[inline(never)]
pub unsafe extern "C" fn settle_single<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
    id: SlotId,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: one positional argument, held by the caller.
    let args = unsafe { CallArgs::new(args, 1, ptr::null_mut()) };
    object::to_slot(this.settle_as(&args, hash, id, KeyKind::of_calls(TYPED)))
}

/// A call that the hit path left open. Reenters: `__eq__` of arguments, the function.
#[inline(never)]
pub unsafe extern "C" fn settle_any(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    hash: Hash,
    id: SlotId,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    object::to_slot(this.settle(&args, hash, id))
}

/// A miss with one positional argument, an exact `int` whose hash tells its value. Reenters: the function.
#[inline(never)]
pub unsafe extern "C" fn miss_int(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
    generation: u64,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: one positional argument, held by the caller.
    let args = unsafe { CallArgs::new(args, 1, ptr::null_mut()) };
    object::to_slot(this.miss(&args, hash, Some(generation), || Ok(Key::of_telling_int(hash.python_hash()))))
}

/// A miss with one positional argument that the hit path has seen. Reenters: the function.
#[inline(never)]
pub unsafe extern "C" fn miss_single(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
    generation: u64,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: one positional argument, held by the caller.
    let args = unsafe { CallArgs::new(args, 1, ptr::null_mut()) };
    object::to_slot(this.miss_of(&args, hash, Some(generation)))
}

/// A miss that the hit path has seen. Reenters: the function.
#[inline(never)]
pub unsafe extern "C" fn miss_any(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    hash: Hash,
    generation: u64,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    object::to_slot(this.miss_of(&args, hash, Some(generation)))
}

/// A call of a cache that stores nothing. Reenters: the function.
pub unsafe extern "C" fn uncached_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    this.cache.count_miss();
    let _alive = this.keep_alive();
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    object::to_slot(this.call_function(&args))
}

/// Reads an entry as a call does.
pub struct Get;

impl Action for Get {
    /// The value, or the generation in which there was none.
    type Outcome = std::result::Result<Owned, Option<u64>>;

    #[inline(always)]
    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Self::Outcome {
        store.mark(id);
        Ok(store.value(id).clone())
    }

    #[inline(always)]
    fn absent(&mut self, store: &mut Store<Key, Owned>) -> Self::Outcome {
        Err(Some(store.generation()))
    }

    fn unsettled(&mut self) -> Self::Outcome {
        Err(None)
    }
}

/// Stores a new entry, or treats the one that is there already as `replace` says.
struct Keep {
    hash: Hash,
    entry: Option<(Key, Owned)>,
    replace: bool,
}

/// What left the store for a new entry, to be dropped outside, or that there was no memory.
type Left = std::result::Result<Option<(Option<Key>, Option<Owned>)>, OutOfMemory>;

impl Action for Keep {
    type Outcome = Left;

    #[inline(always)]
    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Left {
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
    fn absent(&mut self, store: &mut Store<Key, Owned>) -> Left {
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

    fn unsettled(&mut self) -> Left {
        Ok(None)
    }
}

impl Wrapper {
    /// What the hit path was unsure of. Reenters: `__eq__` of arguments, the function.
    #[inline]
    pub fn settle(&self, args: &CallArgs<'_>, hash: Hash, id: SlotId) -> Result<Owned> {
        self.settle_as(args, hash, id, self.kind)
    }

    /// [`Wrapper::settle`] where the kind of keys is known. Reenters: as that.
    #[inline(always)]
    fn settle_as(&self, args: &CallArgs<'_>, hash: Hash, id: SlotId, kind: KeyKind) -> Result<Owned> {
        match self.look(hash, id, |key| key.compare(args, kind)) {
            Look::Same(value) => Ok(value),
            Look::Absent(generation) => self.miss_of(args, hash, Some(generation)),
            Look::Ask(key, id) => self.call_asking(args, hash, (key, id)),
            Look::Elsewhere => self.call_hashed(args, hash),
        }
    }

    /// The whole search, for calls that the hit path leaves open. Reenters: `__eq__` of arguments, the function.
    #[inline(never)]
    fn call_hashed(&self, args: &CallArgs<'_>, hash: Hash) -> Result<Owned> {
        let _alive = self.keep_alive();
        let found = self.locate(hash, args, &mut Get)?;
        self.finish(args, hash, found)
    }

    /// As [`Wrapper::call_hashed`], where the first candidate is known. Reenters: as that.
    #[inline(never)]
    fn call_asking(&self, args: &CallArgs<'_>, hash: Hash, candidate: Candidate) -> Result<Owned> {
        let _alive = self.keep_alive();
        let found = self.locate_from(hash, args, &mut Get, candidate)?;
        self.finish(args, hash, found)
    }

    #[inline(always)]
    fn finish(&self, args: &CallArgs<'_>, hash: Hash, found: <Get as Action>::Outcome) -> Result<Owned> {
        match found {
            Ok(value) => {
                self.cache.count_hit();
                Ok(value)
            }
            Err(generation) => self.miss_of(args, hash, generation),
        }
    }

    /// Calls the function and stores its result, as functools does: the miss counts before the call, and a result that
    /// a call further in has stored meanwhile stays where there is a bound, and gives way where there is none.
    /// `generation` is that in which there was no such entry. Reenters: the function, `__eq__` of keys, finalizers.
    #[inline(always)]
    fn miss(
        &self,
        args: &CallArgs<'_>,
        hash: Hash,
        generation: Option<u64>,
        make_key: impl FnOnce() -> Result<Key>,
    ) -> Result<Owned> {
        self.cache.count_miss();
        let _alive = self.keep_alive();
        let value = self.result_to_store(args)?;
        let Some(generation) = generation else {
            return Ok(value);
        };
        let key = make_key()?;
        let kept = value.clone();
        let done = self.cache.change(|store| {
            // Most often nothing has come since, or nothing of this hash.
            if store.generation() == generation || store.first_candidate(hash).is_none() {
                Ok(store.insert(hash, key, kept))
            } else {
                Err((key, kept))
            }
        });
        match done {
            Ok(Ok(evicted)) => drop(evicted),
            Ok(Err(_)) => return Err(Raised::no_memory()),
            Err(entry) => self.keep(args, hash, entry, self.bound == Bound::Unbounded)?,
        }
        Ok(value)
    }

    /// [`Wrapper::miss`] of any arguments. Reenters: as that.
    #[inline(always)]
    pub fn miss_of(&self, args: &CallArgs<'_>, hash: Hash, generation: Option<u64>) -> Result<Owned> {
        self.miss(args, hash, generation, || Key::new(args, self.kind))
    }
}

impl Keeper {
    /// Stores a value. Reenters: `__eq__` of keys, and finalizers of what leaves.
    #[inline(never)]
    pub fn keep(&self, args: &CallArgs<'_>, hash: Hash, entry: (Key, Owned), replace: bool) -> Result<()> {
        match self.locate(hash, args, &mut Keep { hash, entry: Some(entry), replace })? {
            Ok(left) => {
                drop(left);
                Ok(())
            }
            Err(OutOfMemory) => Err(Raised::no_memory()),
        }
    }
}
