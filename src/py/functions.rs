//! Private functions of the module, written as Rust functions of the module and the call's arguments.

use pyo3_ffi as py;
use std::ffi::CStr;

/// Defines what C calls: `name_fastcall calls name;`.
macro_rules! functions {
    ($($slot:ident calls $function:ident;)*) => {$(
        unsafe extern "C" fn $slot(
            module: *mut pyo3_ffi::PyObject,
            args: *const *mut pyo3_ffi::PyObject,
            nargs: pyo3_ffi::Py_ssize_t,
            kwnames: *mut pyo3_ffi::PyObject,
        ) -> *mut pyo3_ffi::PyObject {
            // SAFETY: a function of the module gets it as its self.
            let module = unsafe { $crate::ffi::Borrowed::from_ptr(module) };
            // SAFETY: the arguments of a function called with FASTCALL and KEYWORDS, during the call.
            $crate::ffi::to_slot($function(module, &unsafe { $crate::ffi::CallArgs::new(args, nargs as usize, kwnames) }))
        }
    )*};
}

pub(in crate::py) use functions;

/// Its entry in the module's table.
pub const fn function(
    name: &'static CStr,
    function: py::PyCFunctionFastWithKeywords,
    doc: &'static CStr,
) -> py::PyMethodDef {
    py::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: py::PyMethodDefPointer { PyCFunctionFastWithKeywords: function },
        ml_flags: py::METH_FASTCALL | py::METH_KEYWORDS,
        ml_doc: doc.as_ptr(),
    }
}
