//! The call itself. [`wrapper_vectorcall`] is the hit path; those below it are its sisters for other shapes of call.
//!
//! Up to the jump out of it none of them runs Python code, but for [`call_any`] and [`call_single_by_slot`], which ask
//! arguments for their hash and so hold the wrapper. What they can't decide goes to `miss.rs`, where Python code runs.

pub(in crate::py) use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::core::view::{Hit, Look};
use crate::ffi::compare::Verdict;
use crate::ffi::exact::{Exact, Int, Str, Tuple};
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, CallArgs, Owned, compare, exact, hash};
use crate::py::cache::capacity::Bound;
use crate::py::function::Wrapper;
use crate::py::function::call::miss::{
    miss_any, miss_int, miss_single, resolve_any, resolve_single, uncached_vectorcall,
};
use crate::py::key;
use crate::py::key::{Key, KeyKind};
use pyo3_ffi as py;
use std::ptr;

/// The vectorcall function for a cache of this kind: no option costs a branch where it is not used.
pub fn function_for(bound: Bound, typed: bool) -> py::vectorcallfunc {
    match (bound, typed) {
        (Bound::Off, _) => uncached_vectorcall,
        (_, false) => wrapper_vectorcall::<false>,
        (_, true) => wrapper_vectorcall::<true>,
    }
}

/// The hit path: arguments, hash, probe, compare, mark, new reference, return.
///
/// It decides calls with one positional argument that is a positive number of one digit (below 2^30). Every other way
/// out is a jump to a function of the same or other arguments in registers, so that this one needs no stack. An exact
/// `int` is compared exactly, so typed caches take the same way, and differ further on.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
unsafe extern "C" fn wrapper_vectorcall<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    if !is_single(nargsf, kwnames) {
        // SAFETY: this function's own arguments.
        return unsafe { call_shape::<TYPED>(callable, args, nargsf, kwnames) };
    }
    // SAFETY: there is one argument, held by the caller.
    let argument = unsafe { Borrowed::first_of(args) };
    // In this shape the compiler puts the jumps in the order of what is frequent.
    if !exact::is_int(argument) {
        if exact::is_str(argument) {
            // SAFETY: the type has just been seen.
            let string = unsafe { Exact::<Str>::of_seen(argument) };
            // SAFETY: one argument, as this function got it.
            return unsafe { call_str::<TYPED>(callable, args, string) };
        }
        // SAFETY: one argument, as this function got it.
        return unsafe { call_single::<TYPED>(callable, args, argument) };
    }
    // SAFETY: the type has just been seen.
    let int = unsafe { Exact::<Int>::of_seen(argument) };
    let Some(value) = int.small_positive() else {
        // SAFETY: one argument, as this function got it.
        return unsafe { call_single::<TYPED>(callable, args, argument) };
    };
    // SAFETY: one argument, as this function got it, whose hash tells its value.
    unsafe { call_int::<TYPED>(callable, args, Hash::of(u64::from(value))) }
}

/// The hit path of an `int` whose hash tells its value.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(always)]
unsafe fn call_int<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    match this.hit(hash, Key::is_inline_int) {
        Hit::Value(value) => value.into_ptr(),
        // SAFETY: one argument, as this function got it, whose hash tells its value.
        Hit::Absent(generation) => unsafe { miss_int(callable, args, hash, generation) },
        // SAFETY: one argument, as this function got it.
        Hit::Unsure(id) => unsafe { resolve_single::<TYPED>(callable, args, hash, id) },
    }
}

/// The hit path of a `str` that is the stored object itself.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe extern "C" fn call_str<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    argument: Exact<'_, Str>,
) -> *mut py::PyObject {
    let Some(hash) = argument.kept_hash() else {
        // SAFETY: one argument, as this function got it.
        return unsafe { call_single::<TYPED>(callable, args, argument.object()) };
    };
    let hash = Hash::of(hash);
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    // Read once more, which frees a register.
    // SAFETY: there is one argument, held by the caller.
    match this.hit(hash, |key| key.is_object(unsafe { Borrowed::first_of(args) })) {
        Hit::Value(value) => value.into_ptr(),
        // SAFETY: one argument, as this function got it.
        Hit::Absent(generation) => unsafe { miss_single(callable, args, hash, generation) },
        // SAFETY: one argument, as this function got it.
        Hit::Unsure(id) => unsafe { resolve_str::<TYPED>(callable, args, hash, id) },
    }
}

