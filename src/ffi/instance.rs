//! Instances of types of ours that are a head of CPython's and a Rust value, and typed references to them.

use super::types::{allocate, free, type_from_slots};
use super::{Borrowed, Owned, Result};
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::ops::Deref;

/// What lies in memory.
#[repr(C)]
struct Object<F> {
    _ob_base: py::PyObject,
    fields: F,
}

/// A type of ours in one interpreter whose instances hold an `F`, and which nobody else makes instances of.
#[repr(transparent)]
pub struct Type<F>(Owned, PhantomData<fn() -> F>);

impl<F: 'static> Type<F> {
    /// Makes the type, with these slots besides those of its memory. With `tp_traverse` among them the collector knows the instances;
    /// what they hold never changes, so that others in a cycle through them have to let go. The tables that the slots lead to are
    /// static.
    pub fn make(module: Borrowed<'_>, name: &'static CStr, more: &[(c_int, *mut c_void)]) -> Result<Self> {
        Self::make_with_dealloc(module, name, dealloc::<F>, more)
    }

    /// As [`Type::make`], where an instance has something to do before its end: such a function does so, and then calls
    /// [`dealloc`].
    pub fn make_with_dealloc(
        module: Borrowed<'_>,
        name: &'static CStr,
        dealloc: py::destructor,
        more: &[(c_int, *mut c_void)],
    ) -> Result<Self> {
        let mut slots: Vec<_> = more.iter().map(|&(slot, pfunc)| py::PyType_Slot { slot, pfunc }).collect();
        slots.push(py::PyType_Slot { slot: py::Py_tp_dealloc, pfunc: dealloc as *mut c_void });
        slots.push(py::PyType_Slot { slot: 0, pfunc: std::ptr::null_mut() });
        let mut flags = py::Py_TPFLAGS_DEFAULT | py::Py_TPFLAGS_IMMUTABLETYPE | py::Py_TPFLAGS_DISALLOW_INSTANTIATION;
        if more.iter().any(|&(slot, _)| slot == py::Py_tp_traverse) {
            flags |= py::Py_TPFLAGS_HAVE_GC;
        }
        let made = type_from_slots(module, name, size_of::<Object<F>>(), flags, &mut slots)?;
        Ok(Self(made, PhantomData))
    }

    /// An instance. Runs no Python code.
    pub fn create(&self, fields: F) -> Result<Made<F>> {
        // SAFETY: this type, which has no subclass, of whose fresh instance nobody else knows.
        let object = unsafe { allocate(self.0.borrow()) }?;
        // SAFETY: within the object.
        let place = unsafe { &raw mut (*object.as_ptr().cast::<Object<F>>()).fields };
        // SAFETY: of this type's size, and zero, which owns nothing. The collector does not run in between.
        unsafe { place.write(fields) };
        Ok(Made(object, PhantomData))
    }

    /// The object, if it is an instance.
    #[inline(always)]
    pub fn instance<'a>(&self, object: Borrowed<'a>) -> Option<Instance<'a, F>> {
        (object.type_ptr().cast() == self.0.as_ptr()).then_some(Instance(object, PhantomData))
    }
}

impl<F> Deref for Type<F> {
    type Target = Owned;

    fn deref(&self) -> &Owned {
        &self.0
    }
}

/// A reference of our own to an instance. Reenters when dropped: as its fields do.
#[repr(transparent)]
pub struct Made<F>(Owned, PhantomData<F>);

impl<F> Made<F> {
    /// A view for as long as this reference stands.
    #[inline(always)]
    pub fn borrow(&self) -> Instance<'_, F> {
        Instance(self.0.borrow(), PhantomData)
    }

    /// The object, of any type.
    #[inline(always)]
    pub fn object(&self) -> &Owned {
        &self.0
    }

    /// The same, as a reference of the caller's.
    #[inline(always)]
    pub fn into_object(self) -> Owned {
        self.0
    }
}

impl<F> Clone for Made<F> {
    #[inline(always)]
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<F> Deref for Made<F> {
    type Target = F;

    #[inline(always)]
    fn deref(&self) -> &F {
        self.borrow().fields()
    }
}

/// A reference to an instance that someone else holds for `'a`.
#[repr(transparent)]
pub struct Instance<'a, F>(Borrowed<'a>, PhantomData<&'a F>);

impl<F> Clone for Instance<'_, F> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Instance<'_, F> {}

impl<'a, F> Instance<'a, F> {
    /// The object of a slot function or a method.
    ///
    /// # Safety
    /// An instance of a [`Type`] of this `F`, held for `'a`.
    #[inline(always)]
    pub unsafe fn of_slot(object: *mut py::PyObject) -> Self {
        // SAFETY: not null, and held, as the caller says.
        Self(unsafe { Borrowed::from_ptr(object) }, PhantomData)
    }

    /// The object, of any type.
    #[inline(always)]
    pub fn object(self) -> Borrowed<'a> {
        self.0
    }

    /// A reference of our own.
    #[inline(always)]
    pub fn to_owned(self) -> Made<F> {
        Made(self.0.to_owned(), PhantomData)
    }

    /// What it holds.
    #[inline(always)]
    pub fn fields(self) -> &'a F {
        // SAFETY: an instance, whose fields are written when it is made, and dropped when no reference is left.
        unsafe { &(*self.0.as_ptr().cast::<Object<F>>()).fields }
    }
}

impl<F> Deref for Instance<'_, F> {
    type Target = F;

    #[inline(always)]
    fn deref(&self) -> &F {
        self.fields()
    }
}

/// `tp_dealloc`. The memory is freed before the fields are dropped: what that runs may lead to as long a chain as it likes. Reenters:
/// as the fields' drop does.
///
/// # Safety
/// An instance of a [`Type`] of this `F`, to which no reference is left.
pub unsafe extern "C" fn dealloc<F>(object: *mut py::PyObject) {
    // SAFETY: a whole instance.
    let place = unsafe { &raw const (*object.cast::<Object<F>>()).fields };
    // SAFETY: nobody else reaches the fields; they are not used any more where they lie.
    let fields = unsafe { place.read() };
    // SAFETY: no reference is left, and nothing but the head.
    let kind = unsafe { free(object) };
    drop(fields);
    drop(kind);
}
