//! Exceptions that name objects, are made of objects, or are taken as objects.

use super::raised::{Kind, Raised, Result};
use super::reference::{Borrowed, Owned};
use super::{build, compat};
use pyo3_ffi as py;
use std::ffi::{CStr, c_char};

impl Raised {
    /// An exception from a format with one `%R`, filled with the object. Reenters: the object's `__repr__`.
    #[cold]
    pub fn with(kind: Kind, format: &'static CStr, object: Borrowed<'_>) -> Self {
        debug_assert_eq!(format.to_bytes().iter().filter(|&&byte| byte == b'%').count(), 1);
        // SAFETY: the format takes exactly one object, which is live.
        unsafe { py::PyErr_Format(kind.class(), format.as_ptr(), object.as_ptr()) };
        Self::by_callee()
    }

    /// An exception with this message, a `str`.
    #[cold]
    pub fn saying(kind: Kind, message: Borrowed<'_>) -> Self {
        // SAFETY: an attached thread, a class and a live object.
        unsafe { py::PyErr_SetObject(kind.class(), message.as_ptr()) };
        Self::by_callee()
    }

    /// `TypeError` from a format with one `%.200s`, filled with the name of the object's type.
    #[cold]
    pub fn type_error_naming_type(format: &'static CStr, object: Borrowed<'_>) -> Self {
        debug_assert_eq!(format.to_bytes().iter().filter(|&&byte| byte == b'%').count(), 1);
        // SAFETY: a live object's type is live and named.
        let name: *const c_char = unsafe { (*object.type_ptr()).tp_name };
        // SAFETY: the format takes exactly one string, which is terminated.
        unsafe { py::PyErr_Format(Kind::Type.class(), format.as_ptr(), name) };
        Self::by_callee()
    }

    /// `TypeError` from a format with one `%R`, filled with the object. Reenters: the object's `__repr__`.
    #[cold]
    pub fn type_error_with(format: &'static CStr, object: Borrowed<'_>) -> Self {
        Self::with(Kind::Type, format, object)
    }

    /// `KeyError(key)`
    #[cold]
    pub fn key_error(key: Borrowed<'_>) -> Self {
        // In a tuple, since a key that is one would be taken for several arguments.
        match build::tuple(&[key]) {
            // SAFETY: an attached thread, a class and a live object.
            Ok(arguments) => unsafe { py::PyErr_SetObject(Kind::Key.class(), arguments.as_ptr()) },
            Err(raised) => return raised,
        }
        Self::by_callee()
    }

    /// The exception itself, which is not set any more.
    pub fn take(self) -> Owned {
        let (mut kind, mut value, mut traceback) = (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: an attached thread with an exception set, and three places.
        #[allow(deprecated, reason = "its successor is there from 3.12 on")]
        unsafe {
            py::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut traceback)
        };
        // SAFETY: what was fetched.
        #[allow(deprecated, reason = "as above")]
        unsafe {
            py::PyErr_NormalizeException(&raw mut kind, &raw mut value, &raw mut traceback)
        };
        if !traceback.is_null() {
            // SAFETY: an exception and its traceback.
            unsafe { py::PyException_SetTraceback(value, traceback) };
        }
        // SAFETY: references that were fetched, or null.
        unsafe { py::Py_XDECREF(kind) };
        // SAFETY: as above.
        unsafe { py::Py_XDECREF(traceback) };
        // SAFETY: a normalized exception is an object.
        unsafe { Owned::from_ptr(value) }
    }

    /// The same exception, with this one as its cause.
    #[cold]
    pub fn caused_by(self, cause: Owned) -> Self {
        let exception = self.take();
        // SAFETY: two exceptions; the reference to the cause is taken over.
        unsafe { py::PyException_SetCause(exception.as_ptr(), cause.into_ptr()) };
        Self::again(exception.borrow())
    }

    /// Raises this exception, an instance.
    pub fn again(exception: Borrowed<'_>) -> Self {
        if !is_exception(exception) {
            return Self::type_error_naming_type(c"exceptions must derive from BaseException, not %.200s", exception);
        }
        // Not `PyErr_SetObject`, which would give it another context.
        compat::raise(exception);
        Self::by_callee()
    }

