//! Tables of methods, functions and attributes, and the functions in them that C calls.

use super::Borrowed;
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

/// What a table of C's consists of.
///
/// # Safety
/// It is of pointers, numbers and functions alone, and one that is all zero ends a table.
pub unsafe trait Entry: Copy {}

// SAFETY: Include/methodobject.h.
unsafe impl Entry for py::PyMethodDef {}
// SAFETY: Include/descrobject.h.
unsafe impl Entry for py::PyGetSetDef {}
// SAFETY: Include/descrobject.h.
unsafe impl Entry for py::PyMemberDef {}

/// A table that C reads and nobody writes.
#[repr(C)]
pub struct Table<T, const N: usize> {
    entries: [T; N],
    end: T,
}

// SAFETY: names, functions and documentation, all of them constant.
unsafe impl<T: Entry, const N: usize> Sync for Table<T, N> {}

impl<T: Entry, const N: usize> Table<T, N> {
    /// A table of these.
    pub const fn new(entries: [T; N]) -> Self {
        // SAFETY: of pointers and numbers, for which zero is a value.
        Self { entries, end: unsafe { std::mem::zeroed() } }
    }

    /// Its entries, without the one that ends it.
    pub const fn entries(&self) -> &[T] {
        &self.entries
    }

    /// Where it begins.
    pub const fn as_ptr(&'static self) -> *mut T {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// As a type's slot has it.
    pub const fn as_slot(&'static self) -> *mut c_void {
        self.as_ptr().cast()
    }
}

/// A method or function that takes arguments by position and by name.
pub const fn with_arguments(
    name: &'static CStr,
    function: py::PyCFunctionFastWithKeywords,
    doc: &'static CStr,
) -> py::PyMethodDef {
    let function = py::PyMethodDefPointer { PyCFunctionFastWithKeywords: function };
    definition(name, function, py::METH_FASTCALL | py::METH_KEYWORDS, Some(doc))
}

/// A method or function that takes no arguments.
pub const fn without_arguments(name: &'static CStr, function: py::PyCFunction, doc: &'static CStr) -> py::PyMethodDef {
    definition(name, py::PyMethodDefPointer { PyCFunction: function }, py::METH_NOARGS, Some(doc))
}

/// A method or function that takes one argument by position.
pub const fn with_one_argument(name: &'static CStr, function: py::PyCFunction, doc: &'static CStr) -> py::PyMethodDef {
    definition(name, py::PyMethodDefPointer { PyCFunction: function }, py::METH_O, Some(doc))
}

/// Any method or function, with its flags.
pub const fn definition(
    name: &'static CStr,
    function: py::PyMethodDefPointer,
    flags: c_int,
    doc: Option<&'static CStr>,
) -> py::PyMethodDef {
    py::PyMethodDef { ml_name: name.as_ptr(), ml_meth: function, ml_flags: flags, ml_doc: pointer_of(doc) }
}

/// An attribute that is read by a function, and not written.
pub const fn getter(name: &'static CStr, get: py::getter, doc: Option<&'static CStr>) -> py::PyGetSetDef {
    py::PyGetSetDef { name: name.as_ptr(), get: Some(get), set: None, doc: pointer_of(doc), closure: ptr::null_mut() }
}

/// Tells CPython at which offset of an object a field of its own lies.
pub const fn member(name: &'static CStr, offset: usize) -> py::PyMemberDef {
    py::PyMemberDef {
        name: name.as_ptr(),
        type_code: py::Py_T_PYSSIZET,
        offset: offset as py::Py_ssize_t,
        flags: py::Py_READONLY,
        doc: ptr::null(),
    }
}

const fn pointer_of(doc: Option<&'static CStr>) -> *const std::ffi::c_char {
    match doc {
        Some(doc) => doc.as_ptr(),
        None => ptr::null(),
    }
}

/// What a method is called on.
///
/// # Safety
/// [`Receiver::of`] has no other conditions than those that it names.
pub unsafe trait Receiver<'a>: Sized {
    /// The object as its methods see it.
    ///
    /// # Safety
    /// It is an instance of the type in whose table the method is, and stands for `'a`.
    unsafe fn of(object: Borrowed<'a>) -> Self;
}

// SAFETY: any object will do.
unsafe impl<'a> Receiver<'a> for Borrowed<'a> {
    unsafe fn of(object: Borrowed<'a>) -> Self {
        object
    }
}

