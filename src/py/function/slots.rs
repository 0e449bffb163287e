//! The slots of the type of cached functions, and the type.

use crate::ffi::dropper::Dropper;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, Owned, Result, build, method_table, thread, types};
use crate::py::bound::binding::callable_tp_descr_get;
use crate::py::function::attributes::ATTRIBUTES;
use crate::py::tier::Tier;
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use crate::py::function::Wrapper;
use crate::py::function::call::plain;
use crate::py::function::{attributes, methods};

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
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

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
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
        unsafe { this.vectorcall.get().write(plain::function_for(this.bound.get(), this.kind.is_typed())) };
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

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
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
