//! The type of what the decorators return: a callable with a cache.

pub mod attributes;
pub mod call;
pub mod coroutine_attributes;
pub mod coroutine_call;
pub mod coroutine_protocol;
pub mod coroutine_stage;
pub mod coroutine_steps;
pub mod methods;
pub mod peek;

use crate::backend::Words;
use crate::core::hash::Hash;
use crate::core::{OutOfMemory, boxed};
use crate::ffi::compat::recursion::Level;
use crate::ffi::dropper::Dropper;
use crate::ffi::method_table::Receiver;
use crate::ffi::{
    Borrowed, CallArgs, Owned, Raised, Result, build, call as calls, compat, method_table, thread, to_slot, types,
};
use crate::py::bound::binding::callable_tp_descr_get;
use crate::py::bound::object::BoundMethod;
use crate::py::cache::Cache;
use crate::py::cache::capacity::Bound;
use crate::py::cache::policy::Policy;
use crate::py::key::KeyKind;
use crate::py::options::Options;
use crate::py::tier::Tier;
use crate::py::tier::cache::TieredCache;
use crate::py::tier::near::{NEAR_BYTES, NEAR_ENTRIES};
use crate::py::tier::source::Tiered;
use crate::py::{coroutine_object, unhashable};
use crate::state::State;
use attributes::{ATTRIBUTES, is_coroutine_function, update_wrapper};
use pyo3_ffi as py;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A cached function. The fields stand in the order of `wrapper_tp_traverse` and `wrapper_tp_clear`, those that a hit
/// reads first. What CPython writes to lies in cells.
#[repr(C)]
pub struct Wrapper {
    ob_base: UnsafeCell<py::PyObject>,
    /// Written by the collector alone, of garbage.
    vectorcall: UnsafeCell<py::vectorcallfunc>,
    parts: Parts,
    dict: UnsafeCell<*mut py::PyObject>,
    weakrefs: UnsafeCell<*mut py::PyObject>,
}