/// The hit path of a short ASCII `str` that is perhaps equal to the stored one.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe extern "C" fn resolve_str<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
    id: SlotId,
) -> *mut py::PyObject {
    // SAFETY: there is one argument, held by the caller.
    let argument = unsafe { Borrowed::first_of(args) };
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    // Other strings than short ones are passed over, so that only a look that met no key can tell that there is none.
    let mut met = false;
    let judge = |key: &Key| {
        met = true;
        Verdict::of(key.object().is_some_and(|stored| compare::same_short_ascii(stored, argument)))
    };
    match this.look(hash, id, judge) {
        Look::Same(value) => return value.into_ptr(),
        // SAFETY: this function's own arguments.
        Look::Absent(generation) if !met => return unsafe { miss_single(callable, args, hash, generation) },
        Look::Absent(_) | Look::Ask(..) | Look::Inconclusive => {}
    }
    // SAFETY: this function's own arguments.
    unsafe { resolve_single::<TYPED>(callable, args, hash, id) }
}

/// The hit path of one positional argument of another type. Reenters: as [`call_any`].
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe extern "C" fn call_single<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    argument: Borrowed<'_>,
) -> *mut py::PyObject {
    if let Some(value) = Exact::<Int>::of(argument).and_then(Exact::inline_int) {
        // SAFETY: one argument, as this function got it, whose hash tells its value.
        return unsafe { call_int::<TYPED>(callable, args, Hash::of(value as u64)) };
    }
    if TYPED && !exact::is_plain(argument) {
        // SAFETY: one argument, as this function got it.
        return unsafe { call_any::<TYPED>(callable, args, 1, ptr::null_mut()) };
    }
    let Some(hash) = hash::in_place(argument) else {
        // SAFETY: one argument, as this function got it.
        return unsafe { call_single_by_slot::<TYPED>(callable, args, argument) };
    };
    // SAFETY: one argument, as this function got it.
    unsafe { call_single_hashed::<TYPED>(callable, args, argument, Hash::of(hash)) }
}

/// As [`call_single`], with a hash that only the argument's type can tell. Reenters: its `__hash__`, and as [`call_any`].
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe extern "C" fn call_single_by_slot<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    argument: Borrowed<'_>,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    let _alive = this.keep_alive();
    match hash::hash_by_slot(argument) {
        // SAFETY: one argument, as this function got it.
        Ok(hash) => unsafe { call_single_hashed::<TYPED>(callable, args, argument, Hash::of(hash)) },
        Err(raised) => this.explain_unhashable(raised, &CallArgs::of_positional(&[argument])),
    }
}

/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(always)]
unsafe fn call_single_hashed<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    argument: Borrowed<'_>,
    hash: Hash,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    match this.hit(hash, |key| key.is_object(argument)) {
        Hit::Value(value) => value.into_ptr(),
        // SAFETY: one argument, as the caller got it.
        Hit::Absent(generation) => unsafe { miss_single(callable, args, hash, generation) },
        // SAFETY: one argument, as the caller got it.
        Hit::Unsure(id) => unsafe { resolve_single::<TYPED>(callable, args, hash, id) },
    }
}

/// A call with any arguments but one positional one.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(always)]
unsafe fn call_shape<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    if kwnames.is_null() {
        match nargsf.wrapping_mul(2) {
            // SAFETY: two positional arguments, as the caller got them.
            4 => return unsafe { call_positional::<TYPED, 2>(callable, args) },
            // SAFETY: three positional arguments, as the caller got them.
            6 => return unsafe { call_positional::<TYPED, 3>(callable, args) },
            // SAFETY: no arguments, as the caller got them.
            0 => return unsafe { call_empty::<TYPED>(callable, args) },
            _ => {}
        }
    } else if !TYPED {
        // SAFETY: the caller's own arguments.
        return unsafe { call_keywords(callable, args, nargsf, kwnames) };
    }
    // SAFETY: the caller's own arguments.
    unsafe { call_any::<TYPED>(callable, args, nargsf, kwnames) }
}

/// The hit path of a call without arguments.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe extern "C" fn call_empty<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    if let Hit::Value(value) = this.hit(key::hash::EMPTY_HASH, Key::is_empty_call) {
        return value.into_ptr();
    }
    // SAFETY: no arguments, as this function got them.
    unsafe { call_any::<TYPED>(callable, args, 0, ptr::null_mut()) }
}

