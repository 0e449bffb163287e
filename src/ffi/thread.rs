//! Threads: new ones, and what a thread does between its calls.

use super::compat::{self, PyThread_start_new_thread};
use super::{Raised, Result};
use pyo3_ffi as py;
use std::ffi::{c_ulong, c_void};

/// The number of this interpreter, which no other one of the process ever has.
pub fn interpreter() -> u64 {
    // SAFETY: an attached thread.
    let interpreter = unsafe { py::PyInterpreterState_Get() };
    // SAFETY: the interpreter of this thread. It fails for none that runs.
    unsafe { py::PyInterpreterState_GetID(interpreter) as u64 }
}

/// Runs `work` with this thread detached from the interpreter, so that others run meanwhile.
pub fn detached<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: an attached thread.
    let thread = unsafe { py::PyEval_SaveThread() };
    let result = work();
    // SAFETY: the state of this thread.
    unsafe { py::PyEval_RestoreThread(thread) };
    result
}

/// Runs the handlers of signals that have come, if this is the main thread. Reenters: those, which may raise.
pub fn check_signals() -> Result<()> {
    // SAFETY: an attached thread.
    match unsafe { py::PyErr_CheckSignals() } {
        0 => Ok(()),
        _ => Err(Raised::by_callee()),
    }
}

/// Keeps the exception that is set, if any, away from `work`. Reenters: as `work` does.
pub fn with_exception_aside(work: impl FnOnce()) {
    let (mut kind, mut value, mut traceback) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: an attached thread and three places.
    #[allow(deprecated, reason = "its successor is there from 3.12 on")]
    unsafe {
        py::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut traceback)
    };
    work();
    // SAFETY: what was fetched, given back.
    #[allow(deprecated, reason = "its successor is there from 3.12 on")]
    unsafe {
        py::PyErr_Restore(kind, value, traceback)
    };
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

/// # Safety
/// The new thread's own call, with what was made for it.
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
