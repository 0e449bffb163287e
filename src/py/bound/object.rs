//! A bound method as an object: what it holds, and how it is called, visited and freed.

use crate::ffi::dropper::Dropper;
use crate::ffi::method_table::Receiver;
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call, compat, thread, types};
use crate::state::State;
use pyo3_ffi as py;
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::ptr;

/// A function with its instance. What it holds never changes, so that others in a cycle through it have to let go, as with
/// CPython's own.
#[repr(C)]
pub struct BoundMethod {
    _ob_base: py::PyObject,
    pub(super) vectorcall: py::vectorcallfunc,
    pub(super) weakrefs: UnsafeCell<*mut py::PyObject>,
    pub(super) fields: Fields,
}

#[repr(C)]
pub(super) struct Fields {
    pub(super) function: Owned,
    /// The instance, or a `weakref.ref` to it.
    pub(super) instance: Owned,
    pub(super) weak: bool,
}

impl BoundMethod {
    /// A cached function, or cached method, on this instance.
    pub fn of_instance(state: &State, function: Borrowed<'_>, instance: Borrowed<'_>) -> Result<Owned> {
        let (function, instance) = (function.to_owned(), instance.to_owned());
        Self::create(&state.types.bound_method, bound_vectorcall, Fields { function, instance, weak: false })
    }

    /// Any function, on the instance that this `weakref.ref` refers to.
    pub fn weakly(state: &State, function: Borrowed<'_>, reference: Borrowed<'_>) -> Result<Owned> {
        let (function, instance) = (function.to_owned(), reference.to_owned());
        Self::create(&state.types.weak_method, weak_vectorcall, Fields { function, instance, weak: true })
    }

    fn create(kind: &Owned, vectorcall: py::vectorcallfunc, fields: Fields) -> Result<Owned> {
        // SAFETY: a ready type of ours, whose instances own nothing where they are zero.
        let made = unsafe { types::allocate(kind.borrow()) }?;
        let this = made.as_ptr().cast::<Self>();
        // SAFETY: a fresh object of this type, which nobody else knows yet.
        let place = unsafe { &raw mut (*this).vectorcall };
        // SAFETY: as above.
        unsafe { place.write(vectorcall) };
        // SAFETY: as above.
        let place = unsafe { &raw mut (*this).fields };
        // SAFETY: as above. What lies there is zero and owns nothing.
        unsafe { place.write(fields) };
        Ok(made)
    }

    /// The object as one of these, of either kind, if it is one.
    pub fn from_object(object: Borrowed<'_>) -> Option<&Self> {
        // SAFETY: a live object's type is live.
        let dealloc = unsafe { (*object.type_ptr()).tp_dealloc }?;
        let is_one = ptr::fn_addr_eq(dealloc, bound_tp_dealloc as py::destructor);
        // SAFETY: only the two types made here, which nobody can derive from, have this function.
        is_one.then(|| unsafe { Self::of(object.as_ptr()) })
    }

    /// # Safety
    /// The object is a live one of these.
    #[inline(always)]
    pub(super) unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        // SAFETY: as the caller says, held by whoever called the slot function until that returns.
        unsafe { &*object.cast::<Self>() }
    }

    #[inline(always)]
    pub(super) fn as_object(&self) -> Borrowed<'_> {
        // SAFETY: a live object, held by whoever holds the borrow.
        unsafe { Borrowed::from_ptr(ptr::from_ref(self).cast_mut().cast()) }
    }

    #[inline(always)]
    pub(super) fn function(&self) -> Borrowed<'_> {
        self.fields.function.borrow()
    }

    /// The instance, if it still exists.
    #[inline(always)]
    pub(super) fn instance(&self) -> Result<Owned> {
        let Fields { instance, weak, .. } = &self.fields;
        if !weak {
            return Ok(instance.clone());
        }
        let missing = || Raised::new(Kind::Reference, c"the instance of this cache no longer exists");
        compat::referent(instance.borrow())?.ok_or_else(missing)
    }

    /// A bound method of CPython's own, of the same function and instance.
    pub(super) fn as_plain(&self) -> Result<Owned> {
        build::bound_method(self.function(), self.instance()?.borrow())
    }

    /// The function's result for its instance and these arguments. Reenters: the function.
    #[inline(always)]
    pub(super) fn call(&self, args: &CallArgs<'_>) -> Result<Owned> {
        let instance = self.instance()?;
        args.behind(instance.borrow(), |args| self.function().call(args))
    }

    /// The same: a new reference, or null with an exception set. The caller counts the level of recursion. Reenters: the function.
    ///
    /// # Safety
    /// The arguments of a call that has not returned.
    #[inline(always)]
    pub unsafe fn call_in_place(
        &self,
        args: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        let Ok(instance) = self.instance() else { return ptr::null_mut() };
        let function = self.function();
        // SAFETY: as the caller says.
        let args = unsafe { CallArgs::new(args, positional, kwnames) };
        args.behind(instance.borrow(), |args| {
            let (args, positional, kwnames) = args.as_raw();
            let _held = function.to_owned();
            // SAFETY: arguments that are held during the call.
            unsafe { py::PyObject_Vectorcall(function.as_ptr(), args, positional, kwnames) }
        })
    }
}