/// The hit path of keyword arguments whose values and tuple of names are the stored objects themselves. Reenters: as
/// [`call_any`].
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe extern "C" fn call_keywords(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    let positional = nargsf & !py::PY_VECTORCALL_ARGUMENTS_OFFSET;
    // SAFETY: not null, and held by the caller.
    let tuple = unsafe { Borrowed::from_ptr(kwnames) };
    // SAFETY: a tuple, as vectorcall has it.
    let names = unsafe { Exact::<Tuple>::of_seen(tuple) }.items();
    if names.is_empty() {
        // SAFETY: this function's own arguments.
        return unsafe { call_any::<false>(callable, args, nargsf, kwnames) };
    }
    // SAFETY: so many arguments, none of them null, held by the caller; `Borrowed` is a pointer in all but name.
    let values = unsafe { std::slice::from_raw_parts(args.cast::<Borrowed<'_>>(), positional + names.len()) };
    if let Some(hash) = key::hash::hash_keywords_in_place(values, positional, names) {
        // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
        let this = unsafe { Wrapper::of(callable) };
        match this.hit(hash, |key| key.is_of_keywords(values, positional, tuple)) {
            Hit::Value(value) => return value.into_ptr(),
            // SAFETY: this function's own arguments.
            Hit::Absent(generation) => unsafe {
                return miss_any(callable, args, nargsf, kwnames, hash, generation);
            },
            // SAFETY: this function's own arguments.
            Hit::Unsure(id) => return unsafe { resolve_any(callable, args, nargsf, kwnames, hash, id) },
        }
    }
    // SAFETY: this function's own arguments.
    unsafe { call_any::<false>(callable, args, nargsf, kwnames) }
}

/// The hit path of a few positional arguments that are the stored objects themselves. Reenters: as [`call_any`].
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe extern "C" fn call_positional<const TYPED: bool, const N: usize>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: so many arguments, none of them null, held by the caller; `Borrowed` is a pointer in all but name.
    let values = unsafe { &*args.cast::<[Borrowed<'_>; N]>() };
    let Some(hash) = key::hash::hash_in_place(values) else {
        // SAFETY: so many positional arguments, as this function got them.
        return unsafe { call_any::<TYPED>(callable, args, N, ptr::null_mut()) };
    };
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    match this.hit(hash, |key| key.is_of_positional(values, TYPED)) {
        Hit::Value(value) => value.into_ptr(),
        // SAFETY: so many positional arguments, as this function got them.
        Hit::Absent(generation) => unsafe { miss_any(callable, args, N, ptr::null_mut(), hash, generation) },
        // SAFETY: so many positional arguments, as this function got them.
        Hit::Unsure(id) => unsafe { resolve_any(callable, args, N, ptr::null_mut(), hash, id) },
    }
}

/// A call with any arguments. Reenters: `__hash__` and `__eq__` of arguments, the function.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe extern "C" fn call_any<const TYPED: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: vectorcall's own arguments, during the call.
    let view = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    // From here on: the arguments' `__hash__` may take the caller's reference away.
    let _alive = this.keep_alive();
    let hash = match key::hash::hash(&view, KeyKind::of_calls(TYPED)) {
        Ok(hash) => hash,
        Err(raised) => return this.explain_unhashable(raised, &view),
    };
    match this.hit(hash, |key| key.compare(&view, KeyKind::of_calls(TYPED)) == Verdict::Same) {
        Hit::Value(value) => value.into_ptr(),
        // SAFETY: this function's own arguments.
        Hit::Absent(generation) => unsafe { miss_any(callable, args, nargsf, kwnames, hash, generation) },
        // SAFETY: this function's own arguments.
        Hit::Unsure(id) => unsafe { resolve_any(callable, args, nargsf, kwnames, hash, id) },
    }
}

/// Whether there is one argument, a positional one: the count, doubled to lose the flag in its highest bit, is 2.
#[inline(always)]
pub fn is_single(nargsf: usize, kwnames: *mut py::PyObject) -> bool {
    const { assert!(py::PY_VECTORCALL_ARGUMENTS_OFFSET == 1 << (usize::BITS - 1)) };
    (nargsf.wrapping_mul(2).wrapping_sub(2) | kwnames.addr()) == 0
}

impl Wrapper {
    #[inline(always)]
    pub(in crate::py) fn hit(&self, hash: Hash, same: impl FnOnce(&Key) -> bool) -> Hit<Owned> {
        self.store.hit(hash, same)
    }

    #[inline(always)]
    pub(in crate::py) fn look(&self, hash: Hash, id: SlotId, judge: impl FnMut(&Key) -> Verdict) -> Look<Key, Owned> {
        self.store.look(self.owner(), hash, id, judge)
    }
}
