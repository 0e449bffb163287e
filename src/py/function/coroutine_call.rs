//! A call of a cached coroutine function that has something left to do: what it holds, and what it asks of its cache. Its steps are
//! in `coroutine_steps.rs`, and what Python code sees of it in `coroutine_protocol.rs` and `coroutine_attributes.rs`.
//!
//! It is no Python coroutine around the function's own, which would cost each level of recursion one more Python frame, and more of
//! the stack.

use crate::backend::{Backend, Lease, NoWait, Waited, Words};
use crate::core::hash::Hash;
use crate::core::{OutOfMemory, boxed};
use crate::ffi::exact::{Bytes, Exact};
use crate::ffi::method_table::Receiver;
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call, thread, types};
use crate::py::cache::in_flight;
use crate::py::cache::lookup::Seen;
use crate::py::cache::policy::Policy;
use crate::py::coroutine_object;
use crate::py::entry::StaleEntry;
use crate::py::flight::deadlock::LeaseHolder;
use crate::py::flight::task::TaskLeader;
use crate::py::function::Wrapper;
use crate::py::function::coroutine_stage::{KeptArgs, NEW, Stage, THROUGH, Task};
use crate::py::tier::cache::TieredCache;
use crate::py::tier::lease::HeldLease;
use crate::py::tier::request::TierRequest;
use crate::py::tier::source::Source;
use crate::py::tier::{AnyWait, TierKind, with_tier};
use crate::state::State;
use pyo3_ffi as py;
use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whose the region's lease of a call's key is.
pub(in crate::py) enum LeaseAnswer {
    /// The call's, which computes.
    Own,
    /// Another process's, which computes.
    Anothers,
    /// Another thread or process holds the region's lock at this moment.
    Busy,
    /// There is none to be had.
    Nobodys,
}

/// A call whose result is to be computed. Whoever makes a step of it has set `running`, so that there is one step at a time.
pub(in crate::py) struct CoroutineCall {
    pub(in crate::py) wrapper: Owned,
    pub(in crate::py) task: Task,
    pub(in crate::py) hash: Hash,
    /// Who made it, if somebody wanted to know: see `sys.set_coroutine_origin_tracking_depth`.
    pub(in crate::py) origin: Owned,
    pub(in crate::py) running: AtomicBool,
    /// [`NEW`], [`BEGUN`] or [`THROUGH`].
    pub(in crate::py) phase: AtomicU8,
    /// What is being awaited: a reference of this call's own, or null. Changed in steps, under the lock of `held`.
    awaited: AtomicPtr<py::PyObject>,
    held: Mutex<Contents>,
    /// The lease of the tier's that it holds, with `single_flight` over processes.
    lease: Cell<Option<HeldLease>>,
    /// The keys that it has compared itself with, in a cache in memory.
    pub(in crate::py) seen: Seen,
    /// What it has seen of another process's lease that it waits for.
    waits: Cell<Option<AnyWait>>,
}

/// What a call holds until it is through. Nothing runs under its lock, and what is taken out is dropped behind it. Only who makes a
/// step counts the references to arguments.
struct Contents {
    /// The instance of a cached method, which lives on until its coroutine is through, as with any method.
    instance: Option<Owned>,
    args: Option<Rc<KeptArgs>>,
    /// None if they are the same.
    key_args: Option<Rc<KeptArgs>>,
    /// The stale entry that this call is to replace.
    old: Option<StaleEntry>,
    stage: Stage,
}

impl CoroutineCall {
    /// One that has not begun. `args` are those of the call, and those that make its key.
    pub(in crate::py) fn new(
        wrapper: &Wrapper,
        task: Task,
        (args, key_args): (&CallArgs<'_>, &CallArgs<'_>),
        hash: Hash,
        old: Option<StaleEntry>,
        seen: Seen,
    ) -> Result<Self> {
        let same = ptr::eq(args.values(), key_args.values());
        let held = Contents {
            instance: wrapper.live_instance()?,
            args: Some(Rc::new(KeptArgs::of(args))),
            key_args: (!same).then(|| Rc::new(KeptArgs::of(key_args))),
            old,
            stage: Stage::New,
        };
        Ok(Self {
            wrapper: wrapper.as_object().to_owned(),
            task,
            hash,
            origin: build::none(),
            running: AtomicBool::new(false),
            phase: AtomicU8::new(NEW),
            awaited: AtomicPtr::new(ptr::null_mut()),
            held: Mutex::new(held),
            lease: Cell::new(None),
            seen,
            waits: Cell::new(None),
        })
    }