/// Defines what C calls, and keeps the object alive meanwhile: for methods on a `Receiver`, and with `Borrowed<'_>` for functions of the
/// module. Each form is for one of the functions that make a table's entry: `|this, args|` for [`with_arguments`], `|this|` for
/// [`without_arguments`] and `|this; argument|` for [`with_one_argument`].
macro_rules! methods {
    ($receiver:ty:) => {};
    ($receiver:ty: $name:ident = |$this:ident, $args:ident| $body:expr; $($more:tt)*) => {
        /// # Safety
        /// CPython's call of the method, on an instance of the type, with arguments as the form says.
        unsafe extern "C" fn $name(
            object: *mut pyo3_ffi::PyObject,
            args: *const *mut pyo3_ffi::PyObject,
            nargs: pyo3_ffi::Py_ssize_t,
            kwnames: *mut pyo3_ffi::PyObject,
        ) -> *mut pyo3_ffi::PyObject {
            // SAFETY: what the method is called on, held by the caller.
            let object = unsafe { $crate::ffi::Borrowed::from_ptr(object) };
            let _alive = object.to_owned();
            // SAFETY: an instance of the type whose method this is.
            let $this = unsafe { <$receiver as $crate::ffi::method_table::Receiver>::of(object) };
            // SAFETY: the arguments of a method called with FASTCALL and KEYWORDS, during the call.
            let $args = unsafe { $crate::ffi::CallArgs::new(args, nargs as usize, kwnames) };
            $crate::ffi::call::to_slot($body)
        }
        $crate::ffi::method_table::methods!($receiver: $($more)*);
    };
    ($receiver:ty: $name:ident = |$this:ident| $body:expr; $($more:tt)*) => {
        /// # Safety
        /// CPython's call of the method, on an instance of the type, with arguments as the form says.
        unsafe extern "C" fn $name(
            object: *mut pyo3_ffi::PyObject,
            _none: *mut pyo3_ffi::PyObject,
        ) -> *mut pyo3_ffi::PyObject {
            // SAFETY: what the method is called on, held by the caller.
            let object = unsafe { $crate::ffi::Borrowed::from_ptr(object) };
            let _alive = object.to_owned();
            // SAFETY: an instance of the type whose method this is.
            let $this = unsafe { <$receiver as $crate::ffi::method_table::Receiver>::of(object) };
            $crate::ffi::call::to_slot($body)
        }
        $crate::ffi::method_table::methods!($receiver: $($more)*);
    };
    ($receiver:ty: $name:ident = |$this:ident; $argument:ident| $body:expr; $($more:tt)*) => {
        /// # Safety
        /// CPython's call of the method, on an instance of the type, with arguments as the form says.
        unsafe extern "C" fn $name(
            object: *mut pyo3_ffi::PyObject,
            argument: *mut pyo3_ffi::PyObject,
        ) -> *mut pyo3_ffi::PyObject {
            // SAFETY: what the method is called on, held by the caller.
            let object = unsafe { $crate::ffi::Borrowed::from_ptr(object) };
            let _alive = object.to_owned();
            // SAFETY: an instance of the type whose method this is.
            let $this = unsafe { <$receiver as $crate::ffi::method_table::Receiver>::of(object) };
            // SAFETY: the one argument of a method called with O, held by the caller.
            let $argument = unsafe { $crate::ffi::Borrowed::from_ptr(argument) };
            $crate::ffi::call::to_slot($body)
        }
        $crate::ffi::method_table::methods!($receiver: $($more)*);
    };
}

pub(crate) use methods;
