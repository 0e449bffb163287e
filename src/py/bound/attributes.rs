//! The attributes of a bound method: those of the cache, with the instance, and those of CPython's own methods.

use crate::ffi::exact::Exact;
use crate::ffi::method_table::{Table, getter, methods, with_arguments, with_one_argument, without_arguments};
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call, read};
use crate::py::bound::object::BoundMethod;
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};

/// `bound_method.__doc__`
pub const DOC: &CStr = c"bound_method(function, instance, /)\n--\n\n\
    A cached function or a cached method on an instance, as attribute access makes it.\n\n\
    cache_contains(), cache_invalidate(), cache_put() and cache_refresh() work on the entry of the call with that instance,\n\
    cache_info() and the others on the cache that such a call uses.";

/// `weak_method.__doc__`
pub const WEAK_DOC: &CStr = c"A function on an instance that it does not keep alive.";

/// What is the function's, though the type or `object` has something of this name too.
const OF_FUNCTION: [&CStr; 8] = [
    c"__doc__",
    c"__module__",
    c"__annotations__",
    c"__dict__",
    // These only save the search.
    c"__name__",
    c"__qualname__",
    c"__annotate__",
    c"__type_params__",
];

impl BoundMethod {
    /// The cache that a call uses, and the instance if calls of that take it. Reenters: as
    /// `Method::cache_for`.
    fn cache(&self) -> Result<(Owned, Option<Owned>)> {
        let (function, instance) = (self.function(), self.instance()?);
        let state = State::of_instance(self.as_object())?;
        let kind = function.type_ptr().cast();
        if kind != state.types.method.as_ptr() && kind != state.types.coroutine_method.as_ptr() {
            return Ok((function.to_owned(), Some(instance)));
        }
        let args = [function, instance.borrow()];
        Ok((call::method(c"cache_for", &CallArgs::of_positional(&args))?, None))
    }

    /// Calls this method of the cache, which takes so many arguments before those of a call. Reenters: as that does.
    fn call_cache(&self, name: &CStr, args: &CallArgs<'_>, before: usize) -> Result<Owned> {
        let (cache, instance) = self.cache()?;
        let mut values = Vec::with_capacity(args.values().len() + 2);
        values.push(cache.borrow());
        values.extend_from_slice(args.values());
        let mut positional = 1 + args.positional().len();
        // Without all of those, the cache itself says what is missing.
        if let Some(instance) = instance.as_ref().filter(|_| before < positional) {
            values.insert(1 + before, instance.borrow());
            positional += 1;
        }
        call::method(name, &CallArgs::of(&values, positional, args.kwnames().map(Exact::object)))
    }

    /// Calls this method of the cache, which takes no arguments. Reenters: as that does.
    fn ask_cache(&self, name: &CStr) -> Result<Owned> {
        let (cache, _) = self.cache()?;
        call::method(name, &CallArgs::of_positional(&[cache.borrow()]))
    }

    /// `copy.deepcopy(method)`, as `copy` has it for CPython's own. Reenters: copying.
    fn deep_copy(&self, memo: Borrowed<'_>) -> Result<Owned> {
        let state = State::of_instance(self.as_object())?;
        let copied = call::with(call::import(c"copy", c"deepcopy")?.borrow(), &[self.instance()?.borrow(), memo])?;
        Self::of_instance(state, self.function(), copied.borrow())
    }

    /// `dir(method)`: what CPython's own has, and the cache. Reenters: attributes of the function.
    fn names(&self) -> Result<Owned> {
        // SAFETY: a live object; a new list or null.
        let names = unsafe { py::PyObject_Dir(self.as_plain()?.as_ptr()) };
        // SAFETY: a new reference, or null with an exception set.
        let names = unsafe { Owned::from_call(names) }?;
        for name in OF_CACHE {
            let name = build::interned(name)?;
            // SAFETY: a list and a live object.
            if unsafe { py::PyList_Append(names.as_ptr(), name.as_ptr()) } != 0 {
                return Err(Raised::by_callee());
            }
        }
        Ok(names)
    }

