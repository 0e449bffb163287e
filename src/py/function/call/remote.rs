//! Calls of caches with a server behind them. The near cache is the cache in memory, so all but the hit path and the call of the function
//! is as there: in the place of the function the tier is called, and its answer says what there is to keep.

use crate::core::hash::Hash;
use crate::core::view::Hit;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, CallArgs, Owned, Result, to_slot};
use crate::py::cache::Cache;
use crate::py::cache::capacity::Bound;
use crate::py::cache::lookup::Seen;
use crate::py::cache::policy::{Policy, entry};
use crate::py::function::Wrapper;
use crate::py::function::call::plain::is_single;
use crate::py::function::call::probe::{ClockMode, probe};
use crate::py::tier::remote::{Answer, Origin};
use crate::state::State;
use pyo3_ffi as py;

/// The hit path: one argument, a small natural number or the very `str` that is stored, whose near entry stands. All else goes on to
/// `slow`. Reenters: as that.
///
/// # Safety
/// A cached function with a server behind it, and the arguments of a call of it as vectorcall has them, which has not returned.
#[inline(always)]
pub unsafe fn quick<C: ClockMode>(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    slow: py::vectorcallfunc,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    if is_single(nargsf, kwnames)
        && let Some(policy) = this.policy()
    {
        // SAFETY: there is one argument, held by the caller.
        let argument = unsafe { Borrowed::first_of(args) };
        // SAFETY: a value of the store of a cache with options, as the policy says.
        let read = |object: &Owned, now| policy.read(unsafe { entry(object) }, now);
        if let Some((_, Hit::Value(value))) = probe::<C>(&this.store, argument, read) {
            this.store.count_hit();
            return value.into_ptr();
        }
    }
    // SAFETY: this function's own arguments.
    unsafe { slow(callable, args, nargsf, kwnames) }
}

/// In the place of a call of the function: asks the tier. What it answers is for [`Wrapper::keep_answer`]. Reenters: the tier, the
/// function.
///
/// # Safety
/// A cached function with a server behind it, held by the caller, and the arguments of a call of it as vectorcall has them.
#[inline(never)]
pub unsafe fn fetch(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    (made, refresh): (Option<&Owned>, bool),
) -> *mut py::PyObject {
    // SAFETY: as the caller says.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: as the caller says.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    let Some(policy) = this.policy() else { unreachable!("this function is for wrappers with options") };
    to_slot(policy.with_made(made, &args, |key_args| this.fetch(policy, key_args, &args, refresh)))
}

impl Wrapper {
    /// Whether a server stands behind it.
    #[inline(always)]
    pub(in crate::py) fn is_remote(&self) -> bool {
        self.policy().is_some_and(|policy| policy.remote.is_some())
    }

    /// What the tier answers to a call, or a coroutine of that. Reenters: the tier, the function.
    pub(in crate::py) fn fetch(
        &self,
        policy: &Policy,
        key_args: &CallArgs<'_>,
        args: &CallArgs<'_>,
        refresh: bool,
    ) -> Result<Owned> {
        let Some(remote) = &policy.remote else { unreachable!("this function is for caches with a server") };
        remote.fetch(self.as_object(), State::of_instance(self.as_object())?, key_args, args, refresh)
    }

    /// Counts a call that the tier has answered, or of which it or the function has raised.
    pub(in crate::py) fn count_answer(&self, policy: &Policy, origin: Option<Origin>) {
        match origin {
            Some(Origin::Found) => self.store.count_hit(),
            Some(Origin::Stale) => {
                self.store.count_hit();
                policy.stats.count_stale_hit();
            }
            Some(Origin::InsteadOfError) => {
                self.store.count_miss();
                policy.stats.count_error();
            }
            Some(Origin::Computed) | None => self.store.count_miss(),
        }
        if matches!(origin, Some(Origin::Found | Origin::Stale)) {
            policy.stats.count_tier_hit();
        }
    }
}

impl Cache {
    /// Keeps near what the tier has answered, if it is to be kept. Reenters: `weigher`, `__eq__` of keys, `on_evict`, finalizers.
    pub fn keep_answer(
        &self,
        policy: &Policy,
        key_args: &CallArgs<'_>,
        hash: Hash,
        answer: &Answer,
        seen: &Seen,
    ) -> Result<()> {
        if self.bound.get() == Bound::Off {
            return Ok(());
        }
        match policy.terms_of_answer(answer)? {
            Some(terms) => self.keep_on_terms(policy, key_args, hash, &answer.value, terms, (true, seen)).map(drop),
            None => Ok(()),
        }
    }
}
