//! Exceptions as tokens.

use super::object::{self, Borrowed, Owned};
use pyo3_ffi as py;
use std::ffi::{CStr, c_char};

/// Says that a Python exception is set on this thread. Only this file makes one.
#[derive(Debug)]
#[must_use = "the exception is to leave through the slot function, or to be cleared"]
pub struct Raised(());

/// Which exception.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `TypeError`
    Type,
    /// `ValueError`
    Value,
    /// `KeyError`
    Key,
    /// `AttributeError`
    Attribute,
    /// `OverflowError`
    Overflow,
    /// `Exception`
    Ordinary,
    /// `TimeoutError`
    Timeout,
    /// `ReferenceError`
    Reference,
    /// `RuntimeError`
    Runtime,
    /// `GeneratorExit`
    GeneratorExit,
    /// `StopIteration`
    StopIteration,
}

impl Kind {
    fn class(self) -> *mut py::PyObject {
        match self {
            // SAFETY: the exception types are set up before any extension is imported.
            Self::Type => unsafe { py::PyExc_TypeError },
            // SAFETY: as above.
            Self::Value => unsafe { py::PyExc_ValueError },
            // SAFETY: as above.
            Self::Key => unsafe { py::PyExc_KeyError },
            // SAFETY: as above.
            Self::Attribute => unsafe { py::PyExc_AttributeError },
            // SAFETY: as above.
            Self::Overflow => unsafe { py::PyExc_OverflowError },
            // SAFETY: as above.
            Self::Ordinary => unsafe { py::PyExc_Exception },
            // SAFETY: as above.
            Self::Timeout => unsafe { py::PyExc_TimeoutError },
            // SAFETY: as above.
            Self::Reference => unsafe { py::PyExc_ReferenceError },
            // SAFETY: as above.
            Self::Runtime => unsafe { py::PyExc_RuntimeError },
            // SAFETY: as above.
            Self::GeneratorExit => unsafe { py::PyExc_GeneratorExit },
            // SAFETY: as above.
            Self::StopIteration => unsafe { py::PyExc_StopIteration },
        }
    }
}

impl Raised {
    /// An exception with this message.
    #[cold]
    pub fn new(kind: Kind, message: &CStr) -> Self {
        // SAFETY: an attached thread, a class and a terminated string.
        unsafe { py::PyErr_SetString(kind.class(), message.as_ptr()) };
        Self(())
    }

    /// An exception from a format with one `%R`, filled with the object. Reenters: the object's `__repr__`.
    #[cold]
    pub fn with(kind: Kind, format: &'static CStr, object: Borrowed<'_>) -> Self {
        debug_assert_eq!(format.to_bytes().iter().filter(|&&byte| byte == b'%').count(), 1);
        // SAFETY: the format takes exactly one object, which is live.
        unsafe { py::PyErr_Format(kind.class(), format.as_ptr(), object.as_ptr()) };
        Self(())
    }

    /// For a C call that has just reported failure, which sets an exception.
    #[inline]
    pub fn by_callee() -> Self {
        // SAFETY: an attached thread, which every caller in this crate is.
        debug_assert!(!unsafe { py::PyErr_Occurred() }.is_null());
        Self(())
    }

    /// An exception with this message, a `str`.
    #[cold]
    pub fn saying(kind: Kind, message: Borrowed<'_>) -> Self {
        // SAFETY: an attached thread, a class and a live object.
        unsafe { py::PyErr_SetObject(kind.class(), message.as_ptr()) };
        Self(())
    }

    /// `TypeError(message)`.
    #[cold]
    pub fn type_error(message: &CStr) -> Self {
        Self::new(Kind::Type, message)
    }

    /// `TypeError` from a format with one `%.200s`, filled with the name of the object's type.
    #[cold]
    pub fn type_error_naming_type(format: &'static CStr, object: Borrowed<'_>) -> Self {
        debug_assert_eq!(format.to_bytes().iter().filter(|&&byte| byte == b'%').count(), 1);
        // SAFETY: a live object's type is live and named.
        let name: *const c_char = unsafe { (*object.type_ptr()).tp_name };
        // SAFETY: the format takes exactly one string, which is terminated.
        unsafe { py::PyErr_Format(Kind::Type.class(), format.as_ptr(), name) };
        Self(())
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
        match object::tuple(&[key]) {
            // SAFETY: an attached thread, a class and a live object.
            Ok(arguments) => unsafe { py::PyErr_SetObject(Kind::Key.class(), arguments.as_ptr()) },
            Err(raised) => return raised,
        }
        Self(())
    }

