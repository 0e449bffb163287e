//! Calls, imports, and what slot functions return.

use super::compat::recursion::Level;
use super::sync::type_flags;
use super::{Borrowed, CallArgs, Owned, Raised, Result, build};
use pyo3_ffi as py;
use std::ffi::{CStr, c_int};
use std::ptr::NonNull;

impl Borrowed<'_> {
    /// The result of calling the object with these arguments. Reenters: the object.
    ///
    /// `RecursionError` where calls nest too deep: CPython counts a level where C code calls an object by `tp_call`, as it calls
    /// functools' caches, and not where it calls it by vectorcall, as it calls ours. So each call from here is a level.
    #[inline(always)]
    pub fn call(self, args: &CallArgs<'_>) -> Result<Owned> {
        let (values, positional, kwnames) = args.as_raw();
        // SAFETY: arguments that are held during the call.
        let result = unsafe { self.call_in_place(values, positional, kwnames) };
        // SAFETY: a new reference, or null with an exception set.
        unsafe { Owned::from_call(result) }
    }

    /// The same: a new reference, or null with an exception set. It takes nothing of its caller's stack. Reenters: the object.
    ///
    /// # Safety
    /// Arguments as vectorcall has them, during the call.
    #[inline(always)]
    pub unsafe fn call_in_place(
        self,
        values: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        let Ok(_level) = Level::enter() else { return std::ptr::null_mut() };
        if self.type_ptr() == &raw mut py::PyFunction_Type {
            // SAFETY: as the caller says.
            unsafe { self.call_function_in_place(values, positional, kwnames) }
        } else {
            // SAFETY: as the caller says.
            unsafe { self.call_held(values, positional, kwnames) }
        }
    }

    /// Calls an object of any type. Reenters: the object.
    ///
    /// # Safety
    /// As [`Borrowed::call_in_place`].
    #[inline(never)]
    pub unsafe fn call_held(
        self,
        values: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        // Python functions are held by their frames; C code may run on after its object is gone.
        let _held = self.to_owned();
        // SAFETY: as the caller says. The result is checked: C code may break the rules.
        unsafe { py::PyObject_Vectorcall(self.as_ptr(), values, positional, kwnames) }
    }

    /// Calls a Python function as `PyObject_Vectorcall` does it, without its checks for C functions
    /// (Include/internal/pycore_call.h). A new reference, or null with an exception set. Reenters: the function.
    ///
    /// # Safety
    /// The arguments of a call that has not returned.
    #[inline(always)]
    pub unsafe fn call_function_in_place(
        self,
        values: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        let kind = self.type_ptr();
        let mut function = None;
        // SAFETY: a live object's type is live.
        if unsafe { type_flags(kind) } & py::Py_TPFLAGS_HAVE_VECTORCALL != 0 {
            // SAFETY: as above.
            let offset = unsafe { (*kind).tp_vectorcall_offset };
            // SAFETY: the flag says that there is a function, or null, at this offset of the object.
            let place = unsafe { self.as_ptr().byte_offset(offset) };
            // SAFETY: as above.
            function = unsafe { *place.cast::<Option<py::vectorcallfunc>>() };
        }
        match function {
            // SAFETY: the object's own function, and the arguments of a call that has not returned.
            Some(function) => unsafe { function(self.as_ptr(), values, positional, kwnames) },
            // SAFETY: the arguments of a call that has not returned.
            None => unsafe { py::PyObject_Vectorcall(self.as_ptr(), values, positional, kwnames) },
        }
    }
}

/// The result of calling `callable` with these positional arguments. Reenters: the callable.
pub fn with(callable: Borrowed<'_>, args: &[Borrowed<'_>]) -> Result<Owned> {
    callable.call(&CallArgs::of_positional(args))
}

/// The result of calling the method of this name of the first argument with the others. Reenters: the method.
pub fn method(name: &CStr, args: &CallArgs<'_>) -> Result<Owned> {
    let name = build::interned(name)?;
    let (values, positional, kwnames) = args.as_raw();
    // SAFETY: a live str, and arguments that are held during the call, one positional one at least.
    let result = unsafe { py::PyObject_VectorcallMethod(name.as_ptr(), values, positional, kwnames) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(result) }
}

/// The module of this name. Reenters: its code, if it was not imported yet.
pub fn module(name: &CStr) -> Result<Owned> {
    // SAFETY: a terminated string.
    let pointer = unsafe { py::PyImport_ImportModule(name.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// `module.name`. Reenters: as [`module`].
pub fn import(name: &CStr, attribute: &CStr) -> Result<Owned> {
    module(name)?.borrow().attr(build::interned(attribute)?.borrow())
}

/// The module of this name, if it has been imported.
pub fn imported(name: &CStr) -> Result<Option<Owned>> {
    // SAFETY: a live str; a new reference, or null, with an exception set if something failed.
    let module = unsafe { py::PyImport_GetModule(build::interned(name)?.as_ptr()) };
    match NonNull::new(module) {
        // SAFETY: a new reference.
        Some(module) => Ok(Some(unsafe { Owned::from_ptr(module.as_ptr()) })),
        // SAFETY: an attached thread.
        None if unsafe { py::PyErr_Occurred() }.is_null() => Ok(None),
        None => Err(Raised::by_callee()),
    }
}

/// Turns a result into what a slot function returns: a new reference, or null with the exception set.
#[inline(always)]
pub fn to_slot(result: Result<Owned>) -> *mut py::PyObject {
    match result {
        Ok(object) => object.into_ptr(),
        Err(_raised) => std::ptr::null_mut(),
    }
}

/// Turns a result into what slot functions of success and failure return.
#[inline]
pub fn to_status(result: Result<()>) -> c_int {
    if result.is_ok() { 0 } else { -1 }
}
