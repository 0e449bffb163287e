//! Exceptions as tokens.

use pyo3_ffi as py;
use std::ffi::CStr;

/// The result of anything that can leave a Python exception set.
pub type Result<T> = std::result::Result<T, Raised>;

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
    /// The exception type.
    pub(super) fn class(self) -> *mut py::PyObject {
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

    /// For a C call that has just reported failure, which sets an exception.
    #[inline]
    pub fn by_callee() -> Self {
        // SAFETY: an attached thread, which every caller in this crate is.
        debug_assert!(!unsafe { py::PyErr_Occurred() }.is_null());
        Self(())
    }

    /// `TypeError(message)`.
    #[cold]
    pub fn type_error(message: &CStr) -> Self {
        Self::new(Kind::Type, message)
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

    /// Clears the exception if it is a `KeyError`, and keeps it otherwise.
    pub fn unless_key_error(self) -> Result<()> {
        self.unless(Kind::Key)
    }

    /// Whether the exception is one of this kind.
    pub fn is(&self, kind: Kind) -> bool {
        // SAFETY: an attached thread with an exception set, as `self` says.
        unsafe { py::PyErr_ExceptionMatches(kind.class()) != 0 }
    }

    /// Clears the exception if it is one of this kind, and keeps it otherwise.
    pub fn unless(self, kind: Kind) -> Result<()> {
        if !self.is(kind) {
            return Err(self);
        }
        // SAFETY: an attached thread.
        unsafe { py::PyErr_Clear() };
        Ok(())
    }

    /// Clears the exception if it is an `AttributeError`, and keeps it otherwise.
    pub fn unless_attribute_error(self) -> Result<()> {
        self.unless(Kind::Attribute)
    }
}
