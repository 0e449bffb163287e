//! `cached_method`: a method with a cache for each instance.
//!
//! The caches lie in a store of their own under the instances' addresses, so that a call is two hits of the kind that a
//! cached function has. A weak reference with a callback takes a cache out when its instance dies, which is before the
//! address can be another's.

pub mod caches;
pub mod forget;

use crate::core::{OutOfMemory, boxed};
use crate::ffi::dropper::Dropper;
use crate::ffi::err::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, exact, object};
use crate::py::bound::object::BoundMethod;
use crate::py::cache::Bound;
use crate::py::cache::lookup::Entries;
use crate::py::function::attributes::{ATTRIBUTES, Wraps, coroutine_attributes, is_coroutine_function, update_wrapper};
use crate::py::function::methods::{Table, parameters, without_arguments};
use crate::py::function::{OfInstance, Wrapper};
use crate::py::libraries;
use crate::py::options::Options;
use crate::state::State;
use pyo3_ffi as py;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

/// A cached method, as it lies in its class.
#[repr(C)]
pub struct Method {
    ob_base: UnsafeCell<py::PyObject>,
    vectorcall: py::vectorcallfunc,
    /// None once the collector has taken this object apart, or before it was made.
    parts: UnsafeCell<Option<Box<Parts>>>,
    dict: UnsafeCell<*mut py::PyObject>,
    weakrefs: UnsafeCell<*mut py::PyObject>,
}

/// What is in the order of `method_tp_traverse`.
struct Parts {
    /// The cache of each instance, under its number.
    caches: Entries,
    sweep_at: caches::SweepAt,
    function: Owned,
    bound: Bound,
    typed: Owned,
    given: Owned,
    /// Whether the function is a coroutine function.
    coroutine: bool,
}

impl Method {
    /// Wraps `function`. Reenters: attributes of the function, imports.
    pub fn decorate(
        state: &State,
        function: Borrowed<'_>,
        bound: Bound,
        typed: Borrowed<'_>,
        given: Borrowed<'_>,
    ) -> Result<Owned> {
        let coroutine = is_coroutine_function(function)?;
        // A cache that is thrown away, so that what is wrong with the options is said here. The type stands in for an instance.
        let reference = forget::weak_reference(state.types.method.borrow(), None)?;
        let of_stand_in = BoundMethod::weakly(state, function, reference.borrow())?;
        let stand_in = OfInstance { reference, method: function, coroutine };
        drop(Wrapper::decorate(state, of_stand_in.borrow(), bound, typed, given, Some(stand_in))?);
        let parts = Parts {
            caches: Entries::new(usize::MAX).map_err(|OutOfMemory| Raised::no_memory())?,
            sweep_at: caches::SweepAt::new(),
            function: function.to_owned(),
            bound,
            typed: typed.to_owned(),
            given: given.to_owned(),
            coroutine,
        };
        let parts = boxed(parts).map_err(|OutOfMemory| Raised::no_memory())?;
        let kind = if coroutine { &state.types.coroutine_method } else { &state.types.method };
        // SAFETY: a ready type of ours.
        let made = unsafe { py::PyType_GenericAlloc(kind.as_ptr().cast(), 0) };
        // SAFETY: a new reference, or null with an exception set.
        let made = unsafe { Owned::from_call(made) }?;
        let this = made.as_ptr().cast::<Self>();
        // SAFETY: a fresh object of this type, which nobody else knows yet.
        let place = unsafe { &raw mut (*this).vectorcall };
        // SAFETY: as above.
        unsafe { place.write(method_vectorcall) };
        // SAFETY: as above. All zero is None.
        let place = unsafe { &raw mut (*this).parts };
        // SAFETY: as above.
        unsafe { place.write(UnsafeCell::new(Some(parts))) };
        update_wrapper(state, made.borrow(), function, coroutine)?;
        Ok(made)
    }

    /// What a class method or a static method is made of: its type, the function, and whether that gets no instance. Reenters:
    /// imports.
    pub fn inside(function: Borrowed<'_>) -> Result<Option<(Owned, Owned, bool)>> {
        if function.type_ptr() == &raw mut py::PyFunction_Type {
            return Ok(None);
        }
        let found = object::call_with(object::import(c"tamis._method", c"inside")?.borrow(), &[function])?;
        if found.borrow().is_none() {
            return Ok(None);
        }
        let &[kind, function, is_static] = exact::tuple_items(found.borrow()) else {
            return Err(Raised::type_error(c"tamis._method.inside must return three values"));
        };
        Ok(Some((kind.to_owned(), function.to_owned(), is_static.is_true()?)))
    }

    /// Refuses, in these words, what is no function but holds one, and says where the decorator belongs. Reenters: imports.
    pub fn refuse_descriptor(message: &str, function: Borrowed<'_>) -> Result<()> {
        let refuse = object::import(c"tamis._method", c"refuse_descriptor")?;
        object::call_with(refuse.borrow(), &[object::string(message)?.borrow(), function]).map(drop)
    }

