//! Calls that have begun: of caches with options, of shared ones, and of `cache_refresh`.
//!
//! What is on the C stack while the function runs is there once for each level of a recursion. So such a call has three parts: a
//! function that does all that comes before, which has returned when the function is called; the call itself, from a small frame;
//! and a function that does all that comes after. What the last has to know of the first is [`Begun`].

pub(in crate::py) use crate::backend::Words;
use crate::core::hash::Hash;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, thread, to_slot};
use crate::py::cache::Cache;
use crate::py::cache::capacity::Bound;
use crate::py::cache::in_flight::LedFlight;
use crate::py::cache::lookup::Seen;
use crate::py::cache::policy::Policy;
use crate::py::entry::StaleEntry;
use crate::py::function::Wrapper;
use crate::py::function::call::remote;
use crate::py::key::Key;
use crate::py::tier::buffers::Buffers;
use crate::py::tier::cache::TieredCache;
use crate::py::tier::lease::HeldLease;
use crate::py::tier::remote::Answer;
use crate::py::tier::source::Source;
use crate::py::tier::{Tier, with_tier};
use pyo3_ffi as py;
use std::mem::MaybeUninit;
use std::ptr;

/// What the first part of a call returns instead of a result: the function is to be called.
pub const CALL: *mut py::PyObject = ptr::without_provenance_mut(1);

/// What is to be done with the function's result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It is stored, unless there is a fresh entry by then.
    New,
    /// It is stored, in the place of any entry.
    Any,
    /// It is not stored.
    Not,
    /// It is not stored, and may be of any kind: the cache stores nothing.
    Never,
}

/// A call whose function is to be called, or is being called.
pub struct Begun {
    /// Of the key, in a cache in memory.
    pub hash: Hash,
    /// What the option `key` has returned, if there is one.
    pub made: Option<Owned>,
    /// The key, as a tier has it.
    pub bytes: Option<Buffers>,
    /// What others expect of this call.
    pub owed: Option<Box<Owed>>,
    /// What is to be done with the result.
    pub keep: Keep,
    /// The keys that it has compared itself with, in a cache in memory.
    pub seen: Seen,
    /// With a server behind: whether this is a call, which is counted when that has answered.
    pub counts: bool,
}

/// What others expect of a call, whatever comes of it.
#[derive(Default)]
pub struct Owed {
    /// The stale entry that it is to replace.
    pub old: Option<StaleEntry>,
    /// The flight that it leads.
    pub flight: Option<LedFlight>,
    /// The lease of the tier's that it holds.
    pub lease: Option<HeldLease>,
}

impl Owed {
    /// In a box of its own, if there is anything.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self.old.is_some() || self.flight.is_some() || self.lease.is_some()).then(|| Box::new(self))
    }

    fn lease_words(&self) -> Option<Words> {
        self.lease.as_ref().map(|(lease, _holding)| *lease)
    }

    /// Whether the result may be stored: see [`LedFlight::may_store`].
    fn may_store(&self, policy: &Policy) -> bool {
        match (&self.flight, &policy.flights) {
            (Some(flight), Some(flights)) => flight.may_store(flights),
            _ => true,
        }
    }

    /// If a stale entry is still there, because of an error or because the result was not stored, another caller is to try. Reenters:
    /// finalizers.
    pub fn give_up_refresh(&mut self, tier: Option<&Tier>) {
        let old = self.old.take();
        if let Some(old) = &old {
            old.give_up_refresh(|version| tier.into_iter().for_each(|tier| tier.give_up_refresh(version)));
        }
        // The exception that is set, if any, is the caller's.
        thread::with_exception_aside(|| drop(old));
    }

    /// Gives all that is owed, with this result, and returns it. Reenters: finalizers, and where greenlets wait, their library.
    pub fn settle(&mut self, policy: &Policy, tier: Option<&Tier>, result: Result<Owned>) -> Result<Owned> {
        self.give_up_refresh(tier);
        // Before the flight, so that a caller of this process whom it wakes finds no lease of its own.
        self.end_lease(tier);
        match (self.flight.take(), &policy.flights) {
            (Some(flight), Some(flights)) => flight.land(flights, result),
            _ => result,
        }
    }

    fn end_lease(&mut self, tier: Option<&Tier>) {
        if let Some((lease, _holding)) = self.lease.take()
            && let Some(tier) = tier
        {
            tier.end_lease(lease);
        }
    }
}

/// What the first part of a call has come to.
pub enum Next {
    /// This is the call's result.
    Return(Owned),
    /// The function is to be called.
    Call(Begun),
}

