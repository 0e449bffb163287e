//! The attributes of cached functions: what `functools.update_wrapper` copies, and what `inspect` knows a coroutine function by.
//!
//! The latter are served by descriptors of a type of its own, which caches of coroutine functions have. They don't lie in the
//! `__dict__`, which `functools.update_wrapper` copies on to whatever is wrapped around the cache.

pub(in crate::py) use crate::ffi::build::set_item;
use crate::ffi::method_table::Table;
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, build, call, read, to_slot, to_status};
use crate::py::function::Wrapper;
use crate::py::libraries;
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

/// What `functools.update_wrapper(wrapper, function)` does, for a cache that is or is not one of a coroutine function. Reenters:
/// attributes of the function.
pub fn update_wrapper(state: &State, wrapper: Borrowed<'_>, function: Borrowed<'_>, coroutine: bool) -> Result<()> {
    let dict = dict_of(wrapper)?;
    for name in &state.names.assignments {
        match function.attr(name.borrow()) {
            Ok(value) => set_item(&dict, name.borrow(), value.borrow())?,
            Err(raised) => raised.unless_attribute_error()?,
        }
    }
    match function.attr(state.names.dict.borrow()) {
        Ok(attributes) => {
            let before = read::size_of_dict(dict.borrow());
            // SAFETY: a live dict and a live object.
            if unsafe { py::PyDict_Update(dict.as_ptr(), attributes.as_ptr()) } != 0 {
                return Err(Raised::by_callee());
            }
            if read::size_of_dict(dict.borrow()) != before {
                leave_out_lies(wrapper, &dict, coroutine)?;
            }
        }
        Err(raised) => raised.unless_attribute_error()?,
    }
    set_item(&dict, state.names.wrapped.borrow(), function)
}

/// Takes out of the `__dict__` what the function's `__dict__` has for `inspect`, where that speaks of the function alone: of a
/// coroutine function what looks like a Python function, and of any other one what would make its cache look like a coroutine
/// function, though `inspect` does not take the function for one. Reenters: on rare occasions an import.
fn leave_out_lies(wrapper: Borrowed<'_>, dict: &Owned, coroutine: bool) -> Result<()> {
    let names: &[&CStr] = if coroutine {
        &FUNCTION_LIKE
    } else if !has_any(dict, &[CODE, MARK])? || !ask(c"is_coroutine_function", &[wrapper])?.borrow().is_true()? {
        &[]
    } else {
        &[CODE, MARK]
    };
    for name in names {
        let name = build::interned(name)?;
        if contains(dict, &name)? {
            // SAFETY: a dict that only this thread knows, and a key of it.
            if unsafe { py::PyDict_DelItem(dict.as_ptr(), name.as_ptr()) } != 0 {
                return Err(Raised::by_callee());
            }
        }
    }
    Ok(())
}

