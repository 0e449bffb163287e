//! The type of what the decorators return: a callable with a cache.

mod call;
mod lookup;
mod methods;

use crate::core::store::Store;
use crate::ffi::sync::{Counter, Guarded};
use crate::ffi::{Borrowed, CallArgs, Owned, Result, object};
use crate::module::State;
use crate::py::key::Key;
use pyo3_ffi as py;
use std::ffi::{c_int, c_void};
use std::ptr;

/// How many entries a cache may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// `maxsize` 0: nothing is stored.
    Off,
    /// `maxsize` above 0.
    Entries(usize),
    /// `maxsize` None.
    Unbounded,
}

/// A cached function. The fields in the order of `wrapper_tp_traverse` and `wrapper_tp_clear`; those that a hit reads come first.
#[repr(C)]
pub struct Wrapper {
    ob_base: py::PyObject,
    vectorcall: py::vectorcallfunc,
    store: Guarded<Store<Key, Owned>>,
    hits: Counter,
    misses: Counter,
    bound: Bound,
    typed: bool,
    /// The function, or None once the collector has taken this object apart.
    function: Owned,
    /// `typed` as it was given, for `cache_parameters`.
    typed_given: Owned,
    dict: *mut py::PyObject,
    weakrefs: *mut py::PyObject,
}

impl Wrapper {
    /// Wraps `function`, and takes over what `functools.update_wrapper` does. Reenters: attributes of the function.
    pub fn decorate(state: &State, function: Borrowed<'_>, bound: Bound, typed: Borrowed<'_>) -> Result<Owned> {
        // SAFETY: a live object.
        let is_typed = match unsafe { py::PyObject_IsTrue(typed.as_ptr()) } {
            -1 => return Err(crate::ffi::Raised::by_callee()),
            truth => truth != 0,
        };
        let kind = state.wrapper_type.as_ptr().cast::<py::PyTypeObject>();
        // SAFETY: a ready type of ours with this allocation slot; it returns a new reference or null.
        let object = unsafe { Owned::from_call(py::PyType_GenericAlloc(kind, 0)) }?;
        let this = object.as_ptr().cast::<Self>();
        let capacity = match bound {
            Bound::Off => 1,
            Bound::Entries(entries) => entries,
            Bound::Unbounded => usize::MAX,
        };
        macro_rules! init {
            ($($field:ident: $value:expr,)*) => {$(
                // SAFETY: a field of a fresh object of this type, which nobody else knows yet. The collector may look
                // at it already: what is not written yet is zero, and `wrapper_tp_traverse` passes over it.
                unsafe { (&raw mut (*this).$field).write($value) };
            )*};
        }
        init! {
            vectorcall: call::function_for(bound, is_typed),
            store: Guarded::new(Store::new(capacity)),
            hits: Counter::new(),
            misses: Counter::new(),
            bound: bound,
            typed: is_typed,
            function: function.to_owned(),
            typed_given: typed.to_owned(),
        }
        methods::update_wrapper(state, object.borrow(), function)?;
        Ok(object)
    }

    /// # Safety
    /// The object is a live wrapper.
    #[inline(always)]
    unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        // SAFETY: a wrapper, as the caller says, held by whoever called the slot function until that returns.
        unsafe { &*object.cast::<Self>() }
    }

    fn as_object(&self) -> Borrowed<'_> {
        // SAFETY: this is a live object, held by whoever holds the borrow.
        unsafe { Borrowed::from_ptr(ptr::from_ref(self).cast_mut().cast()) }
    }

    /// The function's own result. Reenters: the function.
    #[inline(always)]
    fn call_function(&self, args: &CallArgs<'_>) -> Result<Owned> {
        self.function.borrow().call(args)
    }
}

unsafe extern "C" fn wrapper_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    let this = object.cast::<Wrapper>();
    // SAFETY: the collector's own function and argument. A type is visited by its instances (since 3.9).
    let mut stop = unsafe { visit(py::Py_TYPE(object).cast(), arg) };
    // SAFETY: a wrapper, perhaps not all written yet; then this field is null.
    let function = unsafe { *(&raw const (*this).function).cast::<*mut py::PyObject>() };
    if stop != 0 || function.is_null() {
        return stop;
    }
    // SAFETY: `function` is written after the store.
    let this = unsafe { &*this };
    stop = this.store.visit(|store| {
        let visit_entry = |(key, value): (&Key, &Owned)| match key.visit(visit, arg) {
            // SAFETY: the collector's own function and argument, and a live object.
            0 => unsafe { visit(value.as_ptr(), arg) },
            stop => stop,
        };
        store.iter().map(visit_entry).find(|&stop| stop != 0).unwrap_or(0)
    });
    for object in [function, this.dict] {
        if stop == 0 && !object.is_null() {
            // SAFETY: the collector's own function and argument, and a live object.
            stop = unsafe { visit(object, arg) };
        }
    }
    stop
}