    fn held(&self) -> MutexGuard<'_, Contents> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is being awaited, or null. It stays until whoever makes a step changes it.
    #[inline(always)]
    pub(in crate::py) fn awaited_ptr(&self) -> *mut py::PyObject {
        // Relaxed: changed by whoever makes a step alone, and `running` orders the steps.
        self.awaited.load(Ordering::Relaxed)
    }

    /// What is being awaited, for anybody.
    pub(in crate::py) fn awaited(&self) -> Option<Owned> {
        let _held = self.held();
        let pointer = ptr::NonNull::new(self.awaited_ptr())?;
        // SAFETY: this call's own reference, which stays as long as the lock is held.
        Some(unsafe { Borrowed::from_ptr(pointer.as_ptr()) }.to_owned())
    }

    /// From now on it is in this stage, and awaits this. For steps.
    pub(in crate::py) fn awaits(&self, stage: Stage, awaited: Owned) {
        let mut held = self.held();
        let (before, pointer) = (std::mem::replace(&mut held.stage, stage), awaited.into_ptr());
        let old = self.awaited.swap(pointer, Ordering::Relaxed);
        drop(held);
        debug_assert!(old.is_null());
        drop(before);
    }

    /// The stage that it was in, which ends here, together with what was awaited. Reenters: finalizers. For steps.
    pub(in crate::py) fn take_stage(&self) -> Stage {
        let mut held = self.held();
        let stage = std::mem::replace(&mut held.stage, Stage::NotWaiting);
        let awaited = self.awaited.swap(ptr::null_mut(), Ordering::Relaxed);
        drop(held);
        if let Some(awaited) = ptr::NonNull::new(awaited) {
            // SAFETY: this call's own reference.
            let awaited = unsafe { Owned::from_ptr(awaited.as_ptr()) };
            thread::with_exception_aside(|| drop(awaited));
        }
        stage
    }

    /// It is through: lets everything go that it held for its steps. Reenters: finalizers.
    pub(in crate::py) fn end(&self) {
        self.phase.store(THROUGH, Ordering::Relaxed);
        thread::with_exception_aside(|| {
            self.give_up_refresh();
            self.end_lease();
            // In flight only if what it awaited refuses to end.
            if let Stage::Computing(Some(leader)) | Stage::WaitingForLease(leader, _) = self.take_stage() {
                drop(self.land(leader, Err(Raised::new(Kind::GeneratorExit, c""))).map_err(Raised::take));
            }
            let mut held = self.held();
            let gone = (held.instance.take(), held.args.take(), held.key_args.take());
            drop(held);
            drop((gone, self.seen.take()));
        });
    }

    /// Shows the collector all that it holds. Nobody makes a step meanwhile, unless it is the one that the collector runs in, and that
    /// holds itself what it has taken out.
    pub(in crate::py) fn with_held(
        &self,
        show: impl FnOnce(&[*mut py::PyObject]) -> std::ffi::c_int,
    ) -> std::ffi::c_int {
        let Ok(held) = self.held.try_lock() else { return 0 };
        let stage = match &held.stage {
            Stage::Computing(Some(leader)) | Stage::WaitingForLease(leader, _) => Some(leader.held()),
            Stage::Following(wait) => Some(wait.held()),
            Stage::New | Stage::Computing(None) | Stage::Refreshing | Stage::NotWaiting => None,
        };
        // What is stale lies in an entry, which the wrapper shows.
        let args = held.args.iter().chain(&held.key_args).flat_map(|kept| kept.held());
        let own = [&self.wrapper, &self.origin].into_iter().chain(&held.instance).chain(args);
        let all = own.chain(stage.into_iter().flatten()).map(Owned::as_ptr);
        let all: Vec<_> = all.chain([self.awaited_ptr()]).collect();
        let seen = RefCell::new(all);
        self.seen.visit(|object| {
            seen.borrow_mut().push(object);
            0
        });
        show(&seen.into_inner())
    }