impl Next {
    /// As the first part of a call returns it.
    #[inline(always)]
    pub fn to_slot(next: Result<Self>, place: &mut MaybeUninit<Begun>) -> *mut py::PyObject {
        match next {
            Ok(Self::Return(value)) => value.into_ptr(),
            Ok(Self::Call(begun)) => {
                place.write(begun);
                CALL
            }
            Err(_raised) => ptr::null_mut(),
        }
    }
}

/// A call in three parts. Reenters: as `begin`, the function, and as [`end`].
///
/// # Safety
/// Vectorcall's own arguments, of a wrapper.
#[inline(always)]
pub unsafe fn in_parts(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    begin: impl FnOnce(&mut MaybeUninit<Begun>) -> *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: as the caller says.
    let this = unsafe { Wrapper::of(callable) };
    let _alive = this.keep_alive();
    let mut begun = MaybeUninit::uninit();
    let answer = begin(&mut begun);
    if answer != CALL {
        return answer;
    }
    let result = if this.is_remote() {
        // SAFETY: written by `begin`.
        let begun = unsafe { begun.assume_init_ref() };
        // SAFETY: as the caller says.
        unsafe { remote::fetch(callable, args, nargsf, kwnames, (begun.made.as_ref(), begun.keep == Keep::Any)) }
    } else {
        // SAFETY: as the caller says.
        unsafe { this.call_in_place(args, nargsf, kwnames) }
    };
    // SAFETY: as the caller says; written by `begin`, and what the function returned.
    unsafe { end(callable, args, nargsf, kwnames, &begun, result) }
}

/// The last part of a call. Reenters: as [`Wrapper::end_call`].
///
/// # Safety
/// Vectorcall's own arguments, of a wrapper that the caller holds; a call that has begun, which is not used any more; and the function's
/// result, a new reference, or null with an exception set.
#[inline(never)]
unsafe fn end(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    begun: &MaybeUninit<Begun>,
    result: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: as the caller says.
    let this = unsafe { Wrapper::of(callable) };
    // SAFETY: as the caller says.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    // SAFETY: as the caller says.
    let begun = unsafe { begun.assume_init_read() };
    // SAFETY: as the caller says.
    to_slot(this.end_call(&args, begun, unsafe { Owned::from_call(result) }))
}

impl Wrapper {
    /// What a call returns whose function has returned, or raised. Reenters: options, `__eq__` of keys, pickle or the serializer,
    /// finalizers.
    fn end_call(&self, args: &CallArgs<'_>, mut begun: Begun, result: Result<Owned>) -> Result<Owned> {
        let keep = begun.keep;
        let Some(policy) = self.policy() else { return self.end_plain(args, begun.hash, keep, result) };
        if keep == Keep::Never {
            return if policy.options.coroutine { result } else { result.and_then(|value| policy.copied(value)) };
        }
        let stored = match result {
            Ok(answer) if policy.remote.is_some() => self.keep_answered(policy, args, &begun, answer.borrow()),
            Ok(value) => self.keep_result(policy, args, &mut begun, value),
            Err(raised) => {
                if begun.counts && policy.remote.is_some() {
                    self.count_answer(policy, None);
                }
                match keep {
                    Keep::New => self.instead_of_error(policy, args, &mut begun, raised),
                    _ => Err(raised),
                }
            }
        };
        let result = match begun.owed {
            Some(mut owed) => owed.settle(policy, self.tier(), stored),
            None => stored,
        };
        thread::with_exception_aside(|| drop((begun.made, begun.seen)));
        // When all has been given to others, so that nobody waits for a copy that is not theirs.
        result.and_then(|value| policy.copied(value))
    }

    /// Stores what the function has returned, if it may. Reenters: as [`Wrapper::end_call`].
    fn keep_result(&self, policy: &Policy, args: &CallArgs<'_>, begun: &mut Begun, value: Owned) -> Result<Owned> {
        let value = self.unless_coroutine(value)?;
        if begun.keep == Keep::Not || begun.owed.as_ref().is_some_and(|owed| !owed.may_store(policy)) {
            return Ok(value);
        }
        let replace = begun.keep == Keep::Any;
        match (self.tier(), begun.bytes.take()) {
            (Some(tier), Some(bytes)) => {
                let lease = begun.owed.as_ref().and_then(|owed| owed.lease_words());
                with_tier!(tier, |tier| keep_behind(self.tiered(policy, tier), bytes, &value, replace, lease))
            }
            _ => policy.with_made(begun.made.as_ref(), args, |key_args| {
                self.keep_computed(policy, key_args, begun.hash, &value, replace, &begun.seen)
            }),
        }?;
        Ok(value)
    }

