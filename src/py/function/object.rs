//! The type of what the decorators return: a callable with a cache.

use crate::backend::Words;
use crate::core::hash::Hash;
use crate::ffi::compat::recursion::Level;
use crate::ffi::method_table::Receiver;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call as calls, compat, thread, to_slot};
use crate::py::bound::object::BoundMethod;
use crate::py::cache::Cache;
use crate::py::cache::policy::Policy;
use crate::py::tier::Tier;
use crate::py::tier::cache::TieredCache;
use crate::py::tier::source::Tiered;
use crate::py::{coroutine_object, unhashable};
use crate::state::State;
use pyo3_ffi as py;
use std::cell::UnsafeCell;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A cached function. The fields stand in the order of `wrapper_tp_traverse` and `wrapper_tp_clear`, those that a hit
/// reads first. What CPython writes to lies in cells.
#[repr(C)]
pub struct Wrapper {
    pub(super) ob_base: UnsafeCell<py::PyObject>,
    /// Written by the collector alone, of garbage.
    pub(in crate::py) vectorcall: UnsafeCell<py::vectorcallfunc>,
    pub(in crate::py) parts: Parts,
    pub(in crate::py) dict: UnsafeCell<*mut py::PyObject>,
    pub(in crate::py) weakrefs: UnsafeCell<*mut py::PyObject>,
}

/// What a wrapper is made of besides CPython's own fields. Hits read the first.
#[repr(C)]
pub struct Parts {
    pub(in crate::py) cache: Cache,
    /// Of a cached method's instance: the weak reference to it. It leads to nothing that could lead back here.
    pub(in crate::py) instance: Option<Owned>,
    /// The function, which then is a weak [`BoundMethod`], or None once the collector has taken this object apart.
    pub(in crate::py) function: UnsafeCell<Owned>,
    /// `typed` as it was given, for `cache_parameters`. As `function`, None in the end.
    pub(in crate::py) typed_given: UnsafeCell<Owned>,
    /// What stands behind the cache, which is a near cache then. Written by the collector alone, of garbage.
    pub(in crate::py) tier: UnsafeCell<Option<Box<Tier>>>,
}

impl Deref for Parts {
    type Target = Cache;

    #[inline(always)]
    fn deref(&self) -> &Cache {
        &self.cache
    }
}

impl Deref for Wrapper {
    type Target = Parts;

    #[inline(always)]
    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// The one instance whose cache a wrapper is. The function is then the method on it, weakly bound.
pub struct OfInstance<'a> {
    /// A `weakref.ref` to it.
    pub reference: Owned,
    /// The method, whose first parameter the instance is.
    pub method: Borrowed<'a>,
    /// Whether that is a coroutine function.
    pub coroutine: bool,
}

// SAFETY: an instance is a wrapper, and that is all that it takes.
unsafe impl<'a> Receiver<'a> for &'a Wrapper {
    #[inline(always)]
    unsafe fn of(object: Borrowed<'a>) -> Self {
        // SAFETY: a wrapper, held for `'a`, as the caller says.
        unsafe { Wrapper::of(object.as_ptr()) }
    }
}

impl Wrapper {
    /// Calls a wrapper with arguments as vectorcall has them.
    ///
    /// # Safety
    /// The object is a wrapper, and the arguments are held during the call.
    #[inline(always)]
    pub unsafe fn call_directly(
        object: Borrowed<'_>,
        args: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        // SAFETY: a wrapper, as the caller says.
        let this = unsafe { Self::of(object.as_ptr()) };
        // SAFETY: see the field: nobody calls garbage meanwhile.
        let function = unsafe { *this.vectorcall.get() };
        // SAFETY: its own function, and arguments as it expects them.
        unsafe { function(object.as_ptr(), args, positional, kwnames) }
    }

    /// Its options and what stands behind it, if something does.
    #[inline(always)]
    pub(in crate::py) fn behind(&self) -> Option<(&Policy, &Tier)> {
        // SAFETY: see the field: nobody uses garbage meanwhile.
        let tier = unsafe { &*self.tier.get() }.as_deref()?;
        Some((self.policy()?, tier))
    }