/// The `__dict__` of a cached function or method.
fn dict_of(object: Borrowed<'_>) -> Result<Owned> {
    // SAFETY: an object with a dict; the call makes it and returns a new reference or null.
    let pointer = unsafe { py::PyObject_GenericGetDict(object.as_ptr(), ptr::null_mut()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

fn contains(dict: &Owned, name: &Owned) -> Result<bool> {
    // SAFETY: a dict and a str.
    match unsafe { py::PyDict_Contains(dict.as_ptr(), name.as_ptr()) } {
        -1 => Err(Raised::by_callee()),
        answer => Ok(answer != 0),
    }
}

fn has_any(dict: &Owned, names: &[&CStr]) -> Result<bool> {
    for name in names {
        if contains(dict, &build::interned(name)?)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a function of `tamis/_coroutines.py` returns. Reenters: an import, and as that does.
fn ask(name: &CStr, args: &[Borrowed<'_>]) -> Result<Owned> {
    call::with(call::import(c"tamis._coroutines", name)?.borrow(), args)
}

/// `inspect.CO_COROUTINE` and `inspect.CO_ASYNC_GENERATOR`
const CO_COROUTINE: i64 = 0x80;
const CO_ASYNC_GENERATOR: i64 = 0x200;

/// `__code__`
const CODE: &CStr = c"__code__";
/// What `inspect.markcoroutinefunction` sets, from Python 3.12 on.
const MARK: &CStr = c"_is_coroutine_marker";
/// By what `inspect` takes other objects for functions, besides a `__name__`.
const FUNCTION_LIKE: [&CStr; 3] = [CODE, c"__defaults__", c"__kwdefaults__"];
/// What makes `inspect` look at something else than a function's own code: its own mark, and that of methods of
/// `functools.partialmethod`. The third is `asyncio`'s mark, for versions in which `inspect` has none.
const LOOK_CLOSER: [&CStr; 3] = [MARK, c"__partialmethod__", c"_is_coroutine"];

/// The flags of a Python function's code.
fn code_flags(function: Borrowed<'_>) -> Result<i64> {
    read::code_flags(function.attr(build::interned(CODE)?.borrow())?.borrow())
}

/// Whether it is a coroutine function by the rule of `inspect.iscoroutinefunction`, which is asked unless it is a Python function
/// of the usual kind, a bound method of one, or a function or a class of C. An async generator function is refused. Reenters: on
/// others an import, and their attributes.
pub fn is_coroutine_function(function: Borrowed<'_>) -> Result<bool> {
    let mut inner = function.to_owned();
    while read::is_method(inner.borrow()) {
        inner = inner.borrow().attr(build::interned(c"__func__")?.borrow())?;
    }
    if is_function(inner.borrow()) {
        let flags = code_flags(inner.borrow())?;
        if flags & CO_ASYNC_GENERATOR != 0 {
            return Err(Raised::type_error(
                c"an async generator function can't be cached: its results are used up by iteration",
            ));
        }
        if flags & CO_COROUTINE != 0 {
            return Ok(true);
        }
        if !has_any(&inner.borrow().attr(build::interned(c"__dict__")?.borrow())?, &LOOK_CLOSER)? {
            return Ok(false);
        }
    } else if is_of_c(inner.borrow())? {
        return Ok(false);
    }
    ask(c"is_coroutine_function", &[function])?.borrow().is_true()
}

fn is_function(object: Borrowed<'_>) -> bool {
    object.type_ptr() == &raw mut py::PyFunction_Type
}

/// Whether it is a function of C or a class, and nobody has marked it.
fn is_of_c(object: Borrowed<'_>) -> Result<bool> {
    let kinds = [
        &raw mut py::PyCFunction_Type,
        &raw mut py::PyMethodDescr_Type,
        &raw mut py::PyWrapperDescr_Type,
        &raw mut py::PyClassMethodDescr_Type,
    ];
    if kinds.contains(&object.type_ptr()) {
        return Ok(true);
    }
    // SAFETY: a live object.
    if unsafe { py::PyType_Check(object.as_ptr()) } == 0 {
        return Ok(false);
    }
    for name in LOOK_CLOSER {
        match object.attr(build::interned(name)?.borrow()) {
            Ok(_) => return Ok(false),
            Err(raised) => raised.unless_attribute_error()?,
        }
    }
    Ok(true)
}

/// What has a type with [`coroutine_attributes`].
pub trait Wraps {
    /// The function inside. None once the collector has taken the object apart.
    ///
    /// # Safety
    /// The object is an instance of such a type, held by the caller.
    unsafe fn function_of<'a>(object: *mut py::PyObject) -> Option<Borrowed<'a>>;
}

impl Wraps for Wrapper {
    unsafe fn function_of<'a>(object: *mut py::PyObject) -> Option<Borrowed<'a>> {
        // SAFETY: as the caller says.
        let this = unsafe { Self::of(object) };
        // SAFETY: written in `wrapper_tp_clear` alone, of garbage that nobody asks for attributes.
        Some(unsafe { &*this.function.get() }.borrow())
    }
}

/// The name that lies in a descriptor.
///
/// # Safety
/// The closure is one of [`coroutine_attributes`].
unsafe fn name_of<'a>(closure: *mut c_void) -> &'a CStr {
    // SAFETY: as the caller says, a constant terminated string.
    unsafe { CStr::from_ptr(closure.cast_const().cast()) }
}

/// What lies in the `__dict__`, or what `inspect` is to see.
///
/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn get_attribute<T: Wraps>(object: *mut py::PyObject, closure: *mut c_void) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    // SAFETY: a descriptor of `coroutine_attributes`.
    let name = unsafe { name_of(closure) };
    // SAFETY: an instance of the type whose descriptor this is, held by the caller.
    let function = unsafe { T::function_of(object) };
    let found = build::interned(name).and_then(|interned| {
        if let Some(own) = read::get_item(dict_of(this)?.borrow(), interned.borrow())? {
            return Ok(own);
        }
        let function = function.map_or_else(build::none, Borrowed::to_owned);
        let function = function.borrow();
        if FUNCTION_LIKE.contains(&name) && is_function(function) && code_flags(function)? & CO_COROUTINE != 0 {
            return function.attr(interned.borrow());
        }
        ask(c"attribute", &[function, interned.borrow()])
    });
    to_slot(found)
}

/// Writes to the `__dict__`.
///
/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn set_attribute(object: *mut py::PyObject, value: *mut py::PyObject, closure: *mut c_void) -> c_int {
    // SAFETY: the slot's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    // SAFETY: a descriptor of `coroutine_attributes`.
    let name = unsafe { name_of(closure) };
    let done = build::interned(name).and_then(|name| {
        let dict = dict_of(this)?;
        if !value.is_null() {
            // SAFETY: the slot's own argument, and not null.
            return set_item(&dict, name.borrow(), unsafe { Borrowed::from_ptr(value) });
        }
        if read::get_item(dict.borrow(), name.borrow())?.is_none() {
            return Err(Raised::with(Kind::Attribute, c"%R", name.borrow()));
        }
        // SAFETY: a dict and a str.
        match unsafe { py::PyDict_DelItem(dict.as_ptr(), name.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::by_callee()),
        }
    });
    to_status(done)
}

const fn attribute<T: Wraps>(name: &'static CStr) -> py::PyGetSetDef {
    py::PyGetSetDef {
        name: name.as_ptr(),
        get: Some(get_attribute::<T>),
        set: Some(set_attribute),
        doc: ptr::null(),
        closure: name.as_ptr().cast_mut().cast(),
    }
}

const DICT: py::PyGetSetDef = py::PyGetSetDef {
    name: c"__dict__".as_ptr(),
    get: Some(py::PyObject_GenericGetDict as unsafe extern "C" fn(*mut py::PyObject, *mut c_void) -> *mut py::PyObject),
    set: Some(py::PyObject_GenericSetDict),
    doc: ptr::null(),
    closure: ptr::null_mut(),
};

/// The attributes that are no methods.
pub static ATTRIBUTES: Table<py::PyGetSetDef, 3> =
    Table::new([DICT, libraries::ATTRIBUTES[0], libraries::ATTRIBUTES[1]]);

/// The same, for the type of what is made of coroutine functions.
pub const fn coroutine_attributes<T: Wraps>() -> Table<py::PyGetSetDef, 8> {
    let [code, defaults, keyword_defaults] = FUNCTION_LIKE;
    let [class, closure] = libraries::ATTRIBUTES;
    Table::new([
        DICT,
        class,
        closure,
        attribute::<T>(c"__name__"),
        attribute::<T>(code),
        attribute::<T>(defaults),
        attribute::<T>(keyword_defaults),
        attribute::<T>(MARK),
    ])
}

/// The attributes of caches of coroutine functions.
pub static COROUTINE_ATTRIBUTES: Table<py::PyGetSetDef, 8> = coroutine_attributes::<Wrapper>();