    /// Raises this exception, an instance, with this traceback or None: an exception that many raise does not grow with them.
    pub fn again_with(exception: Borrowed<'_>, traceback: Borrowed<'_>) -> Self {
        if is_exception(exception) {
            // Of another kind than a traceback or None nothing is taken.
            // SAFETY: an exception, and a live object.
            unsafe { py::PyException_SetTraceback(exception.as_ptr(), traceback.as_ptr()) };
        }
        Self::again(exception)
    }

    /// Hands an `Exception` to `sys.unraisablehook`, with the callable that raised it. Others concern the whole thread or task, and
    /// are kept. Reenters: that hook.
    pub fn report(self, callable: Borrowed<'_>) -> Result<()> {
        if !self.is(Kind::Ordinary) {
            return Err(self);
        }
        // SAFETY: an attached thread with an exception set, and a live object.
        unsafe { py::PyErr_WriteUnraisable(callable.as_ptr()) };
        Ok(())
    }

    /// `StopIteration` may not leave a coroutine, which it would end: `RuntimeError` then, as in PEP 479.
    pub fn unless_stop_iteration(self) -> Self {
        if !self.is(Kind::StopIteration) {
            return self;
        }
        let stop = self.take();
        Self::new(Kind::Runtime, c"coroutine raised StopIteration").caused_by(stop)
    }
}

/// Whether this exception is an `Exception`. The others (KeyboardInterrupt, SystemExit) end a thread or a task.
pub fn is_ordinary(exception: Borrowed<'_>) -> bool {
    // SAFETY: set up before any extension is imported.
    let class = unsafe { py::PyExc_Exception };
    // SAFETY: two live objects.
    unsafe { py::PyErr_GivenExceptionMatches(exception.as_ptr(), class) != 0 }
}

/// Whether the exception, an instance, says that memory or the stack did not suffice, which tells nothing of the work itself.
pub fn is_want_of_room(exception: Borrowed<'_>) -> bool {
    // SAFETY: set up before any extension is imported.
    let memory = unsafe { py::PyExc_MemoryError };
    // SAFETY: as above.
    let stack = unsafe { py::PyExc_RecursionError };
    // SAFETY: two live objects.
    [memory, stack].iter().any(|&class| unsafe { py::PyErr_GivenExceptionMatches(exception.as_ptr(), class) != 0 })
}

/// Whether this is an instance of an exception.
fn is_exception(object: Borrowed<'_>) -> bool {
    // SAFETY: a live object.
    unsafe { py::PyExceptionInstance_Check(object.as_ptr()) != 0 }
}

/// The traceback of an exception, an instance, or None.
pub fn traceback_of(exception: Borrowed<'_>) -> Owned {
    if !is_exception(exception) {
        return build::none();
    }
    // SAFETY: an instance of an exception; a new reference or null.
    let traceback = unsafe { py::PyException_GetTraceback(exception.as_ptr()) };
    // SAFETY: a new reference.
    if traceback.is_null() { build::none() } else { unsafe { Owned::from_ptr(traceback) } }
}

/// Raises what the arguments of a coroutine's `throw` say: an instance; or a class, with a value and a traceback if there are any.
#[cold]
pub fn raise_given(args: &[Borrowed<'_>]) -> Raised {
    let Some(&kind) = args.first() else { return Raised::type_error(c"throw takes an exception") };
    if is_exception(kind) {
        return Raised::again(kind);
    }
    // SAFETY: a live object.
    if unsafe { py::PyExceptionClass_Check(kind.as_ptr()) } == 0 {
        let message = c"exceptions must be classes or instances deriving from BaseException, not %.200s";
        return Raised::type_error_naming_type(message, kind);
    }
    let value = args.get(1).map_or_else(build::none, |&value| Borrowed::to_owned(value));
    // SAFETY: a class and a value, None or an instance or its argument.
    unsafe { py::PyErr_SetObject(kind.as_ptr(), value.as_ptr()) };
    let raised = Raised::by_callee();
    match args.get(2).filter(|traceback| !traceback.is_none()) {
        Some(&traceback) => {
            let exception = raised.take();
            Raised::again_with(exception.borrow(), traceback)
        }
        None => raised,
    }
}
