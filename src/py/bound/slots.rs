//! The types of bound methods.

use crate::ffi::{Borrowed, Owned, Result, call, method_table, read, types};
use crate::py::bound::attributes;
use crate::py::bound::binding::is_bound_here;
use crate::py::bound::object::{BoundMethod, bound_tp_dealloc, bound_tp_traverse};
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

/// `type(method)(function, instance)`, which `weakref.WeakMethod` calls: what `types.MethodType` makes, but for functions whose
/// cache is to know the instance. Reenters: nothing; the errors are CPython's.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn bound_tp_new(
    kind: *mut py::PyTypeObject,
    args: *mut py::PyObject,
    kwargs: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: the slot's own argument, a live type.
    let kind = unsafe { Borrowed::from_ptr(kind.cast()) };
    call::to_slot(State::of_type(kind).and_then(|state| {
        // SAFETY: a live type, a tuple, and a dict or null.
        let plain = unsafe { py::PyObject_Call(read::method_type().as_ptr(), args, kwargs) };
        // SAFETY: a new reference, or null with an exception set.
        let plain = unsafe { Owned::from_call(plain) }?;
        match read::method_parts(plain.borrow()) {
            Some((function, instance)) if is_bound_here(function) => {
                BoundMethod::of_instance(state, function, instance)
            }
            _ => Ok(plain),
        }
    }))
}

/// A method that is bound already stays so.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn bound_tp_descr_get(
    object: *mut py::PyObject,
    _instance: *mut py::PyObject,
    _owner: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    unsafe { Borrowed::from_ptr(object) }.to_owned().into_ptr()
}

/// Makes the type of what is bound to an instance, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let new: (c_int, *mut c_void) = (py::Py_tp_new, bound_tp_new as *mut c_void);
    make(module, c"tamis._core.bound_method", attributes::DOC, attributes::METHODS.as_ptr(), Some(new))
}

/// Makes the type of what is bound weakly.
pub fn make_weak_type(module: Borrowed<'_>) -> Result<Owned> {
    make(module, c"tamis._core.weak_method", attributes::WEAK_DOC, attributes::WEAK_METHODS.as_ptr(), None)
}

fn make(
    module: Borrowed<'_>,
    name: &'static CStr,
    doc: &'static CStr,
    methods: *mut py::PyMethodDef,
    new: Option<(c_int, *mut c_void)>,
) -> Result<Owned> {
    let mut members = [
        method_table::member(c"__vectorcalloffset__", std::mem::offset_of!(BoundMethod, vectorcall)),
        method_table::member(c"__weaklistoffset__", std::mem::offset_of!(BoundMethod, weakrefs)),
        // SAFETY: a table of C pointers and numbers, for which zero ends the list.
        unsafe { std::mem::zeroed() },
    ];
    let slots: [(c_int, *mut c_void); 13] = [
        (py::Py_tp_doc, doc.as_ptr().cast_mut().cast()),
        (py::Py_tp_dealloc, bound_tp_dealloc as *mut c_void),
        (py::Py_tp_traverse, bound_tp_traverse as *mut c_void),
        (py::Py_tp_call, py::PyVectorcall_Call as *mut c_void),
        (py::Py_tp_descr_get, bound_tp_descr_get as *mut c_void),
        (py::Py_tp_getattro, attributes::bound_tp_getattro as *mut c_void),
        (py::Py_tp_richcompare, attributes::bound_tp_richcompare as *mut c_void),
        (py::Py_tp_hash, attributes::bound_tp_hash as *mut c_void),
        (py::Py_tp_repr, attributes::bound_tp_repr as *mut c_void),
        (py::Py_tp_members, members.as_mut_ptr().cast()),
        (py::Py_tp_methods, methods.cast()),
        (py::Py_tp_getset, attributes::GETSET.as_slot()),
        (0, ptr::null_mut()),
    ];
    let slots = new.into_iter().chain(slots);
    let mut slots: Vec<_> = slots.map(|(slot, pfunc)| py::PyType_Slot { slot, pfunc }).collect();
    let mut flags =
        py::Py_TPFLAGS_DEFAULT | py::Py_TPFLAGS_HAVE_GC | py::Py_TPFLAGS_HAVE_VECTORCALL | py::Py_TPFLAGS_IMMUTABLETYPE;
    if new.is_none() {
        flags |= py::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    }
    types::type_from_slots(module, name, size_of::<BoundMethod>(), flags, &mut slots)
}
