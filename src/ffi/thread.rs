//! Threads of our own.

use super::compat;
use pyo3_ffi as py;
use std::ffi::{c_ulong, c_void};

unsafe extern "C" {
    /// Include/pythread.h. -1 if there is no new thread.
    fn PyThread_start_new_thread(function: unsafe extern "C" fn(*mut c_void), argument: *mut c_void) -> c_ulong;
}

/// What a new thread begins with.
struct Beginning {
    interpreter: *mut py::PyInterpreterState,
    work: Box<dyn FnOnce()>,
}

/// Runs `work` in a thread of its own, attached to this interpreter, where no call is nested in another yet. False if there can be no
/// such thread.
///
/// CPython makes the thread. One that is to attach while the interpreter ends leaves by pthread_exit(3) up to 3.13, which unwinds its
/// stack: std's threads catch what unwinds, and end the process by SIGABRT if it is not Rust's.
pub fn in_new_thread(work: impl FnOnce() + 'static) -> bool {
    // SAFETY: an attached thread.
    let interpreter = unsafe { py::PyInterpreterState_Get() };
    let beginning = Box::into_raw(Box::new(Beginning { interpreter, work: Box::new(work) }));
    // SAFETY: a function, and an argument that is the new thread's alone from now on.
    if unsafe { PyThread_start_new_thread(begin, beginning.cast()) } != c_ulong::MAX {
        return true;
    }
    // SAFETY: no thread has taken it.
    drop(unsafe { Box::from_raw(beginning) });
    false
}

unsafe extern "C" fn begin(argument: *mut c_void) {
    // SAFETY: what `in_new_thread` has made for this thread. Until it is attached nothing here has a destructor, so that it may leave: the
    // memory stays behind then.
    let beginning = argument.cast::<Beginning>();
    if compat::is_finalizing() {
        return;
    }
    // SAFETY: as above.
    let interpreter = unsafe { (*beginning).interpreter };
    // SAFETY: an interpreter whose threads this one helps along, so that it has not ended.
    let thread = unsafe { py::PyThreadState_New(interpreter) };
    if thread.is_null() {
        // Without memory nothing can be dropped either, since that takes an attached thread.
        return;
    }
    // SAFETY: a new state, of no other thread.
    unsafe { py::PyEval_RestoreThread(thread) };
    // SAFETY: as at first; taken once.
    let Beginning { work, .. } = *unsafe { Box::from_raw(beginning) };
    work();
    // SAFETY: this thread's state.
    unsafe { py::PyThreadState_Clear(thread) };
    // SAFETY: cleared, and this thread does nothing more.
    unsafe { py::PyThreadState_DeleteCurrent() };
}
