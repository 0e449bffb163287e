//! What a cached function becomes on an instance: a bound method whose cache speaks of calls with that instance.
//!
//! `obj.method` is one of these wherever it is no call: `obj.method(1)` makes none. It passes for CPython's own bound method, by its
//! `__class__`, and leaves to one what those do alike: `repr`, `hash`, pickling.
//!
//! There is a second, weak kind. It is the function of the cache that a cached method has for one instance, which it does not
//! keep alive.

pub mod attributes;
pub mod class_method;

use crate::ffi::dropper::Dropper;
use crate::ffi::err::Kind;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, compat, object, sync};
use crate::state::State;
use pyo3_ffi as py;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

/// A function with its instance. What it holds never changes, so that others in a cycle through it have to let go, as with
/// CPython's own.
#[repr(C)]
pub struct BoundMethod {
    _ob_base: py::PyObject,
    vectorcall: py::vectorcallfunc,
    weakrefs: UnsafeCell<*mut py::PyObject>,
    fields: Fields,
}

#[repr(C)]
struct Fields {
    function: Owned,
    /// The instance, or a `weakref.ref` to it.
    instance: Owned,
    weak: bool,
}

impl BoundMethod {
    /// A cached function, or cached method, on this instance.
    pub fn of_instance(state: &State, function: Borrowed<'_>, instance: Borrowed<'_>) -> Result<Owned> {
        let (function, instance) = (function.to_owned(), instance.to_owned());
        Self::create(&state.types.bound_method, bound_vectorcall, Fields { function, instance, weak: false })
    }

    /// Any function, on the instance that this `weakref.ref` leads to.
    pub fn weakly(state: &State, function: Borrowed<'_>, reference: Borrowed<'_>) -> Result<Owned> {
        let (function, instance) = (function.to_owned(), reference.to_owned());
        Self::create(&state.types.weak_method, weak_vectorcall, Fields { function, instance, weak: true })
    }

    fn create(kind: &Owned, vectorcall: py::vectorcallfunc, fields: Fields) -> Result<Owned> {
        // SAFETY: a ready type of ours.
        let made = unsafe { py::PyType_GenericAlloc(kind.as_ptr().cast(), 0) };
        // SAFETY: a new reference, or null with an exception set.
        let made = unsafe { Owned::from_call(made) }?;
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
    unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        // SAFETY: as the caller says, held by whoever called the slot function until that returns.
        unsafe { &*object.cast::<Self>() }
    }

    #[inline(always)]
    fn as_object(&self) -> Borrowed<'_> {
        // SAFETY: a live object, held by whoever holds the borrow.
        unsafe { Borrowed::from_ptr(ptr::from_ref(self).cast_mut().cast()) }
    }

    #[inline(always)]
    fn function(&self) -> Borrowed<'_> {
        self.fields.function.borrow()
    }

    /// The instance, unless it is gone.
    #[inline(always)]
    fn instance(&self) -> Result<Owned> {
        let Fields { instance, weak, .. } = &self.fields;
        if !weak {
            return Ok(instance.clone());
        }
        let gone = || Raised::new(Kind::Reference, c"the instance of this cache is gone");
        compat::referent(instance.borrow())?.ok_or_else(gone)
    }

    /// A bound method of CPython's own, of the same function and instance.
    fn as_plain(&self) -> Result<Owned> {
        object::bound_method(self.function(), self.instance()?.borrow())
    }

    /// The function's result for its instance and these arguments. Reenters: the function.
    #[inline(always)]
    fn call(&self, args: &CallArgs<'_>) -> Result<Owned> {
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

/// Calls a cached function with the instance. Reenters: as that does.
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
    object::to_slot(this.call(&args))
}

/// `__get__` of cached functions and cached methods: on an instance a bound method, on a class themselves.
pub unsafe extern "C" fn callable_tp_descr_get(
    object: *mut py::PyObject,
    instance: *mut py::PyObject,
    _owner: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    if instance.is_null() {
        return this.to_owned().into_ptr();
    }
    // SAFETY: the slot's own argument, and not null.
    let instance = unsafe { Borrowed::from_ptr(instance) };
    if instance.is_none() {
        return this.to_owned().into_ptr();
    }
    object::to_slot(State::of_instance(this).and_then(|state| BoundMethod::of_instance(state, this, instance)))
}

/// Whether it is bound by [`callable_tp_descr_get`].
fn is_bound_here(function: Borrowed<'_>) -> bool {
    // SAFETY: a live object's type is live.
    let get = unsafe { (*function.type_ptr()).tp_descr_get };
    get.is_some_and(|get| ptr::fn_addr_eq(get, callable_tp_descr_get as py::descrgetfunc))
}

/// `type(method)(function, instance)`, which `weakref.WeakMethod` calls: what `types.MethodType` makes, but for functions whose
/// cache is to know the instance. Reenters: nothing; the errors are CPython's.
unsafe extern "C" fn bound_tp_new(
    kind: *mut py::PyTypeObject,
    args: *mut py::PyObject,
    kwargs: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: the slot's own argument, a live type.
    let kind = unsafe { Borrowed::from_ptr(kind.cast()) };
    object::to_slot(State::of_type(kind).and_then(|state| {
        // SAFETY: a live type, a tuple, and a dict or null.
        let plain = unsafe { py::PyObject_Call(object::method_type().as_ptr(), args, kwargs) };
        // SAFETY: a new reference, or null with an exception set.
        let plain = unsafe { Owned::from_call(plain) }?;
        match object::method_parts(plain.borrow()) {
            Some((function, instance)) if is_bound_here(function) => {
                BoundMethod::of_instance(state, function, instance)
            }
            _ => Ok(plain),
        }
    }))
}