    /// `MemoryError()`.
    #[cold]
    pub fn no_memory() -> Self {
        // SAFETY: an attached thread.
        unsafe { py::PyErr_NoMemory() };
        Self(())
    }

    /// `RecursionError`, where a thread's stack of so many bytes has no room for another call.
    #[cold]
    #[inline(never)]
    #[allow(dead_code, reason = "from 3.14 on CPython raises it")]
    pub fn stack_overflow(size: usize) -> Self {
        let format = c"stack overflow while calling a cached function: the thread's stack has %zu kB";
        // SAFETY: set up before any extension is imported.
        let class = unsafe { py::PyExc_RecursionError };
        // SAFETY: the format takes exactly one number of this size.
        unsafe { py::PyErr_Format(class, format.as_ptr(), size >> 10) };
        Self(())
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
        // Not `PyErr_SetObject`, which would give it another context.
        super::compat::raise(exception);
        Self(())
    }

    /// Raises this exception, an instance, with this traceback or None: an exception that many raise does not grow with them.
    pub fn again_with(exception: Borrowed<'_>, traceback: Borrowed<'_>) -> Self {
        // SAFETY: an exception, and a traceback or None.
        unsafe { py::PyException_SetTraceback(exception.as_ptr(), traceback.as_ptr()) };
        Self::again(exception)
    }

    /// Clears the exception if it is a `KeyError`, and keeps it otherwise.
    pub fn unless_key_error(self) -> super::Result<()> {
        self.unless(Kind::Key)
    }

    /// Whether the exception is one of this kind.
    pub fn is(&self, kind: Kind) -> bool {
        // SAFETY: an attached thread with an exception set, as `self` says.
        unsafe { py::PyErr_ExceptionMatches(kind.class()) != 0 }
    }

    /// Clears the exception if it is one of this kind, and keeps it otherwise.
    pub fn unless(self, kind: Kind) -> super::Result<()> {
        if !self.is(kind) {
            return Err(self);
        }
        // SAFETY: an attached thread.
        unsafe { py::PyErr_Clear() };
        Ok(())
    }

    /// Clears the exception if it is an `AttributeError`, and keeps it otherwise.
    pub fn unless_attribute_error(self) -> super::Result<()> {
        self.unless(Kind::Attribute)
    }

    /// Hands an `Exception` to `sys.unraisablehook`, with the callable that raised it. Others concern the whole thread or task, and
    /// are kept. Reenters: that hook.
    pub fn report(self, callable: Borrowed<'_>) -> super::Result<()> {
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

/// The traceback of an exception, an instance, or None.
pub fn traceback_of(exception: Borrowed<'_>) -> Owned {
    // SAFETY: an instance of an exception; a new reference or null.
    let traceback = unsafe { py::PyException_GetTraceback(exception.as_ptr()) };
    // SAFETY: a new reference.
    if traceback.is_null() { super::object::none() } else { unsafe { Owned::from_ptr(traceback) } }
}

/// Raises what the arguments of a coroutine's `throw` say: an instance; or a class, with a value and a traceback if there are any.
#[cold]
pub fn raise_given(args: &[Borrowed<'_>]) -> Raised {
    let Some(&kind) = args.first() else { return Raised::type_error(c"throw takes an exception") };
    // SAFETY: a live object.
    if unsafe { py::PyExceptionInstance_Check(kind.as_ptr()) } != 0 {
        return Raised::again(kind);
    }
    // SAFETY: a live object.
    if unsafe { py::PyExceptionClass_Check(kind.as_ptr()) } == 0 {
        let message = c"exceptions must be classes or instances deriving from BaseException, not %.200s";
        return Raised::type_error_naming_type(message, kind);
    }
    let value = args.get(1).map_or_else(object::none, |&value| Borrowed::to_owned(value));
    // SAFETY: a class and a value, None or an instance or its argument.
    unsafe { py::PyErr_SetObject(kind.as_ptr(), value.as_ptr()) };
    let raised = Raised(());
    match args.get(2).filter(|traceback| !traceback.is_none()) {
        Some(&traceback) => {
            let exception = raised.take();
            Raised::again_with(exception.borrow(), traceback)
        }
        None => raised,
    }
}
