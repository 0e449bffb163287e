//! Calls of cached coroutine functions. A hit returns a coroutine that is through (`completed.rs`). Where there is something left to
//! do, the caller gets a coroutine of ours: see `coroutine_call.rs`.

use crate::core::hash::Hash;
use crate::core::view::Hit;
use crate::ffi::compare::Verdict;
use crate::ffi::{CallArgs, Owned, Result, to_slot};
use crate::py::cache::expiring_ops::{Found, Read};
use crate::py::cache::policy::{Policy, entry};
use crate::py::entry::StaleEntry;
use crate::py::function::Wrapper;
use crate::py::function::coroutine_call::{Coroutine, CoroutineCall};
use crate::py::function::coroutine_stage::Task;
use crate::py::key;
use crate::py::key::{Key, KeyKind};
use crate::py::tier::near;
use crate::py::tier::region::Shared;
use crate::py::tier::request::{Look, TierRequest, When};
use crate::state::State;
use pyo3_ffi as py;

/// A call of a cached coroutine function. Reenters: options, `__hash__` and `__eq__` of arguments.
#[inline(never)]
pub unsafe extern "C" fn coroutine_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    let _alive = this.keep_alive();
    this.store.register_thread(this.owner());
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    to_slot(this.call_coroutine(&args))
}

impl Wrapper {
    fn call_coroutine(&self, args: &CallArgs<'_>) -> Result<Owned> {
        let Some(policy) = self.policy() else { unreachable!("this function is for wrappers with options") };
        if let Some(shared) = &policy.shared {
            return self.call_coroutine_shared(policy, shared, args);
        }
        policy.with_key_args(args, |key_args| {
            let hash = self.hash_of(args, key_args)?;
            let now = policy.options.now()?;
            let same = |key: &Key| key.compare(key_args, self.kind) == Verdict::Same;
            let old = match self.store.hit_with(hash, same, |object| entry(object).read(now)) {
                Hit::Value(inside) => return policy.awaitable(inside),
                _ => match self.locate(hash, key_args, &mut Read { policy, now })? {
                    Found::Fresh(inside) | Found::Stale(inside) => {
                        self.store.count_hit();
                        return policy.awaitable(inside);
                    }
                    Found::Refresh(old) => Some(StaleEntry::InMemory(old)),
                    Found::Absent => None,
                    Found::Undecided => {
                        self.store.count_miss();
                        return self.call_function(args);
                    }
                },
            };
            self.coroutine(Task::Run, args, key_args, hash, old)
        })
    }

    /// `cache_refresh` of a coroutine function: a coroutine. Reenters: as a call.
    pub fn refresh_coroutine(&self, policy: &Policy, args: &CallArgs<'_>) -> Result<Owned> {
        if let Some(shared) = &policy.shared {
            return self.refresh_coroutine_shared(policy, shared, args);
        }
        policy.with_key_args(args, |key_args| {
            let hash = self.hash_of(args, key_args)?;
            self.coroutine(Task::Refresh, args, key_args, hash, None)
        })
    }

    /// A coroutine that computes.
    fn coroutine(
        &self,
        task: Task,
        args: &CallArgs<'_>,
        key_args: &CallArgs<'_>,
        hash: Hash,
        old: Option<StaleEntry>,
    ) -> Result<Owned> {
        let state = State::of_instance(self.as_object())?;
        Coroutine::create(state, CoroutineCall::new(self, task, (args, key_args), hash, old)?)
    }

    /// A call of a coroutine function. Reenters: as [`Wrapper::call_shared`], but for the function.
    fn call_coroutine_shared(&self, policy: &Policy, shared: &Shared, args: &CallArgs<'_>) -> Result<Owned> {
        policy.with_key_args(args, |key_args| {
            let near = near::hash(key_args, self.kind)?;
            if let Some(hash) = near {
                let now = policy.options.now()?;
                if let Some(value) = self.near_value(policy, shared, key_args, hash, now)? {
                    shared.count(true);
                    return policy.wrap(&policy.copied(value)?);
                }
            }
            match TierRequest::new(self, policy, shared, key_args, near)? {
                Some(request) => request.answer_coroutine(args),
                None => {
                    shared.count(false);
                    shared.tally(|counters| &counters.oversize);
                    self.call_function(args)
                }
            }
        })
    }

    /// `cache_refresh` of a coroutine function: a coroutine. Reenters: as a call.
    fn refresh_coroutine_shared(&self, policy: &Policy, shared: &Shared, args: &CallArgs<'_>) -> Result<Owned> {
        self.with_request(policy, shared, args, |request| match request {
            Some(request) => request.coroutine(Task::Refresh, args, None),
            None => self.call_function(args),
        })
    }
}

impl TierRequest<'_> {
    /// What the call of a coroutine function returns: a coroutine that is through, or one that computes. Reenters: options,
    /// and as [`TierRequest::look`].
    fn answer_coroutine(&self, args: &CallArgs<'_>) -> Result<Owned> {
        let now = When::of(self.policy)?;
        let stale = match self.look(now)? {
            Look::Fresh(value) => {
                self.shared.count(true);
                return self.policy.wrap(&self.policy.copied(value)?);
            }
            Look::Stale(value, token) => {
                if !self.claims(token, now) {
                    return self.policy.wrap(&self.policy.copied(value)?);
                }
                Some(StaleEntry::InRegion(token))
            }
            Look::Absent => None,
        };
        self.coroutine(Task::Run, args, stale)
    }

    /// A coroutine that computes. It goes by the key's bytes as its one argument.
    fn coroutine(&self, task: Task, args: &CallArgs<'_>, stale: Option<StaleEntry>) -> Result<Owned> {
        let key = self.key_object()?;
        let values = [key.borrow()];
        let key_args = CallArgs::of_positional(&values);
        let hash = key::hash::hash(&key_args, KeyKind::Call)?;
        self.wrapper.coroutine(task, args, &key_args, hash, stale)
    }
}