    /// `repr(method)` where the instance no longer exists. Reenters: `__repr__` of the function.
    fn without_instance(&self, raised: Raised) -> Result<Owned> {
        drop(raised.take());
        // SAFETY: the format takes one live object; a new reference or null.
        let text = unsafe {
            py::PyUnicode_FromFormat(
                c"<bound method %R of an instance that no longer exists>".as_ptr(),
                self.function().as_ptr(),
            )
        };
        // SAFETY: a new reference, or null with an exception set.
        unsafe { Owned::from_call(text) }
    }

    /// Whether both are of one function on one object. Nothing if the other is no bound method. Reenters: `__eq__` of functions.
    fn same_as(&self, other: Borrowed<'_>) -> Result<Option<bool>> {
        if self.fields.weak {
            return Ok(self.as_object().is(other).then_some(true));
        }
        let parts = match Self::from_object(other) {
            Some(other) => (!other.fields.weak).then(|| (other.function(), other.fields.instance.borrow())),
            None => read::method_parts(other),
        };
        let Some((function, instance)) = parts else { return Ok(None) };
        Ok(Some(self.fields.instance.borrow().is(instance) && self.function().equals(function)?))
    }
}

/// `__class__`: CPython's own, so that `isinstance` and `inspect` know what it is.
///
/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn get_class(_: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    read::method_type().to_owned().into_ptr()
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn get_function(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    // SAFETY: the getter's own argument.
    unsafe { BoundMethod::of(object) }.fields.function.clone().into_ptr()
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn get_self(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    // SAFETY: the getter's own argument.
    call::to_slot(unsafe { BoundMethod::of(object) }.instance())
}

/// The attributes that are no methods.
pub static GETSET: Table<py::PyGetSetDef, 3> = Table::new([
    getter(c"__class__", get_class, Some(c"types.MethodType, which it passes for.")),
    getter(c"__func__", get_function, Some(c"The function that is called with the instance.")),
    getter(c"__self__", get_self, Some(c"The instance.")),
]);

/// `getattr(method, name)`: its own attributes, and the function's. Reenters: the function's attributes.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub unsafe extern "C" fn bound_tp_getattro(object: *mut py::PyObject, name: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    let this = unsafe { BoundMethod::of(object) };
    // SAFETY: a live object.
    let is_text = unsafe { py::PyUnicode_Check(name) } != 0;
    // SAFETY: a str and a terminated string.
    let is = |known: &CStr| unsafe { py::PyUnicode_CompareWithASCIIString(name, known.as_ptr()) == 0 };
    if !is_text || !OF_FUNCTION.iter().any(|known| is(known)) {
        // SAFETY: the slot's own arguments.
        let own = unsafe { py::PyObject_GenericGetAttr(object, name) };
        if !own.is_null() || Raised::by_callee().unless_attribute_error().is_err() {
            return own;
        }
    }
    let function = this.fields.function.clone();
    // SAFETY: two live objects.
    unsafe { py::PyObject_GetAttr(function.as_ptr(), name) }
}

/// Reenters: `__eq__` of functions.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub unsafe extern "C" fn bound_tp_richcompare(
    object: *mut py::PyObject,
    other: *mut py::PyObject,
    operation: c_int,
) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    let this = unsafe { BoundMethod::of(object) };
    // SAFETY: as above.
    let other = unsafe { Borrowed::from_ptr(other) };
    let not_implemented = || {
        // SAFETY: set up before any extension is imported.
        let object = unsafe { py::Py_NotImplemented() };
        // SAFETY: there as long as the interpreter.
        unsafe { Borrowed::from_ptr(object) }.to_owned()
    };
    if !matches!(operation, py::Py_EQ | py::Py_NE) {
        return not_implemented().into_ptr();
    }
    let _alive = this.as_object().to_owned();
    let same = this.same_as(other);
    call::to_slot(
        same.map(|same| same.map_or_else(not_implemented, |same| build::boolean(same == (operation == py::Py_EQ)))),
    )
}