    /// The value that the tier has answered, which the near cache then has, too, if it may. Reenters: as [`Wrapper::end_call`].
    fn keep_answered(
        &self,
        policy: &Policy,
        args: &CallArgs<'_>,
        begun: &Begun,
        answer: Borrowed<'_>,
    ) -> Result<Owned> {
        let answer = Answer::of(answer)?;
        if begun.counts {
            self.count_answer(policy, Some(answer.origin));
        }
        if begun.keep != Keep::Not && begun.owed.as_ref().is_none_or(|owed| owed.may_store(policy)) {
            policy.with_made(begun.made.as_ref(), args, |key_args| {
                self.keep_answer(policy, key_args, begun.hash, &answer, &begun.seen)
            })?;
        }
        Ok(answer.value)
    }

    /// What is returned where the function has raised, if an entry past its time may be; if not, the exception stays. Reenters: options,
    /// `__eq__` of keys, pickle or the serializer.
    #[cold]
    fn instead_of_error(
        &self,
        policy: &Policy,
        args: &CallArgs<'_>,
        begun: &mut Begun,
        raised: Raised,
    ) -> Result<Owned> {
        let Some((owed, old)) = begun.owed.as_ref().and_then(|owed| owed.old.as_ref().map(|old| (owed, old))) else {
            return Err(raised);
        };
        match (self.tier(), begun.bytes.take()) {
            (Some(tier), Some(bytes)) => with_tier!(tier, |tier| {
                let no_args = CallArgs::of_positional(&[]);
                let request = self.tiered(policy, tier).request_of_bytes(&no_args, bytes);
                match request {
                    Ok(request) => request.instead_of_error(old, owed.lease_words().map(Into::into), raised),
                    Err(other) => Err(other),
                }
            }),
            _ => policy.with_made(begun.made.as_ref(), args, |key_args| {
                Cache::instead_of_error(self, policy, key_args, begun.hash, old, &begun.seen, raised)
            }),
        }
    }

    /// The end of `cache_refresh` without options. Reenters: `__eq__` of keys, finalizers.
    fn end_plain(&self, args: &CallArgs<'_>, hash: Hash, keep: Keep, result: Result<Owned>) -> Result<Owned> {
        if keep == Keep::Never {
            return result;
        }
        let value = self.unless_coroutine(result?)?;
        self.keep(args, hash, (Key::new(args, self.kind)?, value.clone()), true)?;
        Ok(value)
    }

    /// The first part of `cache_refresh`. Reenters: `__hash__` of arguments, `key`, pickle or the serializer.
    pub(in crate::py) fn begin_refresh(&self, args: &CallArgs<'_>) -> Result<Next> {
        let keep = if self.bound.get() == Bound::Off && !self.is_remote() { Keep::Never } else { Keep::Any };
        let begun =
            |hash| Begun { hash, made: None, bytes: None, owed: None, keep, seen: Seen::default(), counts: false };
        match self.policy() {
            _ if keep == Keep::Never => Ok(Next::Call(begun(Hash::of(0)))),
            Some(policy) if policy.options.coroutine => self.refresh_coroutine(policy, args).map(Next::Return),
            Some(policy) => match self.tier() {
                Some(tier) => {
                    with_tier!(tier, |tier| begin_refresh_behind(self.tiered(policy, tier), args)).map(Next::Call)
                }
                None => {
                    let made = policy.make_key(args)?;
                    let hash = policy.with_made(made.as_ref(), args, |key_args| self.hash_of(args, key_args))?;
                    Ok(Next::Call(Begun { made, ..begun(hash) }))
                }
            },
            // First, so that a function is not called for arguments under which nothing can be stored.
            None => Ok(Next::Call(begun(self.hash_of(args, args)?))),
        }
    }
}

/// Stores a computed value under a key that has these bytes. Reenters: `ttl`, pickle or the serializer, filters of warnings,
/// `sys.unraisablehook`.
fn keep_behind<S: Source>(
    cache: TieredCache<'_, S>,
    bytes: Buffers,
    value: &Owned,
    replace: bool,
    lease: Option<Words>,
) -> Result<()> {
    let no_args = CallArgs::of_positional(&[]);
    cache.request_of_bytes(&no_args, bytes)?.keep_computed(value, replace, lease.map(Into::into))
}

/// The first part of `cache_refresh` with a tier. Reenters: `key`, pickle or the serializer.
fn begin_refresh_behind<S: Source>(cache: TieredCache<'_, S>, args: &CallArgs<'_>) -> Result<Begun> {
    cache.with_request(args, |request| {
        let keep = if request.is_some() { Keep::Any } else { Keep::Not };
        let bytes = request.map(|request| request.bytes);
        Ok(Begun { hash: Hash::of(0), made: None, bytes, owed: None, keep, seen: Seen::default(), counts: false })
    })
}
