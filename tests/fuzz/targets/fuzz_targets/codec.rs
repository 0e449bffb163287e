//! The bytes of values and of keys in shared caches, of any kind but those that pickle or a serializer made.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pyo3_ffi::*;
use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::OnceLock;

/// Tags of what pickle and a serializer made: they may do anything.
const NOT_OURS: [u8; 2] = [0x16, 0x17];

struct Functions {
    loads: *mut PyObject,
    dumps: *mut PyObject,
    call: *mut PyObject,
}

// SAFETY: one thread fuzzes.
unsafe impl Sync for Functions {}
// SAFETY: as above.
unsafe impl Send for Functions {}

fn functions() -> &'static Functions {
    static FUNCTIONS: OnceLock<Functions> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let name: &CStr = c"_core";
        // SAFETY: before the interpreter is initialized, with a name that stands for ever.
        unsafe { PyImport_AppendInittab(name.as_ptr(), Some(tamis::PyInit__core)) };
        // SAFETY: once, in the main thread.
        unsafe { Py_InitializeEx(0) };
        // SAFETY: an attached thread.
        let module = unsafe { PyImport_ImportModule(name.as_ptr()) };
        assert!(!module.is_null(), "_core is not there");
        let function = |name: &CStr| {
            // SAFETY: a module and a terminated string.
            let function = unsafe { PyObject_GetAttrString(module, name.as_ptr()) };
            assert!(!function.is_null());
            function
        };
        Functions { loads: function(c"_loads"), dumps: function(c"_dumps"), call: function(c"_call") }
    })
}

fuzz_target!(|data: &[u8]| {
    if data.first().is_some_and(|tag| NOT_OURS.contains(tag)) {
        return;
    }
    let functions = functions();
    // SAFETY: so many bytes, and an attached thread.
    let bytes = unsafe { PyBytes_FromStringAndSize(data.as_ptr().cast(), data.len() as Py_ssize_t) };
    for function in [functions.loads, functions.call] {
        // SAFETY: a callable and an argument.
        let found = unsafe { PyObject_CallOneArg(function, bytes) };
        assert!(!found.is_null(), "damage is None, and no exception");
        // SAFETY: a live object.
        if function == functions.loads && unsafe { PyTuple_Check(found) } != 0 {
            // SAFETY: a tuple of two.
            let value = unsafe { PyTuple_GetItem(found, 0) };
            // SAFETY: a callable and an argument.
            let again = unsafe { PyObject_CallOneArg(functions.dumps, value) };
            assert!(!again.is_null(), "a value that was read can be written");
            // SAFETY: a reference of ours.
            unsafe { Py_DECREF(again) };
        }
        // SAFETY: a reference of ours.
        unsafe { Py_DECREF(found) };
    }
    // SAFETY: a reference of ours.
    unsafe { Py_DECREF(bytes) };
    // SAFETY: an attached thread, where no exception is set.
    debug_assert!(unsafe { PyErr_Occurred() } == null_mut());
});