    /// If the stale entry is still there, another caller is to try.
    pub(in crate::py) fn give_up_refresh(&self) {
        let old = self.take_old();
        if let Some(old) = &old {
            old.give_up_refresh(|version| self.wrapper().give_up_in_tier(version));
        }
        thread::with_exception_aside(|| drop(old));
    }

    /// The stale entry that this call is to replace, which `put_back_old` gives back.
    pub(in crate::py) fn take_old(&self) -> Option<StaleEntry> {
        self.held().old.take()
    }

    /// See [`CoroutineCall::take_old`].
    pub(in crate::py) fn put_back_old(&self, old: StaleEntry) {
        self.held().old = Some(old);
    }

    /// Asks for the tier's lease of this key. Never sleeps: this may be an event loop's thread.
    pub(in crate::py) fn lease(&self) -> Result<LeaseAnswer> {
        let Some((policy, tier)) = self.wrapper().behind() else { return Ok(LeaseAnswer::Nobodys) };
        with_tier!(tier, |tier| self.lease_behind(self.wrapper().tiered(policy, tier)))
    }

    fn lease_behind<S: TierKind>(&self, cache: TieredCache<'_, S>) -> Result<LeaseAnswer> {
        let who = self.state()?.threads.current()?;
        let ask = |gone| self.with_request(cache, |request| Ok(request.lease(gone, &NoWait)));
        let backend = cache.tier.backend();
        let mut lease = ask(None)?;
        if let Lease::Theirs(id) = lease {
            let known = self.waits.take().and_then(S::own_wait).filter(|(waited, _)| *waited == id);
            let mut wait = known.map_or_else(|| backend.begin_wait(id), |(_, wait)| wait);
            match backend.look_at_lease(&mut wait) {
                Waited::OwnerGone(gone) => lease = ask(Some(gone))?,
                Waited::Enough => return Ok(LeaseAnswer::Nobodys),
                Waited::Over | Waited::StillRunning => self.waits.set(Some(S::any_wait(id, wait))),
            }
        }
        Ok(match lease {
            Lease::Mine(lease) => {
                self.lease.set(Some((lease.into(), LeaseHolder::begin(who))));
                LeaseAnswer::Own
            }
            Lease::Theirs(_) => LeaseAnswer::Anothers,
            Lease::Busy => LeaseAnswer::Busy,
            Lease::Full | Lease::Ours(_) => LeaseAnswer::Nobodys,
        })
    }

    /// The lease that it has, as its backend knows it.
    pub(in crate::py) fn lease_words(&self) -> Option<Words> {
        let lease = self.lease.take();
        let words = lease.as_ref().map(|(lease, _holder)| *lease);
        self.lease.set(lease);
        words
    }

    /// Gives the lease back, if it has one.
    pub(in crate::py) fn end_lease(&self) {
        if let Some((lease, _holder)) = self.lease.take()
            && let Some(tier) = self.wrapper().tier()
        {
            tier.end_lease(lease);
        }
    }

    pub(in crate::py) fn wrapper(&self) -> &Wrapper {
        // SAFETY: a wrapper, held by this object.
        unsafe { Wrapper::of(self.wrapper.as_ptr()) }
    }

    pub(in crate::py) fn state(&self) -> Result<&State> {
        State::of_instance(self.wrapper().as_object())
    }

    pub(in crate::py) fn policy(&self) -> Result<&Policy> {
        self.wrapper().policy().ok_or_else(|| Raised::type_error(c"this cache is no cache of a coroutine function"))
    }