unsafe extern "C" fn wrapper_tp_clear(object: *mut py::PyObject) -> c_int {
    let this = object.cast::<Wrapper>();
    // SAFETY: a wrapper whose construction is over: it was garbage, so it was reachable before.
    let contents = unsafe { &(*this).store }.with(Store::take);
    // SAFETY: a field of the wrapper, for which None stands in: a finalizer may still call it.
    let function = unsafe { ptr::replace(&raw mut (*this).function, object::none()) };
    // SAFETY: a field of the wrapper that may be null.
    let dict = unsafe { ptr::replace(&raw mut (*this).dict, ptr::null_mut()) };
    drop(contents);
    drop(function);
    // SAFETY: the wrapper's own reference, or null.
    unsafe { py::Py_XDECREF(dict) };
    0
}

unsafe extern "C" fn wrapper_tp_dealloc(object: *mut py::PyObject) {
    let this = object.cast::<Wrapper>();
    // SAFETY: an object that the collector tracks, on its way out.
    unsafe { py::PyObject_GC_UnTrack(object.cast()) };
    // SAFETY: a field of the wrapper; callbacks may run, while the wrapper is whole but for its weak references.
    if !unsafe { (*this).weakrefs }.is_null() {
        // SAFETY: a live object.
        unsafe { py::PyObject_ClearWeakRefs(object) };
    }
    // SAFETY: no reference is left, so nobody else can reach the fields. `function` is written after the store.
    if !unsafe { *(&raw const (*this).function).cast::<*mut py::PyObject>() }.is_null() {
        // SAFETY: as above; the field is not used any more.
        let store = unsafe { ptr::read(&raw const (*this).store) };
        methods::drop_contents(store.with(Store::take));
        drop(store);
        // SAFETY: as above.
        unsafe { ptr::drop_in_place(&raw mut (*this).function) };
        // SAFETY: as above; written right after `function`.
        unsafe { ptr::drop_in_place(&raw mut (*this).typed_given) };
    }
    // SAFETY: as above, or null.
    unsafe { py::Py_XDECREF((*this).dict) };
    // SAFETY: an object of a heap type holds a reference to its type, which is given back last.
    let kind = unsafe { py::Py_TYPE(object) };
    // SAFETY: memory of `PyType_GenericAlloc` of a type with the collector's flag.
    unsafe { py::PyObject_GC_Del(object.cast()) };
    // SAFETY: the reference of the object that is gone.
    unsafe { py::Py_DECREF(kind.cast()) };
}

unsafe extern "C" fn wrapper_tp_descr_get(
    object: *mut py::PyObject,
    instance: *mut py::PyObject,
    _owner: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    // SAFETY: None is there as long as the interpreter.
    if instance.is_null() || instance == unsafe { py::Py_None() } {
        return this.to_owned().into_ptr();
    }
    // SAFETY: the slot's own argument, and not null.
    object::to_slot(object::bound_method(this, unsafe { Borrowed::from_ptr(instance) }))
}

const fn member(name: &'static std::ffi::CStr, offset: usize) -> py::PyMemberDef {
    py::PyMemberDef {
        name: name.as_ptr(),
        type_code: py::Py_T_PYSSIZET,
        offset: offset as py::Py_ssize_t,
        flags: py::Py_READONLY,
        doc: ptr::null(),
    }
}

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let mut members = [
        member(c"__vectorcalloffset__", std::mem::offset_of!(Wrapper, vectorcall)),
        member(c"__dictoffset__", std::mem::offset_of!(Wrapper, dict)),
        member(c"__weaklistoffset__", std::mem::offset_of!(Wrapper, weakrefs)),
        // SAFETY: a table of C pointers and numbers, for which zero ends the list.
        unsafe { std::mem::zeroed() },
    ];
    let mut slots = [
        slot(py::Py_tp_doc, methods::DOC.as_ptr().cast_mut().cast()),
        slot(py::Py_tp_dealloc, wrapper_tp_dealloc as *mut c_void),
        slot(py::Py_tp_traverse, wrapper_tp_traverse as *mut c_void),
        slot(py::Py_tp_clear, wrapper_tp_clear as *mut c_void),
        slot(py::Py_tp_call, py::PyVectorcall_Call as *mut c_void),
        slot(py::Py_tp_descr_get, wrapper_tp_descr_get as *mut c_void),
        slot(py::Py_tp_members, members.as_mut_ptr().cast()),
        slot(py::Py_tp_methods, methods::TABLE.0.as_ptr().cast_mut().cast()),
        slot(py::Py_tp_getset, methods::ATTRIBUTES.0.as_ptr().cast_mut().cast()),
        slot(0, ptr::null_mut()),
    ];
    let flags = py::Py_TPFLAGS_DEFAULT
        | py::Py_TPFLAGS_HAVE_GC
        | py::Py_TPFLAGS_HAVE_VECTORCALL
        | py::Py_TPFLAGS_METHOD_DESCRIPTOR
        | py::Py_TPFLAGS_IMMUTABLETYPE
        | py::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    let mut spec = py::PyType_Spec {
        name: c"tamis._core.lru_cache_wrapper".as_ptr(),
        basicsize: size_of::<Wrapper>() as c_int,
        itemsize: 0,
        flags: flags as std::ffi::c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the tables are whole; those that are not static are copied before the call returns.
    unsafe { Owned::from_call(py::PyType_FromModuleAndSpec(module.as_ptr(), &raw mut spec, ptr::null_mut())) }
}

const fn slot(slot: c_int, pfunc: *mut c_void) -> py::PyType_Slot {
    py::PyType_Slot { slot, pfunc }
}