    /// What stands behind it, if something does.
    pub(in crate::py) fn tier(&self) -> Option<&Tier> {
        self.behind().map(|(_policy, tier)| tier)
    }

    /// Gives back the claim to make a stale entry of the tier anew.
    pub(in crate::py) fn give_up_in_tier(&self, version: Words) {
        if let Some(tier) = self.tier() {
            tier.give_up_refresh(version);
        }
    }

    /// The cache with its tier, for a call.
    #[inline(always)]
    pub(in crate::py) fn tiered<'a, S>(&'a self, policy: &'a Policy, tier: &'a Tiered<S>) -> TieredCache<'a, S> {
        TieredCache { owner: self.as_object(), near: &self.cache, policy, tier }
    }

    /// Itself, if threads that call it may make it shared, which may make it immortal: not the cache of one instance.
    #[inline(always)]
    pub(in crate::py) fn owner(&self) -> Option<Borrowed<'_>> {
        self.instance.is_none().then(|| self.as_object())
    }

    /// Whether the cache, a wrapper, is this live instance's, and not that of one which had its address before.
    ///
    /// # Safety
    /// The object is a wrapper.
    #[inline(always)]
    pub unsafe fn is_for(object: Borrowed<'_>, instance: Borrowed<'_>) -> bool {
        // SAFETY: as the caller says.
        unsafe { Self::leads_to(object, instance.as_ptr()) }
    }

    /// Whether the instance whose cache this is, a wrapper, is gone.
    ///
    /// # Safety
    /// As [`Wrapper::is_for`].
    pub unsafe fn has_lost_its_instance(object: Borrowed<'_>) -> bool {
        // SAFETY: set up before any extension is imported.
        let none = unsafe { py::Py_None() };
        // SAFETY: as the caller says. A reference whose object is gone leads to None.
        unsafe { Self::leads_to(object, none) }
    }

    /// # Safety
    /// A wrapper, and a live object.
    #[inline(always)]
    unsafe fn leads_to(object: Borrowed<'_>, instance: *mut py::PyObject) -> bool {
        // SAFETY: as the caller says.
        let this = unsafe { Self::of(object.as_ptr()) };
        let Some(reference) = &this.instance else { return false };
        // SAFETY: a `weakref.ref`, held by the wrapper.
        let place = unsafe { &raw mut (*reference.as_ptr().cast::<py::PyWeakReference>()).wr_object };
        // SAFETY: a pointer's place, which is there as long as the reference.
        let place = unsafe { AtomicPtr::from_ptr(place) };
        // Relaxed: compared alone. It is cleared before its instance's address is free for another.
        place.load(Ordering::Relaxed) == instance
    }

    /// Whether this very reference leads to the instance whose cache this is, a wrapper.
    ///
    /// # Safety
    /// As [`Wrapper::is_for`].
    pub unsafe fn is_known_by(object: Borrowed<'_>, reference: Borrowed<'_>) -> bool {
        // SAFETY: as the caller says.
        let this = unsafe { Self::of(object.as_ptr()) };
        this.instance.as_ref().is_some_and(|known| known.borrow().is(reference))
    }

    /// The instance whose cache this is, or None if it is of no instance or that is gone.
    pub(in crate::py) fn live_instance(&self) -> Result<Option<Owned>> {
        let Some(reference) = &self.instance else { return Ok(None) };
        compat::referent(reference.borrow())
    }

    /// # Safety
    /// The object is a live wrapper.
    #[inline(always)]
    pub(super) unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        // SAFETY: a wrapper, as the caller says, held by whoever called the slot function until that returns.
        unsafe { &*object.cast::<Self>() }
    }

    /// A reference to this wrapper, for as long as Python code runs: C code may call it by a reference that this code
    /// takes away.
    #[inline(always)]
    pub fn keep_alive(&self) -> Owned {
        self.as_object().to_owned()
    }

    /// Tells whoever wants to know what has come of this cache, of which no Python code may get hold any more. Reenters: that
    /// callable.
    pub(in crate::py) fn tell_of_death(&self) {
        thread::with_exception_aside(|| {
            let Some(callable) = State::of_instance(self.as_object()).ok().and_then(State::on_death) else { return };
            let told = build::count(self.as_object().as_ptr().addr() as u64)
                .and_then(|address| calls::with(callable.borrow(), &[address.borrow(), self.stats()?.borrow()]));
            if told.is_err() {
                // SAFETY: an attached thread with an exception set, and a live object.
                unsafe { py::PyErr_WriteUnraisable(callable.as_ptr()) };
            }
        });
    }

    #[inline(always)]
    pub(in crate::py) fn as_object(&self) -> Borrowed<'_> {
        // SAFETY: this is a live object, held by whoever holds the borrow.
        unsafe { Borrowed::from_ptr(ptr::from_ref(self).cast_mut().cast()) }
    }

    /// The hash of what makes the key of a call. Reenters: `__hash__`.
    #[inline(always)]
    pub(in crate::py) fn hash_of(&self, args: &CallArgs<'_>, key_args: &CallArgs<'_>) -> Result<Hash> {
        unhashable::hash(Some(self.function()), args, key_args, self.kind)
    }

    /// An argument of a call of the hit path could not be hashed: says which. Reenters: an import, attributes of types.
    #[cold]
    #[inline(never)]
    pub(in crate::py) fn explain_unhashable(&self, raised: Raised, args: &CallArgs<'_>) -> *mut py::PyObject {
        to_slot(Err(unhashable::explained(raised, Some(self.function()), args, args)))
    }

    /// The function.
    #[inline(always)]
    pub(super) fn function(&self) -> Borrowed<'_> {
        // SAFETY: written in `wrapper_tp_clear` alone, of garbage that nobody calls. Should a finalizer have handed it out
        // again meanwhile, the function is held by its frame, or by `Borrowed::call`.
        unsafe { &*self.function.get() }.borrow()
    }

    /// The function's own result: a new reference, or null with an exception set. Reenters: the function.
    ///
    /// It is a part of its callers, whose frames are on the stack while the function runs: with each level of a recursion. So it takes
    /// nothing of the stack, and what is no plain Python function goes on to [`Wrapper::call_other`].
    ///
    /// # Safety
    /// Vectorcall's own arguments, during the call, and somebody holds the wrapper.
    #[inline(always)]
    pub(in crate::py) unsafe fn call_in_place(
        &self,
        args: *const *mut py::PyObject,
        nargsf: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        let Ok(_level) = Level::enter() else { return ptr::null_mut() };
        let (function, positional) = (self.function(), nargsf & !py::PY_VECTORCALL_ARGUMENTS_OFFSET);
        if function.type_ptr() != &raw mut py::PyFunction_Type {
            // SAFETY: as the caller says.
            return unsafe { self.call_other(args, positional, kwnames) };
        }
        // SAFETY: as the caller says.
        unsafe { function.call_function_in_place(args, positional, kwnames) }
    }

    /// # Safety
    /// As [`Wrapper::call_in_place`].
    #[inline(never)]
    pub(super) unsafe fn call_other(
        &self,
        args: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        let function = self.function();
        // A cached method's: the instance is found here and not by a call of its own, which would be one level more in a recursion.
        if self.instance.is_some()
            && let Some(method) = BoundMethod::from_object(function)
        {
            // SAFETY: as the caller says.
            return unsafe { method.call_in_place(args, positional, kwnames) };
        }
        // SAFETY: as the caller says.
        unsafe { function.call_held(args, positional, kwnames) }
    }

    /// The function's own result. Reenters: the function.
    #[inline(always)]
    pub(in crate::py) fn call_function(&self, args: &CallArgs<'_>) -> Result<Owned> {
        let (args, positional, kwnames) = args.as_raw();
        // SAFETY: arguments that are held during the call, and a wrapper that somebody holds.
        let result = unsafe { self.call_in_place(args, positional, kwnames) };
        // SAFETY: a new reference, or null with an exception set.
        unsafe { Owned::from_call(result) }
    }

    /// What the function returned, if it can be stored: no coroutine object. Reenters: as [`coroutine_object::result_of`].
    #[inline(always)]
    pub(in crate::py) fn unless_coroutine(&self, value: Owned) -> Result<Owned> {
        coroutine_object::result_of(self.function(), value)
    }
}