/// What a wrapper is made of besides CPython's own fields. Hits read the first.
#[repr(C)]
pub struct Parts {
    cache: Cache,
    /// Of a cached method's instance: the weak reference to it. It leads to nothing that could lead back here.
    instance: Option<Owned>,
    /// The function, which then is a weak [`BoundMethod`], or None once the collector has taken this object apart.
    function: UnsafeCell<Owned>,
    /// `typed` as it was given, for `cache_parameters`. As `function`, None in the end.
    typed_given: UnsafeCell<Owned>,
    /// What stands behind the cache, which is a near cache then. Written by the collector alone, of garbage.
    tier: UnsafeCell<Option<Box<Tier>>>,
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

fn in_box<T>(value: T) -> Result<Box<T>> {
    boxed(value).map_err(|OutOfMemory| Raised::no_memory())
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
    /// Wraps `function`, and takes over what `functools.update_wrapper` does. Reenters: attributes of the function, `__bool__`
    /// of `typed`, and on first use an import.
    pub fn decorate(
        state: &State,
        function: Borrowed<'_>,
        bound: Bound,
        typed: Borrowed<'_>,
        given: Borrowed<'_>,
        instance: Option<OfInstance<'_>>,
    ) -> Result<Owned> {
        let is_typed = typed.is_true()?;
        if instance.is_none() {
            // Who decorates has imported what the function is for. Some of these take a copy of what they know early.
            state.libraries.tell();
        }
        // Imported now: `cache_info()` may be called by a finalizer, inside of another import.
        state.cache_info_class.get()?;
        let coroutine = match &instance {
            Some(instance) => instance.coroutine,
            None => is_coroutine_function(function)?,
        };
        if coroutine {
            // As above, and where calls nest too deep for an import.
            [&state.leading, &state.wake, &state.awaiting].into_iter().try_for_each(|name| name.get().map(drop))?;
        }
        let (mut policy, mut tier) = (None, None);
        if let Some(mut options) = Options::parse(given, coroutine)? {
            let method = instance.as_ref().map(|instance| instance.method);
            let has_backend = options.shared.is_some();
            tier = Tier::open(function, &mut options, given, bound)?.map(in_box).transpose()?;
            let near_bytes = tier.as_ref().map(|_| NEAR_BYTES);
            policy = Some(in_box(Policy::new(state, function, method, options, given, has_backend, near_bytes)?)?);
        }
        let most = if tier.is_some() { NEAR_ENTRIES } else { usize::MAX };
        let vectorcall = policy
            .as_ref()
            .and_then(|policy| Self::expiring_function(policy, tier.as_deref(), bound))
            .unwrap_or_else(|| call::plain::function_for(bound, is_typed));
        let parts = Parts {
            cache: Cache::with_most(bound, KeyKind::of_calls(is_typed), policy, most)?,
            instance: instance.map(|instance| instance.reference),
            function: UnsafeCell::new(function.to_owned()),
            typed_given: UnsafeCell::new(typed.to_owned()),
            tier: UnsafeCell::new(tier),
        };
        let kind = if coroutine { &state.types.coroutine_function } else { &state.types.function };
        // SAFETY: a ready type of ours, whose instances own nothing where they are zero.
        let object = unsafe { types::allocate(kind.borrow()) }?;
        let this = object.as_ptr().cast::<Self>();
        // No Python object is allocated between here and the last field, so the collector sees a whole wrapper.
        // SAFETY: a fresh object of this type, which nobody else knows yet.
        let place = unsafe { &raw mut (*this).vectorcall };
        // SAFETY: as above.
        unsafe { place.write(UnsafeCell::new(vectorcall)) };
        // SAFETY: as above.
        let place = unsafe { &raw mut (*this).parts };
        // SAFETY: as above. The other fields are zero, as they should be.
        unsafe { place.write(parts) };
        update_wrapper(state, object.borrow(), function, coroutine)?;
        // SAFETY: a whole wrapper, held here.
        if let Some((policy, _tier)) = unsafe { Self::of(object.as_ptr()) }.behind() {
            let claim = calls::import(c"tamis._names", c"claim")?;
            calls::with(claim.borrow(), &[object.borrow(), function, policy.given()])?;
        }
        Ok(object)
    }

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
    fn owner(&self) -> Option<Borrowed<'_>> {
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
    fn live_instance(&self) -> Result<Option<Owned>> {
        let Some(reference) = &self.instance else { return Ok(None) };
        compat::referent(reference.borrow())
    }

    /// # Safety
    /// The object is a live wrapper.
    #[inline(always)]
    unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
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
    fn tell_of_death(&self) {
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
    fn hash_of(&self, args: &CallArgs<'_>, key_args: &CallArgs<'_>) -> Result<Hash> {
        unhashable::hash(Some(self.function()), args, key_args, self.kind)
    }

    /// An argument of a call of the hit path could not be hashed: says which. Reenters: an import, attributes of types.
    #[cold]
    #[inline(never)]
    fn explain_unhashable(&self, raised: Raised, args: &CallArgs<'_>) -> *mut py::PyObject {
        to_slot(Err(unhashable::explained(raised, Some(self.function()), args, args)))
    }

    /// The function.
    #[inline(always)]
    fn function(&self) -> Borrowed<'_> {
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
    unsafe fn call_in_place(
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
    unsafe fn call_other(
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
    fn unless_coroutine(&self, value: Owned) -> Result<Owned> {
        coroutine_object::result_of(self.function(), value)
    }
}

unsafe extern "C" fn wrapper_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    let visit = |object: *mut py::PyObject| {
        // SAFETY: the collector's own function and argument; it is shown live objects alone.
        if object.is_null() { 0 } else { unsafe { visit(object, arg) } }
    };
    // SAFETY: a wrapper.
    let this = unsafe { Wrapper::of(object) };
    // SAFETY: nobody writes the field now: see `Wrapper::call_function`.
    let function = unsafe { &*this.function.get() }.as_ptr();
    // SAFETY: as above.
    let typed_given = unsafe { &*this.typed_given.get() }.as_ptr();
    // SAFETY: CPython's own field, read while nobody else runs.
    let dict = unsafe { *this.dict.get() };
    // An instance shows its type (since 3.9).
    match visit(this.as_object().type_ptr().cast()) {
        0 => match this.visit(visit) {
            0 => [function, typed_given, dict]
                .into_iter()
                .chain(this.tier().into_iter().flat_map(Tier::held).map(Owned::as_ptr))
                .map(visit)
                .find(|&stop| stop != 0)
                .unwrap_or(0),
            stop => stop,
        },
        stop => stop,
    }
}

unsafe extern "C" fn wrapper_tp_clear(object: *mut py::PyObject) -> c_int {
    // SAFETY: a wrapper.
    let this = unsafe { Wrapper::of(object) };
    this.tell_of_death();
    // Without memory for an empty store, the entries go with the wrapper, and so do the options that tell what they are.
    let contents = this.store.clear(|_| ()).ok();
    // From here on it is a plain cache, for finalizers that still call it.
    // SAFETY: nobody is inside a call of garbage.
    let policy = contents.as_ref().and_then(|_| unsafe { this.take_policy() });
    // SAFETY: as above.
    let tier = policy.as_ref().and_then(|_| unsafe { this.tier.get().replace(None) });
    if policy.is_some() {
        // SAFETY: as above.
        unsafe { this.vectorcall.get().write(call::plain::function_for(this.bound, this.kind.is_typed())) };
    }
    // None stands in for the function: a finalizer may still call this.
    // SAFETY: nobody is inside a call of garbage.
    let function = unsafe { this.function.get().replace(build::none()) };
    // SAFETY: as above.
    let typed_given = unsafe { this.typed_given.get().replace(build::none()) };
    // SAFETY: CPython's own field, of an object that is garbage.
    let dict = unsafe { this.dict.get().replace(ptr::null_mut()) };
    contents.into_iter().flatten().for_each(drop);
    let mut dropper = Dropper::new();
    if let Some(policy) = policy {
        policy.take_apart(&mut dropper);
    }
    tier.into_iter().flat_map(|tier| tier.into_held()).for_each(|held| dropper.push(held));
    dropper.push(function);
    dropper.push(typed_given);
    // SAFETY: the wrapper's own reference, or null.
    unsafe { py::Py_XDECREF(dict) };
    0
}

unsafe extern "C" fn wrapper_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object that the collector tracks, on its way out.
    unsafe { py::PyObject_GC_UnTrack(object.cast()) };
    // SAFETY: still a whole wrapper.
    unsafe { Wrapper::of(object) }.tell_of_death();
    let this = object.cast::<Wrapper>();
    // SAFETY: a live object. Callbacks may run, while it is whole but for its weak references.
    unsafe { py::PyObject_ClearWeakRefs(object) };
    // SAFETY: no reference is left, so nobody else reaches the fields.
    let place = unsafe { &raw const (*this).parts };
    // SAFETY: as above; the parts are not used any more where they lie.
    let parts = unsafe { place.read() };
    // SAFETY: as above.
    let place = unsafe { &raw const (*this).dict };
    // SAFETY: as above; CPython's own field.
    let dict = unsafe { place.read() }.into_inner();
    // SAFETY: the wrapper's own reference, or null.
    let dict = (!dict.is_null()).then(|| unsafe { Owned::from_ptr(dict) });
    thread::with_exception_aside(|| {
        let mut dropper = Dropper::new();
        parts.cache.take_apart(&mut dropper);
        parts.tier.into_inner().into_iter().flat_map(|tier| tier.into_held()).for_each(|held| dropper.push(held));
        dropper.push(parts.function.into_inner());
        dropper.push(parts.typed_given.into_inner());
        parts.instance.into_iter().for_each(|reference| dropper.push(reference));
        dict.into_iter().for_each(|dict| dropper.push(dict));
    });
    // SAFETY: no reference is left, the collector does not know it any more, and nothing is in it.
    drop(unsafe { types::free_untracked(object) });
}

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    make_type_with(module, c"tamis._core.lru_cache_wrapper", methods::DOC, ATTRIBUTES.as_ptr().cast_const())
}

/// Makes the type of caches of coroutine functions. Only the attributes by which `inspect` knows them are others.
pub fn make_coroutine_type(module: Borrowed<'_>) -> Result<Owned> {
    let attributes = attributes::COROUTINE_ATTRIBUTES.as_ptr().cast_const();
    make_type_with(module, c"tamis._core.async_lru_cache_wrapper", methods::COROUTINE_DOC, attributes)
}

fn make_type_with(
    module: Borrowed<'_>,
    name: &'static CStr,
    doc: &'static CStr,
    attributes: *const py::PyGetSetDef,
) -> Result<Owned> {
    let offsets = Offsets {
        vectorcall: std::mem::offset_of!(Wrapper, vectorcall),
        dict: std::mem::offset_of!(Wrapper, dict),
        weakrefs: std::mem::offset_of!(Wrapper, weakrefs),
    };
    make_callable_type(
        module,
        name,
        doc,
        size_of::<Wrapper>(),
        offsets,
        &[
            (py::Py_tp_dealloc, wrapper_tp_dealloc as *mut c_void),
            (py::Py_tp_traverse, wrapper_tp_traverse as *mut c_void),
            (py::Py_tp_clear, wrapper_tp_clear as *mut c_void),
        ],
        (methods::TABLE.as_ptr().cast_const(), attributes),
    )
}

/// Where CPython's own fields lie in an object.
pub struct Offsets {
    /// `vectorcallfunc`
    pub vectorcall: usize,
    /// `__dict__`
    pub dict: usize,
    /// `__weakref__`
    pub weakrefs: usize,
}

/// Makes a type whose instances are called by vectorcall and bind as methods do. Among `functions` are dealloc, traverse and clear.
pub fn make_callable_type(
    module: Borrowed<'_>,
    name: &'static CStr,
    doc: &'static CStr,
    size: usize,
    offsets: Offsets,
    functions: &[(c_int, *mut c_void)],
    (methods, attributes): (*const py::PyMethodDef, *const py::PyGetSetDef),
) -> Result<Owned> {
    let mut members = [
        method_table::member(c"__vectorcalloffset__", offsets.vectorcall),
        method_table::member(c"__dictoffset__", offsets.dict),
        method_table::member(c"__weaklistoffset__", offsets.weakrefs),
        // SAFETY: a table of C pointers and numbers, for which zero ends the list.
        unsafe { std::mem::zeroed() },
    ];
    let own = [
        (py::Py_tp_doc, doc.as_ptr().cast_mut().cast()),
        (py::Py_tp_call, py::PyVectorcall_Call as *mut c_void),
        (py::Py_tp_descr_get, callable_tp_descr_get as *mut c_void),
        (py::Py_tp_members, members.as_mut_ptr().cast()),
        (py::Py_tp_methods, methods.cast_mut().cast()),
        (py::Py_tp_getset, attributes.cast_mut().cast()),
        (0, ptr::null_mut()),
    ];
    let mut slots: Vec<_> =
        functions.iter().copied().chain(own).map(|(slot, pfunc)| py::PyType_Slot { slot, pfunc }).collect();
    let flags = py::Py_TPFLAGS_DEFAULT
        | py::Py_TPFLAGS_HAVE_GC
        | py::Py_TPFLAGS_HAVE_VECTORCALL
        | py::Py_TPFLAGS_METHOD_DESCRIPTOR
        | py::Py_TPFLAGS_IMMUTABLETYPE
        | py::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    types::type_from_slots(module, name, size, flags, &mut slots)
}