    /// Refuses what can't be had for each instance.
    pub fn check_options(options: Option<&Options>) -> Result<()> {
        if options.is_some_and(|options| options.shared.is_some()) {
            let message =
                c"cached_method can't be used with backend='shared': an instance's cache goes with the instance, \
                which no other process has; use lru_cache with key= or ignore='self'";
            return Err(Raised::new(Kind::Value, message));
        }
        Ok(())
    }

    /// # Safety
    /// The object is a live method.
    #[inline(always)]
    unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        // SAFETY: as the caller says, held by whoever called the slot function until that returns.
        unsafe { &*object.cast::<Self>() }
    }

    /// The object as a cached method, if it is one.
    pub fn from_object<'a>(state: &State, object: Borrowed<'a>) -> Option<&'a Self> {
        let kind = object.type_ptr().cast();
        let is_one = kind == state.types.method.as_ptr() || kind == state.types.coroutine_method.as_ptr();
        // SAFETY: nobody can derive from the types.
        is_one.then(|| unsafe { Self::of(object.as_ptr()) })
    }

    fn as_object(&self) -> Borrowed<'_> {
        // SAFETY: a live object, held by whoever holds the borrow.
        unsafe { Borrowed::from_ptr(ptr::from_ref(self).cast_mut().cast()) }
    }

    #[inline(always)]
    fn parts(&self) -> Result<&Parts> {
        // SAFETY: written when it is made, and in `method_tp_clear`, of garbage that nobody calls.
        match unsafe { &*self.parts.get() } {
            Some(parts) => Ok(parts),
            None => Err(Raised::type_error(c"this cached method is being taken apart")),
        }
    }

    /// A new dict of the options.
    fn parameters(&self, state: &State) -> Result<Owned> {
        let parts = self.parts()?;
        let maxsize = parts.bound.entries().map_or_else(|| Ok(object::none()), |most| object::count(most as u64))?;
        parameters(state, maxsize.borrow(), parts.typed.borrow(), Some(parts.given.borrow()))
    }
}

/// A call: the instance, then the arguments that its cache gets. Reenters: as the cache does.
unsafe extern "C" fn method_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a method, whose function this is.
    let this = unsafe { Method::of(callable) };
    let positional = nargsf & !py::PY_VECTORCALL_ARGUMENTS_OFFSET;
    if positional == 0 {
        let _raised = Raised::type_error(c"a cached method needs its instance: call it on one");
        return ptr::null_mut();
    }
    // SAFETY: there is an argument, held by the caller.
    let instance = unsafe { Borrowed::first_of(args) };
    // SAFETY: behind the first argument are so many others, held by the caller.
    let rest = unsafe { args.add(1) };
    // SAFETY: as above.
    unsafe { this.call(instance, rest, positional - 1, kwnames) }
}

unsafe extern "C" fn method_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    let visit = |object: *mut py::PyObject| {
        // SAFETY: the collector's own function and argument; it is shown live objects alone.
        if object.is_null() { 0 } else { unsafe { visit(object, arg) } }
    };
    // SAFETY: a method.
    let this = unsafe { Method::of(object) };
    // SAFETY: nobody writes the field now.
    if let Some(parts) = unsafe { &*this.parts.get() } {
        let stop = parts.caches.visit(|_number, cache| visit(cache.as_ptr()));
        if stop != 0 {
            return stop;
        }
        for held in [&parts.function, &parts.typed, &parts.given] {
            let stop = visit(held.as_ptr());
            if stop != 0 {
                return stop;
            }
        }
    }
    // SAFETY: CPython's own field, read while nobody else runs.
    let dict = unsafe { *this.dict.get() };
    // An instance shows its type (since 3.9).
    match visit(this.as_object().type_ptr().cast()) {
        0 => visit(dict),
        stop => stop,
    }
}

fn drop_parts(parts: Option<Box<Parts>>) {
    let Some(parts) = parts else { return };
    let Parts { caches, function, typed, given, .. } = *parts;
    let mut dropper = Dropper::new();
    caches.into_contents().for_each(|(_number, cache)| dropper.push(cache));
    [function, typed, given].into_iter().for_each(|held| dropper.push(held));
}

unsafe extern "C" fn method_tp_clear(object: *mut py::PyObject) -> c_int {
    // SAFETY: a method.
    let this = unsafe { Method::of(object) };
    // SAFETY: nobody is inside a call of garbage.
    let parts = unsafe { (*this.parts.get()).take() };
    // SAFETY: CPython's own field, of an object that is garbage.
    let dict = unsafe { this.dict.get().replace(ptr::null_mut()) };
    drop_parts(parts);
    // SAFETY: the method's own reference, or null.
    unsafe { py::Py_XDECREF(dict) };
    0
}

