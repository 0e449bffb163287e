//! Dropping chains of objects, however long, without a deep stack.
//!
//! CPython's own containers put off what lies too deep (the "trashcan" of Objects/object.c), which types of others can't do by
//! themselves: what they hold goes through a list of CPython's.

use super::reference::Owned;
use super::thread::with_exception_aside;
use pyo3_ffi as py;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;

/// Drops references so that what they set off nests no deeper than CPython lets it: its lists put off what lies too deep
/// (the "trashcan" of Objects/object.c), which types of others can't do by themselves.
pub struct Dropper {
    list: Option<Owned>,
    count: usize,
}

impl Dropper {
    /// How many references lie in one list.
    const AT_ONCE: usize = 256;

    /// With nothing to drop yet.
    pub const fn new() -> Self {
        Self { list: None, count: 0 }
    }

    /// Drops the object, now or later, with others. Reenters: finalizers.
    pub fn push(&mut self, object: Owned) {
        if self.count == Self::AT_ONCE {
            *self = Self::new();
        }
        if self.list.is_none() {
            // SAFETY: an attached thread.
            let list = unsafe { py::PyList_New(0) };
            // SAFETY: a new list, or null.
            self.list = NonNull::new(list).map(|list| unsafe { Owned::from_ptr(list.as_ptr()) });
        }
        self.count += 1;
        let taken = self.list.as_ref().is_some_and(|list| {
            // SAFETY: a list and a live object, of which the list takes a reference of its own.
            unsafe { py::PyList_Append(list.as_ptr(), object.as_ptr()) == 0 }
        });
        if !taken {
            // There was no memory, which is not for the caller to hear: the object is dropped right here.
            // SAFETY: an attached thread.
            unsafe { py::PyErr_Clear() };
        }
    }
}

/// A reference that leads from a small object of ours to any other, perhaps to one of the same kind. Reenters when dropped: finalizers.
pub struct Link(ManuallyDrop<Owned>);

impl Link {
    /// Takes the reference over.
    pub const fn new(object: Owned) -> Self {
        Self(ManuallyDrop::new(object))
    }
}

impl Deref for Link {
    type Target = Owned;

    #[inline(always)]
    fn deref(&self) -> &Owned {
        &self.0
    }
}

impl Drop for Link {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let object = unsafe { ManuallyDrop::take(&mut self.0) };
        if is_link(&object) {
            with_exception_aside(|| Dropper::new().push(object));
        }
    }
}

/// Whether the object is of a type like ours, which has no trashcan: one that the collector knows, whose instances only its module makes.
fn is_link(object: &Owned) -> bool {
    // SAFETY: a live object's type is live.
    let flags = unsafe { py::PyType_GetFlags(object.borrow().type_ptr()) };
    let like_ours = [
        py::Py_TPFLAGS_HEAPTYPE,
        py::Py_TPFLAGS_HAVE_GC,
        py::Py_TPFLAGS_IMMUTABLETYPE,
        py::Py_TPFLAGS_DISALLOW_INSTANTIATION,
    ];
    like_ours.iter().all(|flag| flags & flag != 0)
}
