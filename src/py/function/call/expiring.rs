//! Calls of caches with options. They share the store and its searches with the plain ones; each value lies in an entry
//! with its terms.

use crate::core::hash::Hash;
use crate::core::view::Hit;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, CallArgs, Owned, Result, thread, to_slot};
use crate::py::cache::capacity::Bound;
use crate::py::cache::expiring_ops::Found;
use crate::py::cache::lookup::Seen;
use crate::py::cache::policy::Policy;
use crate::py::entry::{StaleEntry, StalePlace};
use crate::py::flight::policy::Role;
use crate::py::function::Wrapper;
use crate::py::function::call::computation::CallComputation;
use crate::py::function::call::coroutine::{absent_coroutine_vectorcall, coroutine_vectorcall};
use crate::py::function::call::parts::{Begun, Keep, Next, Owed, in_parts};
use crate::py::function::call::plain::is_single;
use crate::py::function::call::probe::{ClockMode, CoarseClock, ExactClock, NoClock, probe};
use crate::py::function::call::{remote, tiered};
use crate::py::options::{Background, Clock, CopyPolicy};
use crate::py::tier::Tier;
use pyo3_ffi as py;
use std::mem::MaybeUninit;

/// The hit path of caches whose options need nothing but a clock of ours: for one argument, or one that is not ignored, a small
/// natural number or the very `str` that is stored. If no key has its hash, the call is a miss: see [`absent_vectorcall`]. All else goes
/// on to [`expiring_vectorcall`], or for coroutine functions to [`coroutine_vectorcall`]. Reenters: as those.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
unsafe extern "C" fn quick_vectorcall<C: ClockMode, const COROUTINE: bool, const IGNORING: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    let place = match this.policy() {
        Some(policy) if IGNORING => policy.only_place(nargsf, kwnames),
        _ => is_single(nargsf, kwnames).then_some(0),
    };
    if let Some(place) = place {
        // SAFETY: there is an argument at this place.
        let place = unsafe { args.add(place) };
        // SAFETY: as above, held by the caller.
        let argument = unsafe { Borrowed::first_of(place) };
        match probe::<C>(&this.store, argument, C::read) {
            Some((_, Hit::Value(value))) => {
                this.store.count_hit();
                return value.into_ptr();
            }
            Some((hash, Hit::Absent(_))) => {
                let absent: unsafe extern "C" fn(_, _, _, _, _) -> _ =
                    if COROUTINE { absent_coroutine_vectorcall } else { absent_vectorcall };
                // SAFETY: this function's own arguments, and the hash of what makes the key.
                return unsafe { absent(callable, args, nargsf, kwnames, hash) };
            }
            Some((_, Hit::Unsure(_))) | None => {}
        }
    }
    let slow: unsafe extern "C" fn(_, _, _, _) -> _ =
        if COROUTINE { coroutine_vectorcall } else { expiring_vectorcall };
    // SAFETY: this function's own arguments.
    unsafe { slow(callable, args, nargsf, kwnames) }
}

/// A call of which the hit path has seen that there is no entry: no key has this hash. Reenters: as [`expiring_vectorcall`], but for
/// `__hash__` of arguments.
///
/// # Safety
/// Vectorcall's own arguments, of a wrapper with options but without `key`, which the caller holds.
#[inline(never)]
unsafe extern "C" fn absent_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    hash: Hash,
) -> *mut py::PyObject {
    // SAFETY: this function's own arguments.
    let begin = |begun: &mut _| unsafe { begin_absent(callable, args, nargsf, kwnames, hash, begun) };
    // SAFETY: this function's own arguments.
    unsafe { in_parts(callable, args, nargsf, kwnames, begin) }
}

/// The first part of [`absent_vectorcall`].
///
/// # Safety
/// Vectorcall's own arguments, of a wrapper with options but without `key`, which the caller holds.
#[inline(never)]
unsafe fn begin_absent(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    hash: Hash,
    begun: &mut MaybeUninit<Begun>,
) -> *mut py::PyObject {
    // SAFETY: as the caller says.
    let this = unsafe { Wrapper::of(callable) };
    let Some(policy) = this.policy() else { unreachable!("this function is for wrappers with options") };
    // SAFETY: as the caller says.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    this.store.register_thread(this.owner());
    let next =
        policy.with_made(None, &args, |key_args| this.begin_computing(policy, key_args, hash, None, Seen::default()));
    Next::to_slot(next, begun)
}

