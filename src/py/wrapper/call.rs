//! The call itself. [`wrapper_vectorcall`] is the hit path, the rest of the file is the way of a miss.

use super::lookup::Action;
use super::{Bound, Wrapper};
use crate::core::hash::Hash;
use crate::core::store::{SlotId, Store};
use crate::ffi::exact::{self, Verdict};
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, compat, object};
use crate::py::key::{self, Key};
use pyo3_ffi as py;

/// The vectorcall function for a cache of this kind: no option costs a branch where it is not used.
pub fn function_for(bound: Bound, typed: bool) -> py::vectorcallfunc {
    match (bound, typed) {
        (Bound::Off, _) => uncached_vectorcall,
        (Bound::Entries(_), false) => wrapper_vectorcall::<false, true>,
        (Bound::Entries(_), true) => wrapper_vectorcall::<true, true>,
        (Bound::Unbounded, false) => wrapper_vectorcall::<false, false>,
        (Bound::Unbounded, true) => wrapper_vectorcall::<true, false>,
    }
}

/// The hit path: arguments, hash, probe, compare, mark, new reference, return.
///
/// It decides calls with one positional argument that is a small natural `int` or a `str`, whose comparison needs
/// neither a call nor the stack; the rest goes to [`call_any`]. `TYPED` caches may take this way too, since both types
/// are compared exactly. `MARK` is false where nothing is ever evicted.
unsafe extern "C" fn wrapper_vectorcall<const TYPED: bool, const MARK: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    if kwnames.is_null() && nargsf & !py::PY_VECTORCALL_ARGUMENTS_OFFSET == 1 {
        // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
        let this = unsafe { Wrapper::of(callable) };
        // SAFETY: there is one argument, held by the caller.
        let argument = unsafe { Borrowed::from_ptr(*args) };
        if exact::is_int(argument) {
            // SAFETY: the type has just been seen.
            if let Some(value) = compat::small_natural(unsafe { exact::as_int(argument) })
                && let Some(result) = this.hit::<MARK>(Hash::of(value), Key::is_telling_int)
            {
                return result.into_ptr();
            }
        } else if exact::is_str(argument) {
            // SAFETY: the type has just been seen.
            if let Some(hash) = unsafe { exact::str_hash(argument) }
                && let Some(result) = this.hit::<MARK>(Hash::of(hash), |key| is_str_key(key, argument))
            {
                return result.into_ptr();
            }
        }
    }
    // SAFETY: this function's own arguments.
    unsafe { call_any(callable, args, nargsf, kwnames) }
}

#[inline(always)]
fn is_str_key(key: &Key, asked: Borrowed<'_>) -> bool {
    key.object().is_some_and(|stored| {
        // SAFETY: the asked object is an exact str; the other one is looked at first.
        stored.is(asked) || exact::is_str(stored) && unsafe { exact::compare_strs(stored, asked) } == Verdict::Same
    })
}

impl Wrapper {
    #[inline(always)]
    fn hit<const MARK: bool>(&self, hash: Hash, same: impl Fn(&Key) -> bool) -> Option<Owned> {
        let value = self.store.with(|store| {
            let id = store.find(hash, same)?;
            if MARK {
                store.mark(id);
            }
            Some(store.value(id).clone())
        })?;
        self.hits.count();
        Some(value)
    }
}

/// A call with any arguments. Reenters: `__hash__` and `__eq__` of arguments, the function.
#[inline(never)]
unsafe extern "C" fn call_any(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::new(args, nargsf & !py::PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames) };
    object::to_slot(this.call(&args))
}

/// A call of a cache that stores nothing. Reenters: the function.
unsafe extern "C" fn uncached_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    this.misses.count();
    // SAFETY: vectorcall's own arguments, during the call; what the callee may do to them is the same.
    unsafe { py::PyObject_Vectorcall(this.function.as_ptr(), args, nargsf, kwnames) }
}

/// Reads an entry as a call does.
struct Get;

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
type Left = std::result::Result<Option<(Option<Key>, Owned)>, ()>;

impl Action for Keep {
    type Outcome = Left;

    #[inline(always)]
    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Left {
        if !self.replace {
            return Ok(None);
        }
        store.mark(id);
        Ok(self.entry.take().map(|(key, value)| (Some(key), store.replace(id, value))))
    }

    #[inline(always)]
    fn absent(&mut self, store: &mut Store<Key, Owned>) -> Left {
        let Some((key, value)) = self.entry.take() else { return Ok(None) };
        match store.insert(self.hash, key, value) {
            Ok(evicted) => Ok(evicted.map(|(key, value)| (Some(key), value))),
            Err((key, value, _)) => {
                self.entry = Some((key, value));
                Err(())
            }
        }
    }

    fn unsettled(&mut self) -> Left {
        Ok(None)
    }
}

impl Wrapper {
    /// Reenters: `__hash__` and `__eq__` of arguments, the function.
    #[inline(always)]
    fn call(&self, args: &CallArgs<'_>) -> Result<Owned> {
        let hash = key::hash(args, self.typed)?;
        match self.locate(hash, args, &mut Get)? {
            Ok(value) => {
                self.hits.count();
                Ok(value)
            }
            Err(generation) => self.miss(args, hash, generation),
        }
    }

    /// Calls the function and stores its result, as functools does: the miss counts before the call, and a result that
    /// a call further in has stored meanwhile stays where there is a bound, and gives way where there is none.
    #[inline(never)]
    fn miss(&self, args: &CallArgs<'_>, hash: Hash, generation: Option<u64>) -> Result<Owned> {
        self.misses.count();
        let value = self.call_function(args)?;
        if let Some(generation) = generation {
            let replace = self.bound == Bound::Unbounded;
            self.keep(args, hash, value.clone(), replace, Some(generation))?;
        }
        Ok(value)
    }

    /// Stores a value. `absent_in` is the generation in which there was no such entry, if one is known. Reenters:
    /// `__eq__` of keys, and finalizers of what leaves.
    pub(super) fn keep(
        &self,
        args: &CallArgs<'_>,
        hash: Hash,
        value: Owned,
        replace: bool,
        absent_in: Option<u64>,
    ) -> Result<()> {
        let entry = Some((Key::new(args, self.typed)?, value));
        let mut keep = Keep { hash, entry, replace };
        let done = absent_in.and_then(|generation| {
            self.store.with(|store| (store.generation() == generation).then(|| keep.absent(store)))
        });
        let left = match done {
            Some(left) => left,
            None => self.locate(hash, args, &mut keep)?,
        };
        match left {
            Ok(left) => {
                drop(left);
                Ok(())
            }
            Err(()) => Err(Raised::no_memory()),
        }
    }
}
