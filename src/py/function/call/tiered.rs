//! The calls themselves.

use crate::core::hash::Hash;
use crate::core::view::Hit;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, CallArgs, Result};
use crate::py::cache::lookup::Seen;
use crate::py::cache::policy::{Policy, entry};
use crate::py::entry::StaleEntry;
use crate::py::flight::policy::Role;
use crate::py::function::Wrapper;
use crate::py::function::call::parts::{Begun, Keep, Next, Owed, in_parts};
use crate::py::function::call::plain::is_single;
use crate::py::function::call::probe::{ClockMode, CoarseClock, ExactClock, NoClock, probe};
use crate::py::options::{Background, Clock};
use crate::py::tier::cache::TieredCache;
use crate::py::tier::request::{Answer, TierRequest};
use crate::py::tier::source::{Event, Source, Tiered};
use crate::py::tier::{Tier, TierKind, near, with_tier};
use pyo3_ffi as py;
use std::mem::MaybeUninit;
use std::ptr;

/// The vectorcall function of a shared cache.
pub fn function_for(policy: &Policy, tier: &Tier) -> py::vectorcallfunc {
    with_tier!(tier, |tier| function_of_kind(policy, tier))
}

fn function_of_kind<S: TierKind>(policy: &Policy, _of_kind: &Tiered<S>) -> py::vectorcallfunc {
    match policy.options.clock {
        _ if !policy.quick || policy.ignores() => shared_vectorcall,
        Clock::Unused => quick_vectorcall::<S, NoClock>,
        Clock::Coarse => quick_vectorcall::<S, CoarseClock>,
        Clock::Exact => quick_vectorcall::<S, ExactClock>,
        Clock::Given(_) => shared_vectorcall,
    }
}

/// The hit path: one argument, a small natural number or the very `str` that is stored, whose value lies in the near cache and
/// stands in the tier. All else goes on to [`shared_vectorcall`]. Reenters: as that.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
unsafe extern "C" fn quick_vectorcall<S: TierKind, C: ClockMode>(
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
        if let Some(tier) = this.tier().and_then(S::of) {
            let backend = tier.backend();
            // SAFETY: a value of the store of a cache with options, as the policy says.
            match probe::<C>(&this.store, argument, |object, now| unsafe { entry(object) }.read_near(backend, now)) {
                Some((_, Hit::Value(value))) => {
                    tier.count(Event::Hit);
                    return value.into_ptr();
                }
                // SAFETY: one argument, as this function got it, of this hash.
                Some((hash, Hit::Absent(_))) => return unsafe { absent_vectorcall::<S>(callable, args, hash) },
                Some((_, Hit::Unsure(_))) | None => {}
            }
        }
    }
    // SAFETY: this function's own arguments.
    unsafe { shared_vectorcall(callable, args, nargsf, kwnames) }
}

/// A call with one argument of this hash, which the near cache has not. Reenters: as [`shared_vectorcall`].
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe extern "C" fn absent_vectorcall<S: TierKind>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
) -> *mut py::PyObject {
    // SAFETY: this function's own arguments: one positional argument.
    let begin = |begun: &mut _| unsafe { begin_absent::<S>(callable, args, hash, begun) };
    // SAFETY: this function's own arguments.
    unsafe { in_parts(callable, args, 1, ptr::null_mut(), begin) }
}

/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe fn begin_absent<S: TierKind>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    hash: Hash,
    begun: &mut MaybeUninit<Begun>,
) -> *mut py::PyObject {
    // SAFETY: one positional argument, held by the caller.
    let args = unsafe { CallArgs::new(args, 1, ptr::null_mut()) };
    // SAFETY: vectorcall's first argument is a wrapper, of a shared cache, held by the caller.
    let (this, policy, tier) = unsafe { parts(callable) };
    let Some(tier) = S::of(tier) else { unreachable!("this function is for tiers of this kind") };
    Next::to_slot(begin_behind(this, this.tiered(policy, tier), &args, &args, Some(hash)), begun)
}

