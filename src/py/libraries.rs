//! What other libraries ask of functools' caches, answered for these.
//!
//! `f.__class__` is functools' type, while `type(f)` is ours: so `isinstance(f, functools._lru_cache_wrapper)` holds, and the class
//! comes from the module `functools`. The libraries that then do something with a cache of their own are told of ours by
//! `tamis/_libraries.py`, once they are imported.

use crate::ffi::{Borrowed, Owned, Raised, Result, compat, object, plain};
use crate::module::State;
use pyo3_ffi as py;
use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Modules that something is told to. `tamis/_libraries.py` has a function for each.
const NAMES: [&CStr; 6] = [
    c"beartype",
    c"cloudpickle",
    c"dill",
    // Copies of cloudpickle.
    c"joblib.externals.cloudpickle",
    c"pyspark.cloudpickle",
    c"ray.cloudpickle",
];

/// What an interpreter knows of other libraries.
pub struct Libraries {
    /// `functools._lru_cache_wrapper`, if there is one that is a type. Found when it is first asked for: importing tamis imports
    /// nothing else.
    class: OnceLock<Option<Owned>>,
    /// Of [`NAMES`].
    names: Vec<Owned>,
    /// A bit for each library that has been told.
    told: AtomicU32,
}

impl Libraries {
    /// Nothing is told to anybody yet.
    pub fn new() -> Result<Self> {
        let names = NAMES.iter().map(|name| object::interned(name)).collect::<Result<_>>()?;
        Ok(Self { class: OnceLock::new(), names, told: AtomicU32::new(0) })
    }

    /// For the collector.
    pub fn held(&self) -> Option<&Owned> {
        self.class.get()?.as_ref()
    }

    /// Reenters at first: an import of a module that is part of CPython.
    fn class(&self) -> Option<&Owned> {
        if self.class.get().is_none() {
            // Outside of the cell, which another thread may be filling: an import may wait for that.
            drop(self.class.set(functools_type()));
        }
        self.held()
    }

    /// Tells those that have been imported since the last time. Whether there was one. Reenters where there is one: an import of
    /// ours, and that library.
    pub fn tell(&self) -> bool {
        // Relaxed: told twice does no harm.
        let told = self.told.load(Ordering::Relaxed);
        // SAFETY: an attached thread; a borrowed reference, or null when the interpreter ends.
        let modules = unsafe { py::PyImport_GetModuleDict() };
        if modules.is_null() || compat::is_finalizing() {
            return false;
        }
        let mut new = 0;
        for (at, name) in self.names.iter().enumerate() {
            // SAFETY: the dict of modules, and a live str.
            if told & (1 << at) == 0 && unsafe { py::PyDict_Contains(modules, name.as_ptr()) } == 1 && tell(name) {
                new |= 1 << at;
            }
        }
        if new != 0 {
            self.told.fetch_or(new, Ordering::Relaxed);
        }
        new != 0
    }
}

/// Whether the library was told. What goes wrong is that library's, or the end of the interpreter: nothing was asked of us. Reenters.
fn tell(name: &Owned) -> bool {
    let mut told = false;
    object::with_exception_aside(|| {
        let answer = object::import(c"tamis._libraries", c"tell")
            .and_then(|tell| object::call_with(tell.borrow(), &[name.borrow()])?.borrow().is_true());
        told = answer.unwrap_or_else(|raised| {
            drop(raised.take());
            false
        });
    });
    told
}

fn functools_type() -> Option<Owned> {
    let found = match object::import(c"_functools", c"_lru_cache_wrapper") {
        Ok(found) => found,
        Err(raised) => {
            drop(raised.take());
            return None;
        }
    };
    // SAFETY: a live object.
    (unsafe { py::PyType_Check(found.as_ptr()) } != 0).then_some(found)
}

/// `__class__`: functools' type. Reenters: as [`Libraries::tell`].
unsafe extern "C" fn class(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    // SAFETY: the getter's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    let _alive = this.to_owned();
    object::to_slot(State::of_instance(this).map(|state| {
        // beartype asks this first.
        state.libraries.tell();
        state.libraries.class().cloned().unwrap_or_else(|| kind_of(this).to_owned())
    }))
}

fn kind_of(object: Borrowed<'_>) -> Borrowed<'_> {
    // SAFETY: a live object's type is live.
    unsafe { Borrowed::from_ptr(object.type_ptr().cast()) }
}

unsafe extern "C" fn set_class(_: *mut py::PyObject, _: *mut py::PyObject, _: *mut c_void) -> std::ffi::c_int {
    let _raised = Raised::type_error(c"__class__ assignment is not supported for what tamis's decorators return");
    -1
}

/// `__closure__`: the function's. Reenters: its attributes.
unsafe extern "C" fn closure(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    // SAFETY: the getter's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    object::to_slot(State::of_instance(this).and_then(|state| {
        let function = this.attr(state.names.wrapped.borrow())?;
        function.borrow().attr(object::interned(c"__closure__")?.borrow())
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

/// `__dir__()`: object's own goes by `__class__`. Reenters: attributes of the type.
unsafe extern "C" fn dir(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the method's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    object::to_slot(names_of(this))
}

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
    for (name, _) in object::dict_items(own.borrow())? {
        plain::add(&names, name.borrow())?;
    }
    // SAFETY: a live set; a new list or null.
    let pointer = unsafe { py::PySequence_List(names.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// `__reduce__()`: by reference, which is to say the qualified name. Reenters: as [`Libraries::tell`].
///
/// A library that is told only now has got the type's own way of pickling behind its back: the object itself, once more, goes that way.
unsafe extern "C" fn reduce(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the method's own argument.
    let this = unsafe { Borrowed::from_ptr(object) };
    let _alive = this.to_owned();
    object::to_slot(State::of_instance(this).and_then(|state| {
        if !state.libraries.tell() {
            return this.attr(state.names.qualname.borrow());
        }
        let same = object::import(c"tamis._libraries", c"same")?;
        object::tuple(&[same.borrow(), object::tuple(&[this])?.borrow()])
    }))
}

/// Methods of cached functions and cached methods.
pub const METHODS: [py::PyMethodDef; 2] = [
    super::wrapper::without_arguments(c"__dir__", dir, py::METH_NOARGS, c"The names of all attributes."),
    super::wrapper::without_arguments(c"__reduce__", reduce, py::METH_NOARGS, c"Pickle by reference."),
];