unsafe extern "C" fn method_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object that the collector tracks, on its way out.
    unsafe { py::PyObject_GC_UnTrack(object.cast()) };
    // SAFETY: a live object. Callbacks may run, while it is whole but for its weak references.
    unsafe { py::PyObject_ClearWeakRefs(object) };
    object::with_exception_aside(|| {
        // SAFETY: a method, to which no reference is left.
        unsafe { method_tp_clear(object) };
    });
    // SAFETY: an object of a heap type holds a reference to its type, which is given back last.
    let kind = unsafe { py::Py_TYPE(object) };
    // SAFETY: memory of `PyType_GenericAlloc` of a type with the collector's flag.
    unsafe { py::PyObject_GC_Del(object.cast()) };
    // SAFETY: the reference of the object that is gone.
    unsafe { py::Py_DECREF(kind.cast()) };
}

/// As every object's, with advice for those who ask the method for what the cache of an instance has.
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

unsafe extern "C" fn cache_for(object: *mut py::PyObject, instance: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a method of the type, called on an instance of it.
    let this = unsafe { Method::of(object) };
    // SAFETY: the one argument of a function called with METH_O.
    object::to_slot(this.cache_for(unsafe { Borrowed::from_ptr(instance) }))
}

unsafe extern "C" fn cache_parameters(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a method of the type, called on an instance of it.
    let this = unsafe { Method::of(object) };
    object::to_slot(State::of_instance(this.as_object()).and_then(|state| this.parameters(state)))
}

unsafe extern "C" fn copy(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a method of the type, called on an instance of it.
    unsafe { Method::of(object) }.as_object().to_owned().into_ptr()
}

static METHODS: Table<py::PyMethodDef, 7> = Table([
    without_arguments(
        c"cache_for",
        cache_for,
        py::METH_O,
        c"cache_for($self, instance, /)\n--\n\nThe cache of one instance.",
    ),
    without_arguments(
        c"cache_parameters",
        cache_parameters,
        py::METH_NOARGS,
        c"cache_parameters($self, /)\n--\n\nA new dict of the options that each instance's cache is made with.",
    ),
    libraries::METHODS[0],
    libraries::METHODS[1],
    without_arguments(c"__copy__", copy, py::METH_NOARGS, c"The cached method itself."),
    without_arguments(c"__deepcopy__", copy, py::METH_O, c"The cached method itself."),
    // SAFETY: a table of C pointers and numbers, for which zero ends the list.
    unsafe { std::mem::zeroed() },
]);

/// `cached_method.__doc__`
const DOC: &CStr = c"A method with a cache for each instance, as cached_method() makes it.\n\n\
    cache_for(instance) is the cache of one instance: a cached function of the other arguments.";

impl Wraps for Method {
    unsafe fn function_of<'a>(object: *mut py::PyObject) -> Option<Borrowed<'a>> {
        // SAFETY: as the caller says.
        let this = unsafe { Self::of(object) };
        // SAFETY: written when it is made, and in `method_tp_clear`, of garbage that nobody asks for attributes.
        unsafe { &*this.parts.get() }.as_ref().map(|parts| parts.function.borrow())
    }
}

/// The attributes of cached methods that are coroutine functions.
static COROUTINE_ATTRIBUTES: Table<py::PyGetSetDef, 9> = coroutine_attributes::<Method>();

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    make_type_with(module, c"tamis._core.cached_method_wrapper", ATTRIBUTES.0.as_ptr())
}

/// Makes the type of those that are coroutine functions. Only the attributes by which `inspect` knows them are others.
pub fn make_coroutine_type(module: Borrowed<'_>) -> Result<Owned> {
    make_type_with(module, c"tamis._core.async_cached_method_wrapper", COROUTINE_ATTRIBUTES.0.as_ptr())
}

fn make_type_with(module: Borrowed<'_>, name: &'static CStr, attributes: *const py::PyGetSetDef) -> Result<Owned> {
    let offsets = crate::py::function::Offsets {
        vectorcall: std::mem::offset_of!(Method, vectorcall),
        dict: std::mem::offset_of!(Method, dict),
        weakrefs: std::mem::offset_of!(Method, weakrefs),
    };
    crate::py::function::make_callable_type(
        module,
        name,
        DOC,
        size_of::<Method>(),
        offsets,
        &[
            (py::Py_tp_dealloc, method_tp_dealloc as *mut c_void),
            (py::Py_tp_traverse, method_tp_traverse as *mut c_void),
            (py::Py_tp_clear, method_tp_clear as *mut c_void),
            (py::Py_tp_getattro, method_tp_getattro as *mut c_void),
        ],
        (METHODS.0.as_ptr(), attributes),
    )
}
