//! References to Python objects: owned ones, which are given back when dropped, and borrowed ones.

use super::compat::recursion::check_stack;
use super::sync::{decref, incref, is_only_reference};
use super::{Raised, Result};
use pyo3_ffi as py;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// A reference of our own. Dropping it may run Python code (finalizers, weak reference callbacks), so it is never
/// dropped inside a borrow of the store.
#[repr(transparent)]
pub struct Owned(NonNull<py::PyObject>);

impl Owned {
    /// Takes over what a C call returned: a new reference, or null with an exception set.
    ///
    /// # Safety
    /// A pointer that is not null carries a reference that nobody else will give back.
    #[inline(always)]
    pub unsafe fn from_call(pointer: *mut py::PyObject) -> Result<Self> {
        NonNull::new(pointer).map(Self).ok_or_else(Raised::by_callee)
    }

    /// # Safety
    /// The pointer is not null and carries a reference that nobody else will give back.
    #[inline(always)]
    pub unsafe fn from_ptr(pointer: *mut py::PyObject) -> Self {
        // SAFETY: not null, as the caller says.
        Self(unsafe { NonNull::new_unchecked(pointer) })
    }

    /// Gives the reference to C.
    #[inline(always)]
    pub fn into_ptr(self) -> *mut py::PyObject {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// A view for as long as this reference stands.
    #[inline(always)]
    pub fn borrow(&self) -> Borrowed<'_> {
        Borrowed(self.0, PhantomData)
    }

    /// The pointer; the reference stays here.
    #[inline(always)]
    pub fn as_ptr(&self) -> *mut py::PyObject {
        self.0.as_ptr()
    }
}

impl Clone for Owned {
    #[inline(always)]
    fn clone(&self) -> Self {
        // Volatile: read once. The compiler would read it again after counting, which might have changed it for all it
        // knows, and this is the hit path.
        // SAFETY: a field of a live value.
        let pointer = unsafe { (&raw const self.0).read_volatile() };
        Borrowed(pointer, PhantomData).to_owned()
    }
}

impl Drop for Owned {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the reference is ours and ends here, on an attached thread.
        unsafe { decref(self.0.as_ptr()) };
    }
}

/// A reference that someone else holds for `'a`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Borrowed<'a>(NonNull<py::PyObject>, PhantomData<&'a py::PyObject>);

impl<'a> Borrowed<'a> {
    /// # Safety
    /// The object is not null and somebody holds a reference to it for all of `'a`.
    #[inline(always)]
    pub const unsafe fn from_ptr(pointer: *mut py::PyObject) -> Self {
        // SAFETY: not null, as the caller says.
        Self(unsafe { NonNull::new_unchecked(pointer) }, PhantomData)
    }

    /// A reference of our own to the same object.
    #[inline(always)]
    pub fn to_owned(self) -> Owned {
        let pointer = self.0.as_ptr();
        // SAFETY: the object is live for 'a.
        unsafe { incref(pointer) };
        // SAFETY: the same pointer.
        Owned(unsafe { NonNull::new_unchecked(pointer) })
    }

    /// The pointer.
    #[inline(always)]
    pub const fn as_ptr(self) -> *mut py::PyObject {
        self.0.as_ptr()
    }

    /// The first of the arguments that vectorcall hands over.
    ///
    /// # Safety
    /// There is one, and the call does not return during `'a`.
    #[inline(always)]
    pub const unsafe fn first_of(args: *const *mut py::PyObject) -> Self {
        // SAFETY: there is one; `Borrowed` is a pointer that is not null in all but name.
        unsafe { *args.cast() }
    }

    /// `object is None`.
    #[inline(always)]
    pub fn is_none(self) -> bool {
        // SAFETY: set up before any extension is imported.
        self.as_ptr() == unsafe { py::Py_None() }
    }

    /// `a is b`.
    #[inline(always)]
    pub fn is(self, other: Borrowed<'_>) -> bool {
        self.0 == other.0
    }

    /// The object's type.
    #[inline(always)]
    pub fn type_ptr(self) -> *mut py::PyTypeObject {
        // SAFETY: the object is live for 'a.
        unsafe { py::Py_TYPE(self.0.as_ptr()) }
    }

    /// `hash(object)`. Reenters: `__hash__`. `RecursionError` where the stack has no room for that.
    #[inline]
    pub fn hash(self) -> Result<isize> {
        check_stack()?;
        // SAFETY: the object is live for 'a.
        match unsafe { py::PyObject_Hash(self.0.as_ptr()) } {
            -1 => Err(Raised::by_callee()),
            hash => Ok(hash),
        }
    }

    /// `self is other or self == other`. Reenters: `__eq__` of both, and `__bool__` of what it returns. `RecursionError` where
    /// the stack has no room for that; CPython counts the level.
    #[inline]
    pub fn equals(self, other: Borrowed<'_>) -> Result<bool> {
        check_stack()?;
        // SAFETY: both objects are live.
        match unsafe { py::PyObject_RichCompareBool(self.0.as_ptr(), other.0.as_ptr(), py::Py_EQ) } {
            -1 => Err(Raised::by_callee()),
            answer => Ok(answer != 0),
        }
    }

    /// `getattr(object, name)`. Reenters: `__getattribute__`, `__getattr__`, descriptors.
    pub fn attr(self, name: Borrowed<'_>) -> Result<Owned> {
        // SAFETY: both objects are live; the call returns a new reference or null.
        let pointer = unsafe { py::PyObject_GetAttr(self.0.as_ptr(), name.0.as_ptr()) };
        // SAFETY: a new reference, or null with an exception set.
        unsafe { Owned::from_call(pointer) }
    }

    /// `bool(object)`. Reenters: `__bool__`, `__len__`.
    pub fn is_true(self) -> Result<bool> {
        // SAFETY: the object is live for 'a.
        match unsafe { py::PyObject_IsTrue(self.0.as_ptr()) } {
            -1 => Err(Raised::by_callee()),
            truth => Ok(truth != 0),
        }
    }

    /// `callable(object)`.
    pub fn is_callable(self) -> bool {
        // SAFETY: the object is live for 'a.
        unsafe { py::PyCallable_Check(self.0.as_ptr()) != 0 }
    }

    /// Whether the reference that this object is known by is the only one, and no other thread can get one.
    #[inline(always)]
    pub fn is_only_reference(self) -> bool {
        // SAFETY: the object is live for 'a.
        unsafe { is_only_reference(self.as_ptr()) }
    }
}