// SAFETY: no other conditions.
unsafe impl<'a> Receiver<'a> for &'a BoundMethod {
    unsafe fn of(object: Borrowed<'a>) -> Self {
        // SAFETY: one of these, held for `'a`, as the caller says.
        unsafe { BoundMethod::of(object.as_ptr()) }
    }
}

/// Calls a cached function with the instance. Reenters: as that does.
///
/// # Safety
/// The arguments of a call of such an object, as vectorcall has them.
unsafe extern "C" fn bound_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a bound method, whose function this is.
    let this = unsafe { BoundMethod::of(callable) };
    // Holds function and instance, should the call take the caller's reference away.
    let _alive = this.as_object().to_owned();
    let Fields { function, instance, .. } = &this.fields;
    if nargsf & py::PY_VECTORCALL_ARGUMENTS_OFFSET == 0 {
        // SAFETY: vectorcall's own arguments, during the call.
        let args = unsafe { CallArgs::new(args, nargsf, kwnames) };
        return args.behind(instance.borrow(), |args| {
            let (args, count, kwnames) = args.as_raw();
            // SAFETY: arguments that are held during the call.
            unsafe { py::PyObject_Vectorcall(function.as_ptr(), args, count, kwnames) }
        });
    }
    let count = (nargsf & !py::PY_VECTORCALL_ARGUMENTS_OFFSET) + 1;
    // SAFETY: the caller lends this place, as the flag says (PEP 590).
    let place = unsafe { args.sub(1) }.cast_mut();
    // SAFETY: as above.
    let before = unsafe { place.replace(instance.as_ptr()) };
    // SAFETY: so many arguments, held during the call.
    let result = unsafe { py::PyObject_Vectorcall(function.as_ptr(), place, count, kwnames) };
    // SAFETY: as above; the caller gets it back as it was.
    unsafe { place.write(before) };
    result
}

/// Calls a function with its instance, if that is still there. Reenters: the function.
///
/// # Safety
/// The arguments of a call of such an object, as vectorcall has them.
unsafe extern "C" fn weak_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a bound method, whose function this is.
    let this = unsafe { BoundMethod::of(callable) };
    let _alive = this.as_object().to_owned();
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    call::to_slot(this.call(&args))
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub(super) unsafe extern "C" fn bound_tp_traverse(
    object: *mut py::PyObject,
    visit: py::visitproc,
    arg: *mut c_void,
) -> c_int {
    // SAFETY: one of these; all zero until its fields are written.
    let fields = unsafe { &raw const (*object.cast::<BoundMethod>()).fields };
    // SAFETY: as above; the first two fields are references, which are pointers.
    let held = unsafe { fields.cast::<[*mut py::PyObject; 2]>().read() };
    // SAFETY: live objects, and the collector's own function and argument.
    unsafe { types::traverse_plain(object, &held, visit, arg) }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub(super) unsafe extern "C" fn bound_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object that the collector tracks, on its way out.
    unsafe { py::PyObject_GC_UnTrack(object.cast()) };
    // SAFETY: a live object. Callbacks may run, while it is whole but for its weak references.
    unsafe { py::PyObject_ClearWeakRefs(object) };
    // SAFETY: one of these.
    let place = unsafe { &raw const (*object.cast::<BoundMethod>()).fields };
    // SAFETY: no reference is left, so nobody else reaches the fields, and they are not used any more where they lie.
    let Fields { function, instance, .. } = unsafe { place.read() };
    // SAFETY: no reference is left, the collector does not know it any more, and the fields are out.
    let _kind = unsafe { types::free_untracked(object) };
    for held in [function, instance] {
        // Most often somebody else has it too, and nothing ends here.
        if held.borrow().is_only_reference() {
            thread::with_exception_aside(|| Dropper::new().push(held));
        }
    }
}
