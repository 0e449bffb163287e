//! The coroutine that a call of a cached coroutine function returns where its result is not there: what `await`, `asyncio` and others
//! ask of a coroutine, after `types.CoroutineType` (Objects/genobject.c).

use crate::ffi::compat::recursion::check_stack;
use crate::ffi::coroutine::Step;
use crate::ffi::method_table::{Receiver, Table};
use crate::ffi::raised::Kind;
use crate::ffi::{
    Borrowed, Owned, Raised, Result, build, call, compat, coroutine, method_table, raise, thread, to_slot, types,
};
use crate::py::completed;
use crate::py::function::coroutine_attributes::{ATTRIBUTES, named};
use crate::py::function::coroutine_call::{Coroutine, CoroutineCall};
use crate::py::function::coroutine_stage::{BEGUN, NEW, THROUGH};
use pyo3_ffi as py;
use pyo3_ffi::PySendResult;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::Ordering;

/// # Safety
/// A slot function's own argument: an instance of the type, which its caller holds.
#[inline(always)]
unsafe fn call_of<'a>(object: *mut py::PyObject) -> &'a CoroutineCall {
    // SAFETY: an instance of the type, held during `'a`.
    let object = unsafe { Borrowed::from_ptr(object) };
    // SAFETY: as above.
    unsafe { <&CoroutineCall>::of(object) }
}

impl CoroutineCall {
    /// Begins to make a step: nobody else makes one until [`CoroutineCall::pause`].
    #[inline(always)]
    fn resume(&self) -> Result<()> {
        // Acquire: pairs with the Release in `pause`.
        if self.running.swap(true, Ordering::Acquire) {
            return Err(Raised::new(Kind::Value, c"coroutine already executing"));
        }
        Ok(())
    }

    #[inline(always)]
    fn pause(&self) {
        // Release: pairs with the Acquire in `resume`.
        self.running.store(false, Ordering::Release);
    }

    /// Where nothing is awaited, or that has ended with `code` and what lies in `place`: makes a step. `PYGEN_NEXT` if there is
    /// something to be awaited now.
    ///
    /// Not a part of [`coroutine_am_send`], whose frame lies on the stack while what is awaited runs.
    ///
    /// # Safety
    /// `place` is a place for the result. Where the code is `PYGEN_RETURN` it has a new reference, where it is `PYGEN_ERROR` an exception
    /// is set. `sent` is null or a live object.
    #[inline(never)]
    unsafe fn step_in_place(
        &self,
        code: PySendResult,
        place: *mut *mut py::PyObject,
        sent: *mut py::PyObject,
    ) -> PySendResult {
        let ended = match code {
            PySendResult::PYGEN_NEXT => self.check_start(sent).map(|()| None),
            PySendResult::PYGEN_RETURN => {
                // SAFETY: where the result of what was awaited lies.
                let result = unsafe { *place };
                // SAFETY: a new reference.
                Ok(Some(Ok(unsafe { Owned::from_ptr(result) })))
            }
            PySendResult::PYGEN_ERROR => Ok(Some(Err(Raised::by_callee()))),
        };
        let (code, result) = match ended.and_then(|ended| self.step(ended)) {
            Ok(None) => (PySendResult::PYGEN_NEXT, ptr::null_mut()),
            Ok(Some(value)) => (PySendResult::PYGEN_RETURN, value.into_ptr()),
            Err(_raised) => (PySendResult::PYGEN_ERROR, ptr::null_mut()),
        };
        // SAFETY: a place for the result, which callers look at whatever the code is.
        unsafe { place.write(result) };
        code
    }

    fn check_start(&self, sent: *mut py::PyObject) -> Result<()> {
        match self.phase.load(Ordering::Relaxed) {
            THROUGH => Err(Raised::new(Kind::Runtime, c"cannot reuse already awaited coroutine")),
            // SAFETY: null, or the object that is sent.
            NEW if !sent.is_null() && !unsafe { Borrowed::from_ptr(sent) }.is_none() => {
                Err(Raised::type_error(c"can't send non-None value to a just-started coroutine"))
            }
            _ => Ok(()),
        }
    }

    /// Makes steps until something is awaited that waits, or all is through. For what has come of an exception that was thrown in.
    fn go_on(&self, mut step: Step) -> Step {
        loop {
            let ended = match step {
                Step::Yielded(_) => return step,
                Step::Returned(value) => Ok(value),
                Step::Raised(raised) => Err(raised),
            };
            match self.step(Some(ended)) {
                Ok(Some(value)) => return Step::Returned(value),
                Err(raised) => return Step::Raised(raised),
                // SAFETY: what is awaited, which stays while this step is made.
                Ok(None) => step = unsafe { coroutine::resume(self.awaited_ptr()) },
            }
        }
    }

