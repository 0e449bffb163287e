//! What removes a cache when its instance is freed: the callback of the weak reference to the instance.

use crate::ffi::{Borrowed, CallArgs, Owned, Result, build, call, compat, method_table, types};
use crate::py::cached_method::object::CachedMethod;
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::c_void;
use std::ptr;

/// A callable that knows the number of one instance, and has a weak reference to its cached method.
#[repr(C)]
pub struct Forget {
    _ob_base: py::PyObject,
    vectorcall: py::vectorcallfunc,
    fields: Fields,
}

struct Fields {
    /// A `weakref.ref`.
    method: Owned,
    number: i64,
}

impl Forget {
    /// For the instance of this number.
    pub fn create(state: &State, method: Borrowed<'_>, number: i64) -> Result<Owned> {
        let method = weak_reference(method, None)?;
        // SAFETY: a ready type of ours, whose instances own nothing where they are zero.
        let made = unsafe { types::allocate(state.types.forget.borrow()) }?;
        let this = made.as_ptr().cast::<Self>();
        // SAFETY: a fresh object of this type, which nobody else knows yet.
        let place = unsafe { &raw mut (*this).vectorcall };
        // SAFETY: as above.
        unsafe { place.write(forget_vectorcall) };
        // SAFETY: as above.
        let place = unsafe { &raw mut (*this).fields };
        // SAFETY: as above. What lies there is zero and owns nothing.
        unsafe { place.write(Fields { method, number }) };
        Ok(made)
    }
}

/// `weakref.ref(object, callback)`
pub fn weak_reference(object: Borrowed<'_>, callback: Option<Borrowed<'_>>) -> Result<Owned> {
    let callback = callback.map_or(ptr::null_mut(), Borrowed::as_ptr);
    // SAFETY: a live object, and one or null; a new reference or null.
    let reference = unsafe { py::PyWeakref_NewRef(object.as_ptr(), callback) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(reference) }
}

/// Drops the cache of an instance that no longer exists. Does nothing if the cached method does not exist either. Reenters: finalizers of its entries.
fn forget(method: Borrowed<'_>, number: i64, reference: Borrowed<'_>) -> Result<()> {
    if let Some(method) = CachedMethod::from_object(State::of_instance(method)?, method) {
        method.parts()?.caches.forget(number, reference);
    }
    Ok(())
}

/// Called with the reference, when its instance is freed. Reenters: finalizers of the cache's entries.
///
/// # Safety
/// The arguments of a call of such an object, as vectorcall has them.
unsafe extern "C" fn forget_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is one of these, whose function this is.
    let Fields { method, number } = unsafe { &(*callable.cast::<Forget>()).fields };
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    call::to_slot(compat::referent(method.borrow()).and_then(|method| {
        if let (Some(method), Some(reference)) = (method, args.single()) {
            forget(method.borrow(), *number, reference)?;
        }
        Ok(build::none())
    }))
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn forget_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<Forget>()).fields };
    // SAFETY: no reference is left.
    unsafe { types::dealloc_plain(object, place) };
}

/// Makes the type, for one interpreter.
pub fn make_forget_type(module: Borrowed<'_>) -> Result<Owned> {
    let mut members = [
        method_table::member(c"__vectorcalloffset__", std::mem::offset_of!(Forget, vectorcall)),
        // SAFETY: a table of C pointers and numbers, for which zero ends the list.
        unsafe { std::mem::zeroed() },
    ];
    let slots: [(_, *mut c_void); 4] = [
        (py::Py_tp_dealloc, forget_tp_dealloc as *mut c_void),
        (py::Py_tp_call, py::PyVectorcall_Call as *mut c_void),
        (py::Py_tp_members, members.as_mut_ptr().cast()),
        (0, ptr::null_mut()),
    ];
    let mut slots = slots.map(|(slot, pfunc)| py::PyType_Slot { slot, pfunc });
    let flags = py::Py_TPFLAGS_DEFAULT
        | py::Py_TPFLAGS_HAVE_VECTORCALL
        | py::Py_TPFLAGS_IMMUTABLETYPE
        | py::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    types::type_from_slots(module, c"tamis._core.forget", size_of::<Forget>(), flags, &mut slots)
}
