//! Threads of our own.

use pyo3_ffi as py;

/// What goes to another thread, which uses it attached to the same interpreter.
struct Sent<T>(T);

// SAFETY: made and used by threads that are attached to one interpreter, as all objects are.
unsafe impl<T> Send for Sent<T> {}

/// Runs `work` in a thread of its own, attached to this interpreter, where no call is nested in another yet. False if there can be no
/// such thread.
pub fn in_new_thread(work: impl FnOnce() + 'static) -> bool {
    // SAFETY: an attached thread.
    let interpreter = Sent(unsafe { py::PyInterpreterState_Get() });
    let work = Sent(work);
    let begun = std::thread::Builder::new().name("tamis".into()).spawn(move || {
        let (Sent(interpreter), Sent(work)) = ({ interpreter }, { work });
        // SAFETY: an interpreter whose threads this one helps along, so that it has not ended.
        let thread = unsafe { py::PyThreadState_New(interpreter) };
        if thread.is_null() {
            // Without memory nothing can be dropped either, since that takes an attached thread.
            std::mem::forget(work);
            return;
        }
        // SAFETY: a new state, of no other thread.
        unsafe { py::PyEval_RestoreThread(thread) };
        work();
        // SAFETY: this thread's state.
        unsafe { py::PyThreadState_Clear(thread) };
        // SAFETY: cleared, and this thread does nothing more.
        unsafe { py::PyThreadState_DeleteCurrent() };
    });
    begun.is_ok()
}