    fn throw(&self, args: &[Borrowed<'_>]) -> Step {
        if let Err(raised) = check_stack().and_then(|()| self.resume()) {
            return Step::Raised(raised);
        }
        let step = match (self.phase.load(Ordering::Relaxed), self.awaited()) {
            (BEGUN, Some(awaited)) => self.go_on(coroutine::throw_into(awaited.borrow(), args)),
            (NEW, _) => {
                self.end();
                Step::Raised(raise::raise_given(args))
            }
            _ => Step::Raised(Raised::new(Kind::Runtime, c"cannot reuse already awaited coroutine")),
        };
        self.pause();
        step
    }

    /// Closes it. Reenters: what is awaited, and whatever ends.
    fn close(&self) -> Result<()> {
        check_stack()?;
        self.resume()?;
        let closed = match (self.phase.load(Ordering::Relaxed), self.awaited()) {
            (BEGUN, Some(awaited)) => {
                let closed = coroutine::close(awaited.borrow());
                drop(awaited);
                let raised = closed.map_or_else(|raised| raised, |()| Raised::new(Kind::GeneratorExit, c""));
                match self.go_on(Step::Raised(raised)) {
                    Step::Yielded(_) => Err(Raised::new(Kind::Runtime, c"coroutine ignored GeneratorExit")),
                    Step::Returned(_) => Ok(()),
                    Step::Raised(raised) => raised.unless(Kind::GeneratorExit),
                }
            }
            (NEW, _) => {
                self.end();
                Ok(())
            }
            _ => Ok(()),
        };
        self.pause();
        closed
    }

    /// What the finalizer does: warns of a call that was never awaited, and closes what has begun.
    fn finalize(&self, this: Borrowed<'_>) {
        thread::with_exception_aside(|| {
            let done = match self.phase.load(Ordering::Relaxed) {
                NEW => {
                    let warned = warn_unawaited(self, this);
                    self.end();
                    warned
                }
                BEGUN => self.close(),
                _ => Ok(()),
            };
            if done.is_err() {
                // SAFETY: an attached thread with an exception set, and a live object.
                unsafe { py::PyErr_WriteUnraisable(this.as_ptr()) };
            }
        });
    }
}

/// Warns as CPython does (`_PyErr_WarnUnawaitedCoroutine` of Python/_warnings.c). Reenters: filters of warnings.
fn warn_unawaited(call: &CoroutineCall, this: Borrowed<'_>) -> Result<()> {
    match call::import(c"warnings", c"_warn_unawaited_coroutine") {
        Ok(warn) => return call::with(warn.borrow(), &[this]).map(drop),
        Err(raised) => drop(raised.take()),
    }
    let name = named(call, c"__qualname__")?;
    // SAFETY: set up before any extension is imported.
    let category = unsafe { py::PyExc_RuntimeWarning };
    // SAFETY: a class, and a format that takes exactly one object.
    match unsafe { py::PyErr_WarnFormat(category, 1, c"coroutine '%S' was never awaited".as_ptr(), name.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Raised::by_callee()),
    }
}

/// Makes steps until what is awaited waits, or all is through. A level of recursion has this frame on the stack, so it is a small one.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn coroutine_am_send(
    object: *mut py::PyObject,
    mut sent: *mut py::PyObject,
    place: *mut *mut py::PyObject,
) -> PySendResult {
    // SAFETY: the slot's own argument.
    let call = unsafe { call_of(object) };
    if check_stack().is_err() || call.resume().is_err() {
        // SAFETY: a place for the result, which callers look at whatever the code is.
        unsafe { place.write(ptr::null_mut()) };
        return PySendResult::PYGEN_ERROR;
    }
    loop {
        let awaited = call.awaited_ptr();
        let mut code = PySendResult::PYGEN_NEXT;
        if !awaited.is_null() {
            // SAFETY: what is awaited, which stays while this step is made.
            code = unsafe { py::PyIter_Send(awaited, sent, place) };
            if code == PySendResult::PYGEN_NEXT {
                break call.pause();
            }
        }
        // SAFETY: what has come of it, or nothing.
        code = unsafe { call.step_in_place(code, place, sent) };
        if code != PySendResult::PYGEN_NEXT {
            call.pause();
            return code;
        }
        // SAFETY: set up before any extension is imported.
        sent = unsafe { py::Py_None() };
    }
    PySendResult::PYGEN_NEXT
}

