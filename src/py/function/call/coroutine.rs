//! Calls of cached coroutine functions. A hit returns a coroutine that is through (`completed.rs`). Where there is something left to
//! do, the caller gets a coroutine of ours: see `coroutine_call.rs`.

pub(in crate::py) use crate::core::hash::Hash;
use crate::ffi::sync::StoreLock;
use crate::ffi::{CallArgs, Owned, Result, to_slot};
use crate::py::cache::expiring_ops::Found;
use crate::py::cache::lookup::Seen;
use crate::py::cache::policy::Policy;
use crate::py::entry::{StaleEntry, StalePlace};
use crate::py::function::Wrapper;
use crate::py::function::coroutine_call::{Coroutine, CoroutineCall};
use crate::py::function::coroutine_stage::Task;
use crate::py::function::coroutine_steps::running_loop;
use crate::py::key;
use crate::py::key::KeyKind;
use crate::py::options::Background;
use crate::py::tier::cache::TieredCache;
use crate::py::tier::request::{Answer, TierRequest};
use crate::py::tier::source::{Event, Source};
use crate::py::tier::{near, with_tier};
use crate::state::State;
use pyo3_ffi as py;

/// A call of a cached coroutine function. Reenters: options, `__hash__` and `__eq__` of arguments.
///
/// # Safety
/// Vectorcall's own arguments, of a wrapper with options.
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

/// A call of a cached coroutine function of which the hit path has seen that there is no entry: no key has this hash. Reenters: as
/// [`coroutine_vectorcall`], but for `__hash__` of arguments.
///
/// # Safety
/// Vectorcall's own arguments, of a wrapper with options but without `key` and without a tier.
#[inline(never)]
pub unsafe extern "C" fn absent_coroutine_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    hash: Hash,
) -> *mut py::PyObject {
    // SAFETY: as the caller says.
    let this = unsafe { Wrapper::of(callable) };
    let _alive = this.keep_alive();
    this.store.register_thread(this.owner());
    // SAFETY: as the caller says.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    let Some(policy) = this.policy() else { unreachable!("this function is for wrappers with options") };
    to_slot(policy.with_made(None, &args, |key_args| this.coroutine(Task::Run, &args, key_args, hash, None)))
}

/// The loop that is to compute a stale entry anew in a task of its own, if the options ask for that and one runs. Reenters: on rare
/// occasions an import.
fn loop_for_tasks(policy: &Policy) -> Result<Option<Owned>> {
    match policy.options.background {
        Background::Task => running_loop(),
        Background::No | Background::By(_) => Ok(None),
    }
}

impl Wrapper {
    fn call_coroutine(&self, args: &CallArgs<'_>) -> Result<Owned> {
        let Some(policy) = self.policy() else { unreachable!("this function is for wrappers with options") };
        if let Some(tier) = self.tier() {
            return with_tier!(tier, |tier| self.call_behind(self.tiered(policy, tier), args));
        }
        policy.with_key_args(args, |key_args| {
            let hash = self.hash_of(args, key_args)?;
            let now = policy.options.now()?;
            let seen = Seen::default();
            let old = match self.probe(policy, key_args, hash, now, &seen)? {
                Found::Fresh(inside) | Found::Stale(inside) => return policy.awaitable(inside),
                Found::Refresh(old) => {
                    let inside = old.value().clone();
                    let old = StaleEntry::claimed(StalePlace::InMemory(old));
                    let Some(event_loop) = loop_for_tasks(policy)? else {
                        return self.coroutine(Task::Run, args, key_args, hash, Some(old));
                    };
                    self.store.count_hit();
                    policy.stats.count_stale_hit();
                    let coroutine = self.coroutine(Task::Recompute, args, key_args, hash, Some(old))?;
                    Self::give_to_task(&coroutine, &event_loop)?;
                    return policy.awaitable(inside);
                }
                Found::OnError(old) => Some(StaleEntry::unclaimed(StalePlace::InMemory(old))),
                Found::Absent => None,
                Found::Undecided => {
                    self.store.count_miss();
                    return self.call_function(args);
                }
            };
            self.coroutine_with(Task::Run, args, key_args, hash, old, seen)
        })
    }

    /// `cache_refresh` of a coroutine function: a coroutine. Reenters: as a call.
    pub fn refresh_coroutine(&self, policy: &Policy, args: &CallArgs<'_>) -> Result<Owned> {
        if let Some(tier) = self.tier() {
            return with_tier!(tier, |tier| self.refresh_behind(self.tiered(policy, tier), args));
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
        self.coroutine_with(task, args, key_args, hash, old, Seen::default())
    }

    /// As [`Wrapper::coroutine`], for a call that has compared itself with these keys.
    fn coroutine_with(
        &self,
        task: Task,
        args: &CallArgs<'_>,
        key_args: &CallArgs<'_>,
        hash: Hash,
        old: Option<StaleEntry>,
        seen: Seen,
    ) -> Result<Owned> {
        let state = State::of_instance(self.as_object())?;
        Coroutine::create(state, CoroutineCall::new(self, task, (args, key_args), hash, old, seen)?)
    }

    /// A call of a coroutine function with a tier. Reenters: options, pickle or the serializer.
    fn call_behind<S: Source>(&self, cache: TieredCache<'_, S>, args: &CallArgs<'_>) -> Result<Owned> {
        let policy = cache.policy;
        policy.with_key_args(args, |key_args| {
            let near = near::hash(key_args, cache.near.kind)?;
            if let Some(hash) = near
                && let Some(value) = cache.near_value(key_args, hash)?
            {
                cache.tier.count(Event::Hit);
                return policy.wrap(&policy.copied(value)?);
            }
            match cache.request(key_args, near)? {
                Some(request) => match request.answer()? {
                    Answer::Value(value) => policy.wrap(&policy.copied(value)?),
                    Answer::Compute(old) => self.coroutine_of(&request, Task::Run, args, old),
                    Answer::Recompute(value, old) => {
                        let Some(event_loop) = loop_for_tasks(policy)? else {
                            return self.coroutine_of(&request, Task::Run, args, Some(old));
                        };
                        cache.tier.count(Event::StaleHit);
                        cache.tier.count(Event::Hit);
                        let coroutine = self.coroutine_of(&request, Task::Recompute, args, Some(old))?;
                        Self::give_to_task(&coroutine, &event_loop)?;
                        policy.wrap(&policy.copied(value)?)
                    }
                },
                None => {
                    cache.tier.count(Event::Miss);
                    cache.tier.count(Event::Oversize);
                    self.call_function(args)
                }
            }
        })
    }

    /// `cache_refresh` of a coroutine function with a tier: a coroutine. Reenters: as a call.
    fn refresh_behind<S: Source>(&self, cache: TieredCache<'_, S>, args: &CallArgs<'_>) -> Result<Owned> {
        cache.with_request(args, |request| match request {
            Some(request) => self.coroutine_of(&request, Task::Refresh, args, None),
            None => self.call_function(args),
        })
    }

    /// A coroutine that computes. It goes by the key's bytes as its one argument.
    fn coroutine_of<S: Source>(
        &self,
        request: &TierRequest<'_, S>,
        task: Task,
        args: &CallArgs<'_>,
        old: Option<StaleEntry>,
    ) -> Result<Owned> {
        let key = request.key_object()?;
        let values = [key.borrow()];
        let key_args = CallArgs::of_positional(&values);
        let hash = key::hash::hash(&key_args, KeyKind::Call)?;
        self.coroutine(task, args, &key_args, hash, old)
    }
}
