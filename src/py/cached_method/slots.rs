//! The types of cached methods.

use crate::ffi::method_table::{Table, methods, with_one_argument, without_arguments};
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, build};
use crate::py::cached_method::object::{CachedMethod, method_tp_clear, method_tp_dealloc, method_tp_traverse};
use crate::py::function::attributes::{ATTRIBUTES, Wraps, coroutine_attributes};
use crate::py::function::methods::parameters;
use crate::py::function::slots::{Offsets, make_callable_type};
use crate::py::libraries;
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::{CStr, c_void};
use std::ptr;

impl CachedMethod {
    /// A new dict of the options.
    fn parameters(&self, state: &State) -> Result<Owned> {
        let parts = self.parts()?;
        let maxsize = parts.bound.entries().map_or_else(|| Ok(build::none()), |most| build::count(most as u64))?;
        parameters(state, maxsize.borrow(), parts.typed.borrow(), Some(parts.given.borrow()))
    }
}

/// As every object's, with advice for those who ask the method for what the cache of an instance has.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn method_tp_getattro(object: *mut py::PyObject, name: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the slot's own arguments.
    let found = unsafe { py::PyObject_GenericGetAttr(object, name) };
    // SAFETY: a live object.
    if !found.is_null() || unsafe { py::PyUnicode_Check(name) } == 0 {
        return found;
    }
    // SAFETY: a str and a terminated string.
    let is = |known: &&CStr| unsafe { py::PyUnicode_CompareWithASCIIString(name, known.as_ptr()) == 0 };
    if OF_CACHES.iter().any(is) && Raised::by_callee().unless(Kind::Attribute).is_ok() {
        let message =
            c"a cached method has a cache for each instance: cache_for(instance) has %R, and so has the method on an \
            instance; a class method has it where @cached_method stands above @classmethod";
        // SAFETY: the slot's own argument.
        let _raised = Raised::with(Kind::Attribute, message, unsafe { Borrowed::from_ptr(name) });
    }
    ptr::null_mut()
}

/// What the cache of one instance has besides.
const OF_CACHES: [&CStr; 7] = [
    c"cache_clear",
    c"cache_contains",
    c"cache_info",
    c"cache_invalidate",
    c"cache_put",
    c"cache_refresh",
    c"cache_stats",
];

methods! {
    &CachedMethod:
    cache_for = |this; instance| this.cache_for(instance);
    cache_parameters = |this| State::of_instance(this.as_object()).and_then(|state| this.parameters(state));
    copy = |this| Ok(this.as_object().to_owned());
    deep_copy = |this; _memo| Ok(this.as_object().to_owned());
}

static METHODS: Table<py::PyMethodDef, 6> = Table::new([
    with_one_argument(c"cache_for", cache_for, c"cache_for($self, instance, /)\n--\n\nThe cache of one instance."),
    without_arguments(
        c"cache_parameters",
        cache_parameters,
        c"cache_parameters($self, /)\n--\n\nA new dict of the options that each instance's cache is made with.",
    ),
    libraries::METHODS[0],
    libraries::METHODS[1],
    without_arguments(c"__copy__", copy, c"The cached method itself."),
    with_one_argument(c"__deepcopy__", deep_copy, c"The cached method itself."),
]);

/// `cached_method.__doc__`
const DOC: &CStr = c"A method with a cache for each instance, as cached_method() makes it.\n\n\
    cache_for(instance) is the cache of one instance: a cached function of the other arguments.";

impl Wraps for CachedMethod {
    unsafe fn function_of<'a>(object: *mut py::PyObject) -> Option<Borrowed<'a>> {
        // SAFETY: as the caller says.
        let this = unsafe { Self::of(object) };
        // SAFETY: written when it is made, and in `method_tp_clear`, of garbage that nobody asks for attributes.
        unsafe { &*this.parts.get() }.as_ref().map(|parts| parts.function.borrow())
    }
}

/// The attributes of cached methods that are coroutine functions.
static COROUTINE_ATTRIBUTES: Table<py::PyGetSetDef, 8> = coroutine_attributes::<CachedMethod>();

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    make_type_with(module, c"tamis._core.cached_method_wrapper", ATTRIBUTES.as_ptr().cast_const())
}

/// Makes the type of those that are coroutine functions. Only the attributes by which `inspect` knows them are others.
pub fn make_coroutine_type(module: Borrowed<'_>) -> Result<Owned> {
    make_type_with(module, c"tamis._core.async_cached_method_wrapper", COROUTINE_ATTRIBUTES.as_ptr().cast_const())
}

fn make_type_with(module: Borrowed<'_>, name: &'static CStr, attributes: *const py::PyGetSetDef) -> Result<Owned> {
    let offsets = Offsets {
        vectorcall: std::mem::offset_of!(CachedMethod, vectorcall),
        dict: std::mem::offset_of!(CachedMethod, dict),
        weakrefs: std::mem::offset_of!(CachedMethod, weakrefs),
    };
    make_callable_type(
        module,
        name,
        DOC,
        size_of::<CachedMethod>(),
        offsets,
        &[
            (py::Py_tp_dealloc, method_tp_dealloc as *mut c_void),
            (py::Py_tp_traverse, method_tp_traverse as *mut c_void),
            (py::Py_tp_clear, method_tp_clear as *mut c_void),
            (py::Py_tp_getattro, method_tp_getattro as *mut c_void),
        ],
        (METHODS.as_ptr().cast_const(), attributes),
    )
}