/// A method that is bound already stays so.
unsafe extern "C" fn bound_tp_descr_get(
    object: *mut py::PyObject,
    _instance: *mut py::PyObject,
    _owner: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    unsafe { Borrowed::from_ptr(object) }.to_owned().into_ptr()
}

unsafe extern "C" fn bound_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: one of these; all zero until its fields are written.
    let fields = unsafe { &raw const (*object.cast::<BoundMethod>()).fields };
    // SAFETY: as above; the first two fields are references, which are pointers.
    let held = unsafe { fields.cast::<[*mut py::PyObject; 2]>().read() };
    // SAFETY: live objects, and the collector's own function and argument.
    unsafe { object::traverse_plain(object, &held, visit, arg) }
}

unsafe extern "C" fn bound_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object that the collector tracks, on its way out.
    unsafe { py::PyObject_GC_UnTrack(object.cast()) };
    // SAFETY: a live object. Callbacks may run, while it is whole but for its weak references.
    unsafe { py::PyObject_ClearWeakRefs(object) };
    // SAFETY: one of these.
    let place = unsafe { &raw const (*object.cast::<BoundMethod>()).fields };
    // SAFETY: no reference is left, so nobody else reaches the fields, and they are not used any more where they lie.
    let Fields { function, instance, .. } = unsafe { place.read() };
    // SAFETY: an object of a heap type holds a reference to its type, which is given back last.
    let kind = unsafe { py::Py_TYPE(object) };
    // SAFETY: memory of `PyType_GenericAlloc` of a type with the collector's flag.
    unsafe { py::PyObject_GC_Del(object.cast()) };
    for held in [function, instance] {
        // Most often somebody else has it too, and nothing ends here.
        if sync::is_only_reference(held.borrow()) {
            object::with_exception_aside(|| Dropper::new().push(held));
        }
    }
    // SAFETY: the reference of the object that is gone.
    unsafe { py::Py_DECREF(kind.cast()) };
}

/// Makes the type of what is bound to an instance, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let new: (c_int, *mut c_void) = (py::Py_tp_new, bound_tp_new as *mut c_void);
    make(module, c"tamis._core.bound_method", attributes::DOC, attributes::METHODS.0.as_ptr(), Some(new))
}

/// Makes the type of what is bound weakly.
pub fn make_weak_type(module: Borrowed<'_>) -> Result<Owned> {
    make(module, c"tamis._core.weak_method", attributes::WEAK_DOC, attributes::WEAK_METHODS.0.as_ptr(), None)
}

fn make(
    module: Borrowed<'_>,
    name: &'static CStr,
    doc: &'static CStr,
    methods: *const py::PyMethodDef,
    new: Option<(c_int, *mut c_void)>,
) -> Result<Owned> {
    let mut members = [
        object::member(c"__vectorcalloffset__", std::mem::offset_of!(BoundMethod, vectorcall)),
        object::member(c"__weaklistoffset__", std::mem::offset_of!(BoundMethod, weakrefs)),
        // SAFETY: a table of C pointers and numbers, for which zero ends the list.
        unsafe { std::mem::zeroed() },
    ];
    let slots: [(c_int, *mut c_void); 13] = [
        (py::Py_tp_doc, doc.as_ptr().cast_mut().cast()),
        (py::Py_tp_dealloc, bound_tp_dealloc as *mut c_void),
        (py::Py_tp_traverse, bound_tp_traverse as *mut c_void),
        (py::Py_tp_call, py::PyVectorcall_Call as *mut c_void),
        (py::Py_tp_descr_get, bound_tp_descr_get as *mut c_void),
        (py::Py_tp_getattro, attributes::bound_tp_getattro as *mut c_void),
        (py::Py_tp_richcompare, attributes::bound_tp_richcompare as *mut c_void),
        (py::Py_tp_hash, attributes::bound_tp_hash as *mut c_void),
        (py::Py_tp_repr, attributes::bound_tp_repr as *mut c_void),
        (py::Py_tp_members, members.as_mut_ptr().cast()),
        (py::Py_tp_methods, methods.cast_mut().cast()),
        (py::Py_tp_getset, attributes::GETSET.0.as_ptr().cast_mut().cast()),
        (0, ptr::null_mut()),
    ];
    let slots = new.into_iter().chain(slots);
    let mut slots: Vec<_> = slots.map(|(slot, pfunc)| py::PyType_Slot { slot, pfunc }).collect();
    let mut flags =
        py::Py_TPFLAGS_DEFAULT | py::Py_TPFLAGS_HAVE_GC | py::Py_TPFLAGS_HAVE_VECTORCALL | py::Py_TPFLAGS_IMMUTABLETYPE;
    if new.is_none() {
        flags |= py::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    }
    object::type_from_slots(module, name, size_of::<BoundMethod>(), flags, &mut slots)
}
