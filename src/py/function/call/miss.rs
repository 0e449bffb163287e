//! The way of a call that the hit path has not decided: an entry to be looked at more closely, or a miss.

pub(in crate::py) use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::core::view::Look;
use crate::ffi::sync::StoreLock;
use crate::ffi::{CallArgs, Owned, Raised, Result, thread, to_slot};
use crate::py::cache::capacity::Bound;
use crate::py::cache::lookup::{Action, Candidate, Seen};
use crate::py::cache::ops::Get;
use crate::py::function::Wrapper;
use crate::py::key::{Key, KeyKind};
use pyo3_ffi as py;
use std::ptr;

/// The hit path found an entry that may be the one: another object that is perhaps equal. Reenters: `__eq__` of arguments, the
/// function.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
pub unsafe extern "C" fn resolve_single<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
    id: SlotId,
) -> *mut py::PyObject {
    // SAFETY: this function's own arguments: one positional argument, held by the caller.
    unsafe { resolve_candidate(callable, args, 1, ptr::null_mut(), hash, id, KeyKind::of_calls(TYPED)) }
}

/// A call that the hit path left open. Reenters: `__eq__` of arguments, the function.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
pub unsafe extern "C" fn resolve_any(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    hash: Hash,
    id: SlotId,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let kind = unsafe { Wrapper::of(callable) }.kind;
    // SAFETY: this function's own arguments.
    unsafe { resolve_candidate(callable, args, nargsf, kwnames, hash, id, kind) }
}

/// # Safety
/// Vectorcall's own arguments, of a wrapper.
#[inline(always)]
unsafe fn resolve_candidate(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    hash: Hash,
    id: SlotId,
    kind: KeyKind,
) -> *mut py::PyObject {
    // SAFETY: as the caller says.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: as the caller says.
    let view = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    let generation = match this.look(hash, id, |key| key.compare(&view, kind)) {
        Look::Same(value) => return value.into_ptr(),
        Look::Absent(generation) => generation,
        // SAFETY: as the caller says.
        Look::Ask(key, id) => return unsafe { call_asking(callable, args, nargsf, kwnames, hash, (key, id)) },
        // SAFETY: as the caller says.
        Look::Inconclusive => return unsafe { call_hashed(callable, args, nargsf, kwnames, hash) },
    };
    // SAFETY: as the caller says.
    unsafe { miss_any(callable, args, nargsf, kwnames, hash, generation) }
}

/// The whole search, for calls that the hit path leaves open. Reenters: `__eq__` of arguments, the function.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe fn call_hashed(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    hash: Hash,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: vectorcall's own arguments, during the call.
    let view = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    let seen = Seen::default();
    let found = this.find_hashed(&view, hash, &seen);
    // SAFETY: this function's own arguments.
    unsafe { finish(callable, args, nargsf, kwnames, hash, found, seen) }
}

/// As [`call_hashed`], where the first candidate is known. Reenters: as that.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe fn call_asking(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    hash: Hash,
    candidate: Candidate,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: vectorcall's own arguments, during the call.
    let view = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    let seen = Seen::default();
    let found = this.find_asking(&view, hash, candidate, &seen);
    // SAFETY: this function's own arguments.
    unsafe { finish(callable, args, nargsf, kwnames, hash, found, seen) }
}

/// # Safety
/// Vectorcall's own arguments, of a wrapper.
#[inline(always)]
unsafe fn finish(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    hash: Hash,
    found: Result<<Get as Action>::Output>,
    seen: Seen,
) -> *mut py::PyObject {
    match found {
        Ok(Ok(value)) => value.into_ptr(),
        // SAFETY: as the caller says.
        Ok(Err(Some(generation))) if seen.is_empty() => unsafe {
            miss_any(callable, args, nargsf, kwnames, hash, generation)
        },
        // SAFETY: as the caller says.
        Ok(Err(Some(generation))) => unsafe { miss_seen(callable, args, nargsf, kwnames, (hash, generation), seen) },
        // SAFETY: as the caller says.
        Ok(Err(None)) => unsafe { miss_untold(callable, args, nargsf, kwnames) },
        Err(_raised) => ptr::null_mut(),
    }
}

/// A miss with one positional argument, an exact `int` whose hash tells its value. Reenters: the function.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
pub unsafe extern "C" fn miss_int(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
    generation: u64,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    this.store.count_miss();
    let alive = this.keep_alive();
    // SAFETY: one positional argument, held by the caller.
    let result = unsafe { this.call_in_place(args, 1, ptr::null_mut()) };
    // SAFETY: what was returned, and the reference to the wrapper.
    unsafe { keep_int(alive.into_ptr(), args, hash, generation, result) }
}

/// The end of [`miss_int`]: takes over the references to the wrapper and to the result. Reenters: `__eq__` of keys, finalizers.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe extern "C" fn keep_int(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
    generation: u64,
    result: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: a reference to a wrapper, which is taken over.
    let alive = unsafe { Owned::from_ptr(callable) };
    // SAFETY: one positional argument, held by the caller's caller.
    let args = unsafe { CallArgs::new(args, 1, ptr::null_mut()) };
    // SAFETY: held by the reference above.
    let this = unsafe { Wrapper::of(alive.as_ptr()) };
    // SAFETY: what the function returned.
    let value = unsafe { Owned::from_call(result) };
    to_slot(value.and_then(|value| {
        let value = this.unless_coroutine(value)?;
        let key = Key::of_inline_int(hash.python_hash());
        this.keep_new(&args, hash, generation, key, value, None)
    }))
}