    /// Runs `work` on the call of a cache with a tier: its key is the one positional argument then.
    pub(in crate::py) fn with_request<S: Source, R>(
        &self,
        cache: TieredCache<'_, S>,
        work: impl FnOnce(&TierRequest<'_, S>) -> Result<R>,
    ) -> Result<R> {
        self.with_key_args(|key_args| {
            let key = key_args.single().and_then(Exact::<Bytes>::of);
            let Some(key) = key else { unreachable!("made by `Wrapper::coroutine_of`") };
            work(&cache.request_of_key(key_args, key.content().to_vec())?)
        })
    }

    /// Runs `work` on the arguments that make the key, in a call that is not through.
    pub(in crate::py) fn with_key_args<R>(&self, work: impl FnOnce(&CallArgs<'_>) -> Result<R>) -> Result<R> {
        let held = self.held();
        let kept = held.key_args.as_ref().or(held.args.as_ref()).map(Rc::clone);
        drop(held);
        kept.map_or_else(|| Err(is_through()), |kept| kept.with(work))
    }

    /// What the function returns: something to be awaited. Reenters: the function.
    pub(in crate::py) fn call_function(&self) -> Result<Owned> {
        let args = self.held().args.as_ref().map(Rc::clone).ok_or_else(is_through)?;
        let Some(policy) = self.remote_policy() else { return args.with(|args| self.wrapper().call_function(args)) };
        let refresh = matches!(self.task, Task::Refresh);
        self.with_key_args(|key_args| args.with(|args| self.wrapper().fetch(policy, key_args, args, refresh)))
    }

    /// The options, where a server stands behind the cache.
    pub(in crate::py) fn remote_policy(&self) -> Option<&Policy> {
        self.wrapper().policy().filter(|policy| policy.remote.is_some())
    }

    /// Stores the value, in the place of a fresh one if it is to `replace` that. Reenters: as `Cache::keep_computed`,
    /// and as [`coroutine_object::refuse_awaited`].
    pub(in crate::py) fn store(&self, value: &Owned, replace: bool) -> Result<()> {
        coroutine_object::refuse_awaited(value.borrow())?;
        if let Some((policy, tier)) = self.wrapper().behind() {
            let words = self.lease_words();
            return with_tier!(tier, |tier| {
                let cache = self.wrapper().tiered(policy, tier);
                self.with_request(cache, |request| request.keep_computed(value, replace, words.map(Into::into)))
            });
        }
        let policy = self.policy()?;
        self.with_key_args(|key_args| {
            self.wrapper().keep_computed(policy, key_args, self.hash, value, replace, &self.seen)
        })
    }

    /// Ends the flight with this result, which all who wait for it get as well. Reenters: methods of loops and their futures.
    pub(in crate::py) fn land(&self, leader: TaskLeader, result: Result<Owned>) -> Result<Owned> {
        self.end_lease();
        let flights = self.wrapper().policy().and_then(|policy| policy.flights.as_ref());
        in_flight::land(flights, self.hash, leader, result)
    }
}

fn is_through() -> Raised {
    Raised::type_error(c"this call is through")
}

impl Drop for CoroutineCall {
    fn drop(&mut self) {
        // A coroutine that was never awaited leaves the refresh to others.
        self.end();
    }
}

/// A call of a cached coroutine function that has not been made, is being made, or is through.
#[repr(C)]
pub(in crate::py) struct Coroutine {
    _ob_base: py::PyObject,
    /// What CPython writes to.
    pub(in crate::py) weakrefs: *mut py::PyObject,
    /// None, which is zero, before it is written, in what the collector sees.
    pub(in crate::py) call: Option<Box<CoroutineCall>>,
}

impl Coroutine {
    /// A coroutine for this call. Reenters: where somebody wants to know who makes coroutines, an import.
    pub(in crate::py) fn create(state: &State, mut call: CoroutineCall) -> Result<Owned> {
        call.origin = origin(state)?;
        let call = Some(boxed(call).map_err(|OutOfMemory| Raised::no_memory())?);
        let offset = std::mem::offset_of!(Self, call);
        // SAFETY: the type that `coroutine_protocol::make_type` has made, and the field of its instances.
        unsafe { types::plain_instance(state.types.coroutine_call.borrow(), call, offset) }
    }
}

/// What `cr_origin` is of a coroutine that is made now.
fn origin(state: &State) -> Result<Owned> {
    let depth = call::with(state.origin_depth.borrow(), &[])?;
    if !depth.borrow().is_true()? {
        return Ok(build::none());
    }
    call::with(call::import(c"tamis._async", c"origin")?.borrow(), &[depth.borrow()])
}

// SAFETY: an instance of the type in whose table the method is holds the call, for as long as it stands.
unsafe impl<'a> Receiver<'a> for &'a CoroutineCall {
    #[inline(always)]
    unsafe fn of(object: Borrowed<'a>) -> Self {
        // SAFETY: an instance of this type, as the caller says.
        let call = unsafe { &(*object.as_ptr().cast::<Coroutine>()).call };
        let Some(call) = call else { unreachable!("written before anybody knows the object") };
        call
    }
}
