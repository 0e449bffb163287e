//! The coroutine that a call of a cached coroutine function returns where its result is not there: what `await`, `asyncio` and others
//! ask of a coroutine, after `types.CoroutineType` (Objects/genobject.c).

use crate::core::{OutOfMemory, boxed};
use crate::ffi::compat::recursion::check_stack;
use crate::ffi::coroutine::{self, Step};
use crate::ffi::err::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, err, object};
use crate::py::completed;
use crate::py::function::coroutine_call::{BEGUN, CoroutineCall, NEW, THROUGH};
use crate::py::function::methods::Table;
use crate::state::State;
use pyo3_ffi as py;
use pyo3_ffi::PySendResult;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::atomic::Ordering;

/// A call of a cached coroutine function that has not been made, is being made, or is through.
#[repr(C)]
pub struct Coroutine {
    _ob_base: py::PyObject,
    /// What CPython writes to.
    weakrefs: *mut py::PyObject,
    /// None, which is zero, before it is written, in what the collector sees.
    call: Option<Box<CoroutineCall>>,
}

impl Coroutine {
    /// A coroutine for this call. Reenters: where somebody wants to know who makes coroutines, an import.
    pub(in crate::py) fn create(state: &State, mut call: CoroutineCall) -> Result<Owned> {
        call.origin = origin(state)?;
        let call = Some(boxed(call).map_err(|OutOfMemory| Raised::no_memory())?);
        let offset = std::mem::offset_of!(Self, call);
        // SAFETY: a field of a fresh object of ours.
        unsafe { object::plain_instance(state.types.coroutine_call.borrow(), call, offset) }
    }
}

/// What `cr_origin` is of a coroutine that is made now.
fn origin(state: &State) -> Result<Owned> {
    let depth = object::call_with(state.origin_depth.borrow(), &[])?;
    if !depth.borrow().is_true()? {
        return Ok(object::none());
    }
    object::call_with(object::import(c"tamis._async", c"origin")?.borrow(), &[depth.borrow()])
}

/// # Safety
/// The object is one of these, held by the caller.
#[inline(always)]
unsafe fn call_of<'a>(object: *mut py::PyObject) -> &'a CoroutineCall {
    // SAFETY: as the caller says.
    let call = unsafe { &(*object.cast::<Coroutine>()).call };
    let Some(call) = call else { unreachable!("written before anybody knows the object") };
    call
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
    /// Not a part of [`advance`], whose frame lies on the stack while what is awaited runs.
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
                Step::Raised(err::raise_given(args))
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
        object::with_exception_aside(|| {
            let done = match self.phase.load(Ordering::Relaxed) {
                NEW => {
                    let warned = warn_unawaited(this);
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
fn warn_unawaited(this: Borrowed<'_>) -> Result<()> {
    match object::import(c"warnings", c"_warn_unawaited_coroutine") {
        Ok(warn) => return object::call_with(warn.borrow(), &[this]).map(drop),
        Err(raised) => drop(raised.take()),
    }
    let name = named(this, c"__qualname__")?;
    // SAFETY: set up before any extension is imported.
    let category = unsafe { py::PyExc_RuntimeWarning };
    // SAFETY: a class, and a format that takes exactly one object.
    match unsafe { py::PyErr_WarnFormat(category, 1, c"coroutine '%S' was never awaited".as_ptr(), name.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Raised::by_callee()),
    }
}

/// Makes steps until what is awaited waits, or all is through. A level of recursion has this frame on the stack, so it is a small one.
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

unsafe extern "C" fn coroutine_tp_iternext(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: set up before any extension is imported.
    let none = unsafe { py::Py_None() };
    // SAFETY: the slot's own argument.
    unsafe { send(object, none) }
}

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

unsafe extern "C" fn close(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a method of the type, called on an instance of it.
    object::to_slot(unsafe { call_of(object) }.close().map(|()| object::none()))
}

unsafe extern "C" fn coroutine_am_await(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    if unsafe { call_of(object) }.phase.load(Ordering::Relaxed) == BEGUN {
        let _raised = Raised::new(Kind::Runtime, c"coroutine is being awaited already");
        return ptr::null_mut();
    }
    // SAFETY: the slot's own argument.
    unsafe { Borrowed::from_ptr(object) }.to_owned().into_ptr()
}

unsafe extern "C" fn coroutine_tp_iter(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    unsafe { Borrowed::from_ptr(object) }.to_owned().into_ptr()
}

unsafe extern "C" fn coroutine_tp_repr(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the slot's own argument.
    match named(unsafe { Borrowed::from_ptr(object) }, c"__qualname__") {
        // SAFETY: a format that takes an object and a pointer.
        Ok(name) => unsafe { py::PyUnicode_FromFormat(c"<coroutine object %S at %p>".as_ptr(), name.as_ptr(), object) },
        Err(_raised) => ptr::null_mut(),
    }
}

/// The cached function's name. Reenters: its attributes.
fn named(this: Borrowed<'_>, name: &CStr) -> Result<Owned> {
    // SAFETY: one of these, held by the caller.
    let wrapper = unsafe { call_of(this.as_ptr()) }.wrapper.borrow();
    for name in [name, c"__name__"] {
        match wrapper.attr(object::interned(name)?.borrow()) {
            Ok(found) => return Ok(found),
            Err(raised) => raised.unless_attribute_error()?,
        }
    }
    object::interned(c"coroutine")
}

macro_rules! getters {
    ($($name:ident = |$this:ident| $body:expr;)*) => {$(
        unsafe extern "C" fn $name(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
            // SAFETY: the getter's own argument.
            let $this = unsafe { Borrowed::from_ptr(object) };
            let _alive = $this.to_owned();
            object::to_slot($body)
        }
    )*};
}

getters! {
    name = |this| named(this, c"__name__");
    qualname = |this| named(this, c"__qualname__");
    cr_origin = |this| Ok(inner(this).origin.clone());
    cr_running = |this| Ok(object::boolean(inner(this).running.load(Ordering::Relaxed)));
    cr_suspended = |this| Ok(object::boolean(is_suspended(inner(this))));
    // By which inspect goes from 3.15 on.
    cr_state = |this| object::interned(state_of(inner(this)));
    cr_frame = |this| of_awaited(this, c"cr_frame").map(|found| found.unwrap_or_else(object::none));
    cr_await = |this| of_awaited(this, c"cr_await").and_then(|found| found.ok_or_else(|| missing(c"cr_await")));
    cr_code = |this| match of_awaited(this, c"cr_code") {
        Ok(Some(code)) => Ok(code),
        Ok(None) => code_of_function(this),
        Err(raised) => Err(raised),
    };
}

fn inner<'a>(this: Borrowed<'a>) -> &'a CoroutineCall {
    // SAFETY: the getters of the type are called on instances of it.
    unsafe { call_of(this.as_ptr()) }
}

fn state_of(call: &CoroutineCall) -> &'static CStr {
    // Relaxed: numbers alone, as a caller of another thread may find them.
    match call.phase.load(Ordering::Relaxed) {
        _ if call.running.load(Ordering::Relaxed) => c"CORO_RUNNING",
        NEW => c"CORO_CREATED",
        BEGUN => c"CORO_SUSPENDED",
        _ => c"CORO_CLOSED",
    }
}

fn is_suspended(call: &CoroutineCall) -> bool {
    call.phase.load(Ordering::Relaxed) == BEGUN && !call.running.load(Ordering::Relaxed)
}

/// An attribute of what is awaited. While the function's own coroutine is, that shows what it does; this one has no frame.
fn of_awaited(this: Borrowed<'_>, name: &CStr) -> Result<Option<Owned>> {
    let Some(awaited) = inner(this).awaited() else { return Ok(None) };
    match awaited.borrow().attr(object::interned(name)?.borrow()) {
        Ok(found) => Ok(Some(found)),
        Err(raised) => raised.unless_attribute_error().map(|()| None),
    }
}

fn code_of_function(this: Borrowed<'_>) -> Result<Owned> {
    let wrapper = inner(this).wrapper.borrow();
    wrapper.attr(object::interned(c"__code__")?.borrow())
}

fn missing(name: &'static CStr) -> Raised {
    Raised::new(Kind::Attribute, name)
}

unsafe extern "C" fn coroutine_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: an object of this type; all zero, which is None, until its fields are written.
    match unsafe { &(*object.cast::<Coroutine>()).call } {
        // SAFETY: live objects, and the collector's own function and argument.
        Some(call) => call.with_held(|held| unsafe { object::traverse_plain(object, held, visit, arg) }),
        // SAFETY: as above.
        None => unsafe { object::traverse_plain(object, &[], visit, arg) },
    }
}

unsafe extern "C" fn coroutine_tp_finalize(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    if let Some(call) = unsafe { &(*object.cast::<Coroutine>()).call } {
        // SAFETY: the slot's own argument.
        call.finalize(unsafe { Borrowed::from_ptr(object) });
    }
}

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
    unsafe { object::dealloc_plain(object, place) };
}