/// A call of a cache with options. Reenters: options, `__hash__` and `__eq__` of arguments, the function, finalizers.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe extern "C" fn expiring_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: this function's own arguments.
    let begin = |begun: &mut _| unsafe { begin_expiring(callable, args, nargsf, kwnames, begun) };
    // SAFETY: this function's own arguments.
    unsafe { in_parts(callable, args, nargsf, kwnames, begin) }
}

/// The first part of [`expiring_vectorcall`].
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(never)]
unsafe fn begin_expiring(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    begun: &mut MaybeUninit<Begun>,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, held by the caller.
    let this = unsafe { Wrapper::of(callable) };
    let Some(policy) = this.policy() else { unreachable!("this function is for wrappers with options") };
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    this.store.register_thread(this.owner());
    Next::to_slot(this.begin_call(policy, &args), begun)
}

/// A call of a cache with `copy` that stores nothing. Reenters: the function, `copy`.
///
/// # Safety
/// A cached function, and the arguments of a call of it as vectorcall has them, which has not returned.
unsafe extern "C" fn uncached_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    let _alive = this.keep_alive();
    this.store.count_miss();
    // SAFETY: vectorcall's own arguments, during the call.
    let result = unsafe { this.call_in_place(args, nargsf, kwnames) };
    // SAFETY: what the function returned.
    to_slot(unsafe { Owned::from_call(result) }.and_then(|value| this.copy_of(value)))
}

impl Wrapper {
    #[inline(never)]
    fn copy_of(&self, value: Owned) -> Result<Owned> {
        match self.policy() {
            Some(policy) => policy.copied(value),
            None => Ok(value),
        }
    }

    /// Reenters: options, `__hash__` and `__eq__` of arguments; with `single_flight` it may wait for another thread.
    fn begin_call(&self, policy: &Policy, args: &CallArgs<'_>) -> Result<Next> {
        let made = policy.make_key(args)?;
        let next = policy.with_made(made.as_ref(), args, |key_args| {
            let hash = self.hash_of(args, key_args)?;
            let now = policy.options.now()?;
            let seen = Seen::default();
            match self.probe(policy, key_args, hash, now, &seen)? {
                Found::Fresh(value) | Found::Stale(value) => policy.copied(value).map(Next::Return),
                Found::Absent => self.begin_computing(policy, key_args, hash, None, seen),
                Found::Refresh(old) => {
                    let value = old.value().clone();
                    let old = StaleEntry::claimed(StalePlace::InMemory(old));
                    let Background::By(background) = &policy.options.background else {
                        return self.begin_computing(policy, key_args, hash, Some(old), seen);
                    };
                    self.store.count_hit();
                    policy.stats.count_stale_hit();
                    self.give_job(background, args, (made.clone(), hash, None), old)?;
                    policy.copied(value).map(Next::Return)
                }
                Found::OnError(old) => {
                    let old = StaleEntry::unclaimed(StalePlace::InMemory(old));
                    self.begin_computing(policy, key_args, hash, Some(old), seen)
                }
                Found::Undecided => {
                    self.store.count_miss();
                    Ok(Next::Call(Begun {
                        hash,
                        made: None,
                        bytes: None,
                        owed: None,
                        keep: Keep::Not,
                        seen,
                        counts: false,
                    }))
                }
            }
        });
        match next {
            Ok(Next::Call(begun)) => Ok(Next::Call(Begun { made, ..begun })),
            next => {
                thread::with_exception_aside(|| drop(made));
                next
            }
        }
    }

    /// A call that has found nothing computes, or waits for another one that does. Reenters: as [`Cache::fly`].
    fn begin_computing(
        &self,
        policy: &Policy,
        key_args: &CallArgs<'_>,
        hash: Hash,
        old: Option<StaleEntry>,
        seen: Seen,
    ) -> Result<Next> {
        let owed = Owed { old, ..Owed::default() };
        let begun = self.begin_flight(policy, key_args, hash, owed, true, seen)?;
        // Where there is a server, its answer tells.
        if let (Next::Call(_), None) = (&begun, &policy.remote) {
            self.store.count_miss();
        }
        Ok(begun)
    }