/// What a method returns for a step: `StopIteration` says that it was the last.
fn to_method(step: Step) -> *mut py::PyObject {
    match step {
        Step::Yielded(value) => value.into_ptr(),
        Step::Returned(value) => completed::stop_with(value.borrow()),
        Step::Raised(_raised) => ptr::null_mut(),
    }
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn send(object: *mut py::PyObject, sent: *mut py::PyObject) -> *mut py::PyObject {
    let mut place = ptr::null_mut();
    // SAFETY: the method's own arguments, and a place.
    match unsafe { coroutine_am_send(object, sent, &raw mut place) } {
        PySendResult::PYGEN_NEXT => place,
        // SAFETY: a new reference.
        PySendResult::PYGEN_RETURN => to_method(Step::Returned(unsafe { Owned::from_ptr(place) })),
        PySendResult::PYGEN_ERROR => ptr::null_mut(),
    }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn coroutine_tp_iternext(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: set up before any extension is imported.
    let none = unsafe { py::Py_None() };
    // SAFETY: the slot's own argument.
    unsafe { send(object, none) }
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn throw(
    object: *mut py::PyObject,
    args: *mut *mut py::PyObject,
    count: py::Py_ssize_t,
) -> *mut py::PyObject {
    // SAFETY: a method of the type, called on an instance of it.
    let call = unsafe { call_of(object) };
    let count = count as usize;
    // SAFETY: so many arguments, held by the caller; `Borrowed` is a pointer in all but name.
    let args = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(args.cast::<Borrowed<'_>>(), count) } };
    to_method(call.throw(args))
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn close(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a method of the type, called on an instance of it.
    to_slot(unsafe { call_of(object) }.close().map(|()| build::none()))
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn coroutine_am_await(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    if unsafe { call_of(object) }.phase.load(Ordering::Relaxed) == BEGUN {
        let _raised = Raised::new(Kind::Runtime, c"coroutine is being awaited already");
        return ptr::null_mut();
    }
    // SAFETY: the slot's own argument.
    unsafe { Borrowed::from_ptr(object) }.to_owned().into_ptr()
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn coroutine_tp_iter(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    unsafe { Borrowed::from_ptr(object) }.to_owned().into_ptr()
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn coroutine_tp_repr(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    match named(unsafe { call_of(object) }, c"__qualname__") {
        // SAFETY: a format that takes an object and a pointer.
        Ok(name) => unsafe { py::PyUnicode_FromFormat(c"<coroutine object %S at %p>".as_ptr(), name.as_ptr(), object) },
        Err(_raised) => ptr::null_mut(),
    }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn coroutine_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: an object of this type; all zero, which is None, until its fields are written.
    match unsafe { &(*object.cast::<Coroutine>()).call } {
        // SAFETY: live objects, and the collector's own function and argument.
        Some(call) => call.with_held(|held| unsafe { types::traverse_plain(object, held, visit, arg) }),
        // SAFETY: as above.
        None => unsafe { types::traverse_plain(object, &[], visit, arg) },
    }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn coroutine_tp_finalize(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    if let Some(call) = unsafe { &(*object.cast::<Coroutine>()).call } {
        // SAFETY: the slot's own argument.
        call.finalize(unsafe { Borrowed::from_ptr(object) });
    }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn coroutine_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object that no reference is left to.
    if unsafe { py::PyObject_CallFinalizerFromDealloc(object) } != 0 {
        return;
    }
    // SAFETY: as above. Callbacks may run, while it is whole but for its weak references.
    unsafe { py::PyObject_ClearWeakRefs(object) };
    // SAFETY: as above.
    let place = unsafe { &raw const (*object.cast::<Coroutine>()).call };
    // SAFETY: no reference is left.
    unsafe { types::dealloc_plain(object, place) };
}

static METHODS: Table<py::PyMethodDef, 3> = Table::new(completed::coroutine_methods(send, throw, close));

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let mut members = [
        method_table::member(c"__weaklistoffset__", std::mem::offset_of!(Coroutine, weakrefs)),
        // SAFETY: as above.
        unsafe { std::mem::zeroed() },
    ];
    let slots = [
        (py::Py_tp_traverse, coroutine_tp_traverse as *mut c_void),
        (py::Py_tp_finalize, coroutine_tp_finalize as *mut c_void),
        (py::Py_tp_repr, coroutine_tp_repr as *mut c_void),
        (py::Py_am_await, coroutine_am_await as *mut c_void),
        (compat::PY_AM_SEND, coroutine_am_send as *mut c_void),
        (py::Py_tp_iter, coroutine_tp_iter as *mut c_void),
        (py::Py_tp_iternext, coroutine_tp_iternext as *mut c_void),
        (py::Py_tp_methods, METHODS.as_slot()),
        (py::Py_tp_getset, ATTRIBUTES.as_slot()),
        (py::Py_tp_members, members.as_mut_ptr().cast()),
    ];
    types::plain_type_with(module, c"tamis._core.coroutine", size_of::<Coroutine>(), coroutine_tp_dealloc, &slots)
}