/// A call of a shared cache. Reenters: options, the function, pickle or the serializer.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
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

/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
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
    let (this, policy, tier) = unsafe { parts(callable) };
    Next::to_slot(with_tier!(tier, |tier| begin(this, this.tiered(policy, tier), &args)), begun)
}

/// The wrapper, its options and its tier, for a call that is no hit of the near cache.
///
/// # Safety
/// The object is a wrapper of a shared cache, held by the caller.
#[inline(always)]
unsafe fn parts<'a>(callable: *mut py::PyObject) -> (&'a Wrapper, &'a Policy, &'a Tier) {
    // SAFETY: as the caller says.
    let this = unsafe { Wrapper::of(callable) };
    let Some((policy, tier)) = this.behind() else { unreachable!("this function is for shared caches") };
    this.store.register_thread(this.owner());
    (this, policy, tier)
}

/// Reenters: `key`, options, pickle or the serializer; with `single_flight` it may wait for another thread or process.
fn begin<S: Source>(this: &Wrapper, cache: TieredCache<'_, S>, args: &CallArgs<'_>) -> Result<Next> {
    cache.policy.with_key_args(args, |key_args| {
        let near = near::hash(key_args, cache.near.kind)?;
        if let Some(hash) = near
            && let Some(value) = cache.near_value(key_args, hash)?
        {
            cache.tier.count(Event::Hit);
            return cache.policy.copied(value).map(Next::Return);
        }
        begin_behind(this, cache, args, key_args, near)
    })
}

/// As [`begin`], where the near cache has no such entry. Reenters: as that.
#[inline(always)]
fn begin_behind<S: Source>(
    this: &Wrapper,
    cache: TieredCache<'_, S>,
    args: &CallArgs<'_>,
    key_args: &CallArgs<'_>,
    near: Option<Hash>,
) -> Result<Next> {
    match cache.request(key_args, near)? {
        Some(request) => begin_request(this, args, request),
        None => {
            cache.tier.count(Event::Miss);
            cache.tier.count(Event::Oversize);
            Ok(Next::Call(Begun {
                hash: Hash::of(0),
                made: None,
                bytes: None,
                owed: None,
                keep: Keep::Never,
                seen: Seen::default(),
                counts: false,
            }))
        }
    }
}

#[inline(always)]
fn begin_request<S: Source>(this: &Wrapper, args: &CallArgs<'_>, request: TierRequest<'_, S>) -> Result<Next> {
    let (policy, tier) = (request.cache.policy, request.cache.tier);
    let old = match request.answer()? {
        Answer::Value(value) => return policy.copied(value).map(Next::Return),
        Answer::Compute(old) => old,
        Answer::Recompute(value, old) => {
            let Background::By(background) = &policy.options.background else { unreachable!("so `answer` says") };
            tier.count(Event::StaleHit);
            tier.count(Event::Hit);
            let key = Some(request.bytes.request().key.to_vec());
            this.give_job(background, args, (None, Hash::of(0), key), old)?;
            return policy.copied(value).map(Next::Return);
        }
    };
    let mut owed = Owed { old, ..Owed::default() };
    let is_claimed = owed.old.as_ref().is_some_and(StaleEntry::is_claimed);
    if let (Some(flights), false) = (&policy.flights, is_claimed) {
        match request.fly(flights)? {
            (Role::Leader(flight), lease) => (owed.flight, owed.lease) = (Some(flight), lease),
            (Role::Alone, _) => {}
            (Role::Answered(value), _) => return Ok(Next::Return(value)),
        }
    }
    tier.count(Event::Miss);
    let bytes = Some(request.bytes);
    Ok(Next::Call(Begun {
        hash: Hash::of(0),
        made: None,
        bytes,
        owed: owed.boxed(),
        keep: Keep::New,
        seen: Seen::default(),
        counts: false,
    }))
}
