//! What other libraries ask of functools' caches, answered for these.
//!
//! `f.__class__` is functools' type, while `type(f)` is ours: so `isinstance(f, functools._lru_cache_wrapper)` holds, and the class
//! comes from the module `functools`. The libraries that then do something with a cache of their own are told of ours by
//! `tamis/_libraries.py`, once they are imported.

use crate::ffi::method_table::{methods, without_arguments};
use crate::ffi::{Borrowed, Owned, Raised, Result, build, call, read, to_slot};
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::c_void;
use std::ptr;

/// `__class__`: functools' type. Reenters: as `Libraries::tell`.
///
/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn class(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    // SAFETY: the getter's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    let _alive = this.to_owned();
    to_slot(State::of_instance(this).map(|state| {
        // beartype asks this first.
        state.libraries.tell();
        state.libraries.class().cloned().unwrap_or_else(|| kind_of(this).to_owned())
    }))
}

fn kind_of(object: Borrowed<'_>) -> Borrowed<'_> {
    // SAFETY: a live object's type is live.
    unsafe { Borrowed::from_ptr(object.type_ptr().cast()) }
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn set_class(_: *mut py::PyObject, _: *mut py::PyObject, _: *mut c_void) -> std::ffi::c_int {
    let _raised = Raised::type_error(c"__class__ assignment is not supported for what tamis's decorators return");
    -1
}

/// `__closure__`: the function's. Reenters: its attributes.
///
/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn closure(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    // SAFETY: the getter's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    to_slot(State::of_instance(this).and_then(|state| {
        let function = this.attr(state.names.wrapped.borrow())?;
        function.borrow().attr(build::interned(c"__closure__")?.borrow())
    }))
}

/// Attributes of cached functions and cached methods.
pub const ATTRIBUTES: [py::PyGetSetDef; 2] = [
    py::PyGetSetDef {
        name: c"__class__".as_ptr(),
        get: Some(class),
        set: Some(set_class),
        doc: c"The type of functools' caches, for who asks by isinstance(). type() is tamis's own.".as_ptr(),
        closure: ptr::null_mut(),
    },
    py::PyGetSetDef {
        name: c"__closure__".as_ptr(),
        get: Some(closure),
        set: None,
        doc: c"The function's. What makes a class anew, such as attrs, changes the class that super() finds there."
            .as_ptr(),
        closure: ptr::null_mut(),
    },
];

/// `dir(object)`: object's own goes by `__class__`. Reenters: attributes of the type.
fn names_of(this: Borrowed<'_>) -> Result<Owned> {
    // SAFETY: a live object's type; a new list or null.
    let pointer = unsafe { py::PyObject_Dir(kind_of(this).as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let of_type = unsafe { Owned::from_call(pointer) }?;
    // SAFETY: an object of ours has a dict; a new reference or null.
    let pointer = unsafe { py::PyObject_GenericGetDict(this.as_ptr(), ptr::null_mut()) };
    // SAFETY: a new reference, or null with an exception set.
    let own = unsafe { Owned::from_call(pointer) }?;
    // SAFETY: a live list; a new set or null.
    let pointer = unsafe { py::PySet_New(of_type.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let names = unsafe { Owned::from_call(pointer) }?;
    for (name, _) in read::dict_pairs(own.borrow())? {
        build::add(&names, name.borrow())?;
    }
    // SAFETY: a live set; a new list or null.
    let pointer = unsafe { py::PySequence_List(names.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// What pickle stores: a reference, which is to say the qualified name. Reenters: as `Libraries::tell`.
///
/// A library that is told only now has looked up the type's own way of pickling before: it is given the object itself once more, to be
/// pickled that way.
fn reduced(this: Borrowed<'_>) -> Result<Owned> {
    let state = State::of_instance(this)?;
    if !state.libraries.tell() {
        return this.attr(state.names.qualname.borrow());
    }
    let same = call::import(c"tamis._libraries", c"same")?;
    build::tuple(&[same.borrow(), build::tuple(&[this])?.borrow()])
}

methods! {
    Borrowed<'_>:
    dir = |this| names_of(this);
    reduce = |this| reduced(this);
}

/// Methods of cached functions and cached methods.
pub const METHODS: [py::PyMethodDef; 2] = [
    without_arguments(c"__dir__", dir, c"The names of all attributes."),
    without_arguments(c"__reduce__", reduce, c"Pickle by reference."),
];