static METHODS: Table<py::PyMethodDef, 4> = Table([
    completed::method(c"send", py::PyMethodDefPointer { PyCFunction: send }, py::METH_O),
    completed::method(c"throw", py::PyMethodDefPointer { PyCFunctionFast: throw }, py::METH_FASTCALL),
    completed::method(c"close", py::PyMethodDefPointer { PyCFunction: close }, py::METH_NOARGS),
    // SAFETY: a table of C pointers and numbers, for which zero ends the list.
    unsafe { std::mem::zeroed() },
]);

static ATTRIBUTES: Table<py::PyGetSetDef, 11> = Table([
    completed::getter(c"__class__", completed::class),
    completed::getter(c"__name__", name),
    completed::getter(c"__qualname__", qualname),
    completed::getter(c"cr_await", cr_await),
    completed::getter(c"cr_code", cr_code),
    completed::getter(c"cr_frame", cr_frame),
    completed::getter(c"cr_origin", cr_origin),
    completed::getter(c"cr_running", cr_running),
    completed::getter(c"cr_state", cr_state),
    completed::getter(c"cr_suspended", cr_suspended),
    // SAFETY: as above.
    unsafe { std::mem::zeroed() },
]);

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let mut members = [
        object::member(c"__weaklistoffset__", std::mem::offset_of!(Coroutine, weakrefs)),
        // SAFETY: as above.
        unsafe { std::mem::zeroed() },
    ];
    let slots = [
        (py::Py_tp_traverse, coroutine_tp_traverse as *mut c_void),
        (py::Py_tp_finalize, coroutine_tp_finalize as *mut c_void),
        (py::Py_tp_repr, coroutine_tp_repr as *mut c_void),
        (py::Py_am_await, coroutine_am_await as *mut c_void),
        (completed::PY_AM_SEND, coroutine_am_send as *mut c_void),
        (py::Py_tp_iter, coroutine_tp_iter as *mut c_void),
        (py::Py_tp_iternext, coroutine_tp_iternext as *mut c_void),
        (py::Py_tp_methods, METHODS.0.as_ptr().cast_mut().cast()),
        (py::Py_tp_getset, ATTRIBUTES.0.as_ptr().cast_mut().cast()),
        (py::Py_tp_members, members.as_mut_ptr().cast()),
    ];
    object::plain_type_with(module, c"tamis._core.coroutine", size_of::<Coroutine>(), coroutine_tp_dealloc, &slots)
}