/// As CPython's own of the same function and instance. Reenters: `__hash__` of the function.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub unsafe extern "C" fn bound_tp_hash(object: *mut py::PyObject) -> py::Py_hash_t {
    // SAFETY: the slot's own argument.
    let this = unsafe { BoundMethod::of(object) };
    if this.fields.weak {
        // It is equal to itself alone, and its instance may no longer exist.
        return (object.addr() >> 4) as py::Py_hash_t;
    }
    this.as_plain().and_then(|plain| plain.borrow().hash()).unwrap_or(-1)
}

/// As CPython's own. Reenters: `__repr__` of the instance.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
pub unsafe extern "C" fn bound_tp_repr(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    let this = unsafe { BoundMethod::of(object) };
    let text = this.as_plain().map_or_else(
        |raised| this.without_instance(raised),
        |plain| {
            // SAFETY: a live object; a new reference or null.
            let text = unsafe { py::PyObject_Repr(plain.as_ptr()) };
            // SAFETY: a new reference, or null with an exception set.
            unsafe { Owned::from_call(text) }
        },
    );
    call::to_slot(text)
}

methods! {
    &BoundMethod:
    cache_contains = |this, args| this.call_cache(c"cache_contains", &args, 0);
    cache_invalidate = |this, args| this.call_cache(c"cache_invalidate", &args, 0);
    cache_put = |this, args| this.call_cache(c"cache_put", &args, 1);
    cache_refresh = |this, args| this.call_cache(c"cache_refresh", &args, 0);
    cache_info = |this| this.ask_cache(c"cache_info");
    cache_stats = |this| this.ask_cache(c"cache_stats");
    cache_clear = |this| this.ask_cache(c"cache_clear");
    cache_parameters = |this| this.ask_cache(c"cache_parameters");
    reduce = |this| {
        let plain = this.as_plain();
        plain.and_then(|plain| call::method(c"__reduce__", &CallArgs::of_positional(&[plain.borrow()])))
    };
    deep_copy = |this; memo| this.deep_copy(memo);
    names = |this| this.names();
}

const OF_CACHE: [&CStr; 8] = [
    c"cache_clear",
    c"cache_contains",
    c"cache_info",
    c"cache_invalidate",
    c"cache_parameters",
    c"cache_put",
    c"cache_refresh",
    c"cache_stats",
];

const REDUCE: py::PyMethodDef = without_arguments(c"__reduce__", reduce, c"Pickle as an attribute of the instance.");

/// The methods.
pub static METHODS: Table<py::PyMethodDef, 11> = Table::new([
    without_arguments(
        c"cache_info",
        cache_info,
        c"cache_info($self, /)\n--\n\nCacheInfo(hits, misses, maxsize, currsize) of the cache that calls use.",
    ),
    without_arguments(
        c"cache_stats",
        cache_stats,
        c"cache_stats($self, /)\n--\n\nA new dict of all that the cache has counted.",
    ),
    without_arguments(
        c"cache_clear",
        cache_clear,
        c"cache_clear($self, /)\n--\n\nDrop all entries of the cache and zero the counts.",
    ),
    without_arguments(
        c"cache_parameters",
        cache_parameters,
        c"cache_parameters($self, /)\n--\n\nA new dict of the options that the cache was made with.",
    ),
    with_arguments(
        c"cache_contains",
        cache_contains,
        c"cache_contains($self, /, *args, **kwargs)\n--\n\nWhether there is an entry for this call. Counts nothing.",
    ),
    with_arguments(
        c"cache_invalidate",
        cache_invalidate,
        c"cache_invalidate($self, /, *args, **kwargs)\n--\n\nDrop the entry for this call. True if there was one.",
    ),
    with_arguments(
        c"cache_put",
        cache_put,
        c"cache_put($self, value, /, *args, **kwargs)\n--\n\nStore a value for this call. Counts nothing.",
    ),
    with_arguments(
        c"cache_refresh",
        cache_refresh,
        c"cache_refresh($self, /, *args, **kwargs)\n--\n\n\
          Call the function, store its result and return it. Counts nothing.",
    ),
    REDUCE,
    with_one_argument(c"__deepcopy__", deep_copy, c"The same of a copy of the instance."),
    without_arguments(c"__dir__", names, c"The names of all attributes."),
]);

/// The methods of what is bound weakly.
pub static WEAK_METHODS: Table<py::PyMethodDef, 1> = Table::new([REDUCE]);
