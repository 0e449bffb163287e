//! The calls themselves.

use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::core::view::Hit;
use crate::ffi::exact::{Exact, Int, Str};
use crate::ffi::{Borrowed, CallArgs, clock as clocks};
use crate::py::cache::policy::{Policy, entry};
use crate::py::function::Wrapper;
use crate::py::function::call::parts::{Begun, Next, in_parts};
use crate::py::function::call::plain::is_single;
use crate::py::key::Key;
use crate::py::options::Clock;
use crate::py::tier::region::Shared;
use pyo3_ffi as py;
use std::mem::MaybeUninit;
use std::ptr;

/// Which clock a hit reads, so that it need not look.
const NO_CLOCK: u8 = 0;
const COARSE_CLOCK: u8 = 1;
const EXACT_CLOCK: u8 = 2;

/// The vectorcall function of a shared cache.
pub fn function_for(policy: &Policy) -> py::vectorcallfunc {
    match policy.options.clock {
        _ if !policy.quick || policy.ignores() => shared_vectorcall,
        Clock::Unused => quick_vectorcall::<NO_CLOCK>,
        Clock::Coarse => quick_vectorcall::<COARSE_CLOCK>,
        Clock::Exact => quick_vectorcall::<EXACT_CLOCK>,
        Clock::Given(_) => shared_vectorcall,
    }
}

/// The hit path: one argument, a small natural number or the very `str` that is stored, whose value lies in the near cache and
/// stands in the region. All else goes on to [`shared_vectorcall`]. Reenters: as that.
unsafe extern "C" fn quick_vectorcall<const CLOCK: u8>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    if is_single(nargsf, kwnames) {
        // SAFETY: there is one argument, held by the caller.
        let argument = unsafe { Borrowed::first_of(args) };
        // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
        let this = unsafe { Wrapper::of(callable) };
        if let Some(policy) = this.policy()
            && let Some(shared) = &policy.shared
        {
            let region = &*shared.region;
            let now = match CLOCK {
                COARSE_CLOCK => clocks::coarse(),
                EXACT_CLOCK => clocks::exact(),
                _ => 0,
            };
            let take = |object: &_| entry(object).read_shared(region, now);
            let (mut hash, mut found) = (Hash::of(0), Hit::Unsure(SlotId::NONE));
            if let Some(int) = Exact::<Int>::of(argument) {
                if let Some(value) = int.small_natural() {
                    hash = Hash::of(u64::from(value));
                    found = this.store.find_with(hash, Key::is_inline_int, take);
                }
            } else if let Some(known) = Exact::<Str>::of(argument).and_then(Exact::kept_hash) {
                hash = Hash::of(known);
                found = this.store.find_with(hash, |key| key.is_object(argument), take);
            }
            match found {
                Hit::Value(value) => {
                    shared.count(true);
                    return value.into_ptr();
                }
                // SAFETY: one argument, as this function got it, of this hash.
                Hit::Absent(_) => return unsafe { absent_vectorcall(callable, args, hash) },
                Hit::Unsure(_) => {}
            }
        }
    }
    // SAFETY: this function's own arguments.
    unsafe { shared_vectorcall(callable, args, nargsf, kwnames) }
}

/// A call with one argument of this hash, which the near cache has not. Reenters: as [`shared_vectorcall`].
#[inline(never)]
unsafe extern "C" fn absent_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
) -> *mut py::PyObject {
    // SAFETY: this function's own arguments: one positional argument.
    let begin = |begun: &mut _| unsafe { begin_absent(callable, args, hash, begun) };
    // SAFETY: this function's own arguments.
    unsafe { in_parts(callable, args, 1, ptr::null_mut(), begin) }
}

#[inline(never)]
unsafe fn begin_absent(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
    begun: &mut MaybeUninit<Begun>,
) -> *mut py::PyObject {
    // SAFETY: one positional argument, held by the caller.
    let args = unsafe { CallArgs::new(args, 1, ptr::null_mut()) };
    // SAFETY: vectorcall's first argument is a wrapper, of a shared cache, held by the caller.
    let (this, policy, shared) = unsafe { parts(callable) };
    Next::to_slot(this.begin_absent(policy, shared, &args, hash), begun)
}

/// A call of a shared cache. Reenters: options, the function, pickle or the serializer.
#[inline(never)]
unsafe extern "C" fn shared_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: this function's own arguments.
    let begin = |begun: &mut _| unsafe { begin_shared(callable, args, nargsf, kwnames, begun) };
    // SAFETY: this function's own arguments.
    unsafe { in_parts(callable, args, nargsf, kwnames, begin) }
}

#[inline(never)]
unsafe fn begin_shared(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    begun: &mut MaybeUninit<Begun>,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    // SAFETY: vectorcall's first argument is a wrapper, of a shared cache, held by the caller.
    let (this, policy, shared) = unsafe { parts(callable) };
    Next::to_slot(this.begin_shared(policy, shared, &args), begun)
}

/// The wrapper, its options and its region, for a call that is no hit of the near cache.
///
/// # Safety
/// The object is a wrapper of a shared cache, held by the caller.
#[inline(always)]
unsafe fn parts<'a>(callable: *mut py::PyObject) -> (&'a Wrapper, &'a Policy, &'a Shared) {
    // SAFETY: as the caller says.
    let this = unsafe { Wrapper::of(callable) };
    let Some((policy, shared)) = this.policy_shared() else { unreachable!("this function is for shared caches") };
    this.store.register_thread(this.owner());
    (this, policy, shared)
}