    /// The first part of computing a stale entry anew for no caller: counts nothing. Reenters: as [`Cache::fly`].
    pub(in crate::py) fn begin_recomputing(
        &self,
        policy: &Policy,
        args: &CallArgs<'_>,
        made: Option<Owned>,
        hash: Hash,
        owed: Owed,
    ) -> Result<Next> {
        let next = policy.with_made(made.as_ref(), args, |key_args| {
            self.begin_flight(policy, key_args, hash, owed, false, Seen::default())
        })?;
        Ok(match next {
            Next::Call(begun) => Next::Call(Begun { made, ..begun }),
            next => next,
        })
    }

    /// Leads the flight for the key, if others may join one, or waits for who does. Reenters: as [`Cache::fly`].
    fn begin_flight(
        &self,
        policy: &Policy,
        key_args: &CallArgs<'_>,
        hash: Hash,
        mut owed: Owed,
        is_call: bool,
        seen: Seen,
    ) -> Result<Next> {
        if let Some(flights) = &policy.flights {
            let computation = CallComputation { cache: self, policy, key_args, hash, is_call, seen: &seen };
            match self.fly(flights, key_args, hash, &computation) {
                Ok(Role::Leader(flight)) => owed.flight = Some(flight),
                Ok(Role::Alone) => {}
                Ok(Role::Answered(value)) => {
                    owed.give_up_refresh(None);
                    return Ok(Next::Return(value));
                }
                Err(raised) => {
                    owed.give_up_refresh(None);
                    return Err(raised);
                }
            }
        }
        Ok(Next::Call(Begun {
            hash,
            made: None,
            bytes: None,
            owed: owed.boxed(),
            keep: Keep::New,
            seen,
            counts: is_call,
        }))
    }
}

impl Wrapper {
    /// The vectorcall function of a wrapper with options.
    pub fn expiring_function(policy: &Policy, tier: Option<&Tier>, bound: Bound) -> Option<py::vectorcallfunc> {
        if policy.remote.is_some() {
            return Some(remote_function(policy));
        }
        if bound == Bound::Off && policy.flights.is_none() {
            return match (&policy.options.copy, policy.options.coroutine) {
                (CopyPolicy::No, _) => None,
                (CopyPolicy::By(_), false) => Some(uncached_vectorcall),
                (CopyPolicy::By(_), true) => Some(coroutine_vectorcall),
            };
        }
        if let Some(tier) = tier {
            return Some(if policy.options.coroutine {
                coroutine_vectorcall
            } else {
                tiered::function_for(policy, tier)
            });
        }
        Some(match (policy.options.coroutine, policy.ignores()) {
            (true, true) => clocked_function::<true, true>(policy),
            (true, false) => clocked_function::<true, false>(policy),
            (false, true) => clocked_function::<false, true>(policy),
            (false, false) => clocked_function::<false, false>(policy),
        })
    }
}

fn remote_function(policy: &Policy) -> py::vectorcallfunc {
    let is_quick = policy.quick && !policy.ignores();
    match (policy.options.coroutine, &policy.options.clock) {
        (false, Clock::Coarse) if is_quick => quick_remote_vectorcall::<CoarseClock, false>,
        (false, Clock::Exact) if is_quick => quick_remote_vectorcall::<ExactClock, false>,
        (true, Clock::Coarse) if is_quick => quick_remote_vectorcall::<CoarseClock, true>,
        (true, Clock::Exact) if is_quick => quick_remote_vectorcall::<ExactClock, true>,
        (false, _) => expiring_vectorcall,
        (true, _) => coroutine_vectorcall,
    }
}

/// See [`remote::quick`].
///
/// # Safety
/// As there.
unsafe extern "C" fn quick_remote_vectorcall<C: ClockMode, const COROUTINE: bool>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    let slow = if COROUTINE { coroutine_vectorcall } else { expiring_vectorcall };
    // SAFETY: this function's own arguments.
    unsafe { remote::quick::<C>(callable, args, nargsf, kwnames, slow) }
}

fn clocked_function<const COROUTINE: bool, const IGNORING: bool>(policy: &Policy) -> py::vectorcallfunc {
    match policy.options.clock {
        Clock::Unused if policy.quick => quick_vectorcall::<NoClock, COROUTINE, IGNORING>,
        Clock::Coarse if policy.quick => quick_vectorcall::<CoarseClock, COROUTINE, IGNORING>,
        Clock::Exact if policy.quick => quick_vectorcall::<ExactClock, COROUTINE, IGNORING>,
        _ if COROUTINE => coroutine_vectorcall,
        _ => expiring_vectorcall,
    }
}