/// A miss with one positional argument that the hit path has seen. Reenters: the function.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
pub unsafe extern "C" fn miss_single(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
    generation: u64,
) -> *mut py::PyObject {
    // SAFETY: one positional argument, as this function got it.
    unsafe { miss_any(callable, args, 1, ptr::null_mut(), hash, generation) }
}

/// A miss that the hit path has seen. Reenters: the function.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
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
    this.store.count_miss();
    let _alive = this.keep_alive();
    // SAFETY: vectorcall's own arguments, during the call.
    let result = unsafe { this.call_in_place(args, nargsf, kwnames) };
    // SAFETY: what was returned, and this function's own arguments.
    unsafe { keep_any(callable, args, nargsf, kwnames, (hash, generation), result) }
}

/// As [`miss_any`], for a call that has compared itself with these keys. Reenters: as that.
///
/// # Safety
/// As there.
#[cold]
#[inline(never)]
unsafe fn miss_seen(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    (hash, generation): (Hash, u64),
    seen: Seen,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    this.store.count_miss();
    let _alive = this.keep_alive();
    // SAFETY: vectorcall's own arguments, during the call.
    let result = unsafe { this.call_in_place(args, nargsf, kwnames) };
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    // SAFETY: what the function returned.
    let value = unsafe { Owned::from_call(result) };
    let kept = value.and_then(|value| {
        let value = this.unless_coroutine(value)?;
        this.keep_new(&args, hash, generation, Key::new(&args, this.kind)?, value, Some(&seen))
    });
    thread::with_exception_aside(|| drop(seen));
    to_slot(kept)
}

/// The end of [`miss_any`]. Reenters: `__eq__` of keys, finalizers.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe fn keep_any(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    (hash, generation): (Hash, u64),
    result: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, held by the caller.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    // SAFETY: what the function returned.
    let value = unsafe { Owned::from_call(result) };
    to_slot(value.and_then(|value| {
        let value = this.unless_coroutine(value)?;
        let key = Key::new(&args, this.kind)?;
        this.keep_new(&args, hash, generation, key, value, None)
    }))
}

/// A call of which there is no telling whether it has an entry, so that nothing is stored. Reenters: the function.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[cold]
#[inline(never)]
unsafe fn miss_untold(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    this.store.count_miss();
    let _alive = this.keep_alive();
    // SAFETY: vectorcall's own arguments, during the call.
    let result = unsafe { this.call_in_place(args, nargsf, kwnames) };
    // SAFETY: what the function returned.
    to_slot(unsafe { Owned::from_call(result) }.and_then(|value| this.unless_coroutine(value)))
}

/// A call of a cache that stores nothing. Reenters: the function.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
pub unsafe extern "C" fn uncached_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    this.store.count_miss();
    let _alive = this.keep_alive();
    // SAFETY: vectorcall's own arguments, during the call.
    unsafe { this.call_in_place(args, nargsf, kwnames) }
}

impl Wrapper {
    /// The whole search. Counts a hit. Reenters: `__eq__` of arguments.
    #[inline(never)]
    fn find_hashed(&self, args: &CallArgs<'_>, hash: Hash, seen: &Seen) -> Result<<Get as Action>::Output> {
        let _alive = self.keep_alive();
        let found = self.locate_unseen(seen, hash, args, &mut Get)?;
        if found.is_ok() {
            self.store.count_hit();
        }
        Ok(found)
    }

    /// As [`Wrapper::find_hashed`], where the first candidate is known. Reenters: as that.
    #[inline(never)]
    fn find_asking(
        &self,
        args: &CallArgs<'_>,
        hash: Hash,
        candidate: Candidate,
        seen: &Seen,
    ) -> Result<<Get as Action>::Output> {
        let _alive = self.keep_alive();
        let found = self.locate_from(hash, args, &mut Get, candidate, seen)?;
        if found.is_ok() {
            self.store.count_hit();
        }
        Ok(found)
    }

    /// Stores a result, as functools does: a result that a call further in has stored meanwhile stays where there is a bound, and gives
    /// way where there is none. `generation` is that in which there was no such entry. Reenters: `__eq__` of keys, finalizers.
    #[inline(always)]
    fn keep_new(
        &self,
        args: &CallArgs<'_>,
        hash: Hash,
        generation: u64,
        key: Key,
        value: Owned,
        seen: Option<&Seen>,
    ) -> Result<Owned> {
        let kept = value.clone();
        let done = self.store.change(|store| {
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
            Err(entry) => self.keep_after_all(args, hash, entry, seen)?,
        }
        Ok(value)
    }

    /// What [`Wrapper::keep_new`] does where keys of this hash have come. Reenters: as that.
    #[cold]
    #[inline(never)]
    fn keep_after_all(&self, args: &CallArgs<'_>, hash: Hash, entry: (Key, Owned), seen: Option<&Seen>) -> Result<()> {
        let none = Seen::default();
        self.keep_unseen(args, hash, entry, self.bound.get() == Bound::Unbounded, seen.unwrap_or(&none))
    }
}
