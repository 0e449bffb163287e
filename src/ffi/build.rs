//! Values of CPython's own types, made.

use super::compat::{self, PyMethod_New};
use super::{Borrowed, Owned, Raised, Result};
use pyo3_ffi as py;
use std::ffi::{CStr, c_int};
use std::ptr;

/// `None`, as a new reference.
pub fn none() -> Owned {
    // SAFETY: set up before any extension is imported.
    let none = unsafe { py::Py_None() };
    // SAFETY: there as long as the interpreter.
    unsafe { Borrowed::from_ptr(none) }.to_owned()
}

/// `True` or `False`, as a new reference.
pub fn boolean(value: bool) -> Owned {
    // SAFETY: set up before any extension is imported.
    let object = if value { unsafe { py::Py_True() } } else { unsafe { py::Py_False() } };
    // SAFETY: there as long as the interpreter.
    unsafe { Borrowed::from_ptr(object) }.to_owned()
}

/// An `int`.
pub fn int(value: i64) -> Result<Owned> {
    // SAFETY: returns a new reference or null.
    let pointer = unsafe { py::PyLong_FromLongLong(value) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// An `int` that counts something.
pub fn count(value: u64) -> Result<Owned> {
    // SAFETY: returns a new reference or null.
    let pointer = unsafe { py::PyLong_FromUnsignedLongLong(value) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// The `int` of this magnitude, its lowest byte first.
pub fn int_of_magnitude(magnitude: &[u8], negative: bool) -> Result<Owned> {
    let natural = compat::natural(magnitude)?;
    if !negative {
        return Ok(natural);
    }
    // SAFETY: an int.
    let negated = unsafe { py::PyNumber_Negative(natural.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(negated) }
}

/// A `float`.
pub fn float(value: f64) -> Result<Owned> {
    // SAFETY: returns a new reference or null.
    let float = unsafe { py::PyFloat_FromDouble(value) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(float) }
}

/// A `complex`.
pub fn complex(real: f64, imaginary: f64) -> Result<Owned> {
    // SAFETY: returns a new reference or null.
    let complex = unsafe { py::PyComplex_FromDoubles(real, imaginary) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(complex) }
}

/// A `bytes`.
pub fn bytes(content: &[u8]) -> Result<Owned> {
    // SAFETY: so many bytes.
    let bytes = unsafe { py::PyBytes_FromStringAndSize(content.as_ptr().cast(), content.len() as py::Py_ssize_t) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(bytes) }
}

/// A `bytearray`.
pub fn bytearray(content: &[u8]) -> Result<Owned> {
    // SAFETY: so many bytes.
    let array = unsafe { py::PyByteArray_FromStringAndSize(content.as_ptr().cast(), content.len() as py::Py_ssize_t) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(array) }
}

/// A `str` of this text.
pub fn string(text: &str) -> Result<Owned> {
    // SAFETY: so many bytes of UTF-8.
    let string = unsafe { py::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as py::Py_ssize_t) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(string) }
}

/// An interned `str`.
pub fn interned(text: &CStr) -> Result<Owned> {
    // SAFETY: a terminated string; the call returns a new reference or null.
    let pointer = unsafe { py::PyUnicode_InternFromString(text.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}

/// Characters that are ASCII.
#[derive(Clone, Copy)]
pub struct Ascii<'a>(&'a [u8]);

impl<'a> Ascii<'a> {
    /// These, if they are.
    #[inline(always)]
    pub fn of(characters: &'a [u8]) -> Option<Self> {
        characters.is_ascii().then_some(Self(characters))
    }

    /// Their bytes.
    #[inline(always)]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }
}

/// A `str` of these characters.
#[inline]
pub fn ascii_str(characters: Ascii<'_>) -> Result<Owned> {
    let characters = characters.bytes();
    if characters.len() < 2 {
        // CPython has them already.
        return str_of(characters, 1);
    }
    // SAFETY: returns a new reference or null.
    let string = unsafe { py::PyUnicode_New(characters.len() as py::Py_ssize_t, 0x7F) };
    // SAFETY: a new reference, or null with an exception set.
    let string = unsafe { Owned::from_call(string) }?;
    // SAFETY: a compact ASCII string's characters follow its head.
    let place = unsafe { string.as_ptr().cast::<u8>().add(compat::ASCII_STR_HEAD) };
    // SAFETY: memory for so many characters, of a string that nobody else knows yet.
    unsafe { ptr::copy_nonoverlapping(characters.as_ptr(), place, characters.len()) };
    Ok(string)
}

/// A `str` of characters of `width` bytes each: 1, 2 or 4. A `SystemError` where one of four bytes is no character.
pub fn str_of(characters: &[u8], width: u8) -> Result<Owned> {
    let count = characters.len() / usize::from(width);
    let mut whole = Vec::<u32>::new();
    let aligned = if characters.as_ptr().addr().is_multiple_of(usize::from(width)) {
        characters.as_ptr()
    } else {
        whole.resize(characters.len().div_ceil(size_of::<u32>()), 0);
        // SAFETY: memory of our own for as many bytes and more.
        unsafe { ptr::copy_nonoverlapping(characters.as_ptr(), whole.as_mut_ptr().cast::<u8>(), characters.len()) };
        whole.as_ptr().cast()
    };
    // SAFETY: so many characters of that width, aligned as such.
    let string = unsafe { py::PyUnicode_FromKindAndData(c_int::from(width), aligned.cast(), count as py::Py_ssize_t) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(string) }
}

/// A tuple of these objects.
pub fn tuple(items: &[Borrowed<'_>]) -> Result<Owned> {
    // SAFETY: an attached thread.
    let tuple = unsafe { py::PyTuple_New(items.len() as py::Py_ssize_t) };
    // SAFETY: a new reference, or null with an exception set.
    let tuple = unsafe { Owned::from_call(tuple) }?;
    for (at, item) in items.iter().enumerate() {
        // SAFETY: a new tuple of that size, which takes over the reference.
        unsafe { py::PyTuple_SetItem(tuple.as_ptr(), at as py::Py_ssize_t, Borrowed::to_owned(*item).into_ptr()) };
    }
    Ok(tuple)
}

/// A new tuple or list that is being filled from its first item on.
pub struct Filling {
    made: Owned,
    filled: usize,
    is_list: bool,
}

impl Filling {
    /// A list or a tuple of so many items.
    pub fn new(count: usize, is_list: bool) -> Result<Self> {
        let count = count as py::Py_ssize_t;
        // SAFETY: returns a new reference or null.
        let made = if is_list { unsafe { py::PyList_New(count) } } else { unsafe { py::PyTuple_New(count) } };
        // SAFETY: a new reference, or null with an exception set.
        Ok(Self { made: unsafe { Owned::from_call(made) }?, filled: 0, is_list })
    }

    /// Puts in the next item. There is room for as many as it was made for.
    #[inline(always)]
    pub fn push(&mut self, item: Owned) {
        let at = self.filled as py::Py_ssize_t;
        self.filled += 1;
        if self.is_list {
            // SAFETY: a new list that nobody else knows; an index beyond its end is refused.
            unsafe { py::PyList_SetItem(self.made.as_ptr(), at, item.into_ptr()) };
        } else {
            // SAFETY: as above, of a tuple.
            unsafe { py::PyTuple_SetItem(self.made.as_ptr(), at, item.into_ptr()) };
        }
    }

    /// The tuple or list, filled.
    pub fn done(self) -> Owned {
        self.made
    }
}

/// An empty dict.
pub fn dict() -> Result<Owned> {
    // SAFETY: an attached thread.
    let dict = unsafe { py::PyDict_New() };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(dict) }
}

/// `dict[key] = value`, for keys of built-in types.
#[inline(always)]
pub fn set_item(dict: &Owned, key: Borrowed<'_>, value: Borrowed<'_>) -> Result<()> {
    // SAFETY: a dict and two live objects.
    match unsafe { py::PyDict_SetItem(dict.as_ptr(), key.as_ptr(), value.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Raised::by_callee()),
    }
}

/// An empty set, or frozenset, which takes items as long as nobody else knows it.
pub fn set(frozen: bool) -> Result<Owned> {
    let made = if frozen {
        // SAFETY: without an iterable it is empty.
        unsafe { py::PyFrozenSet_New(ptr::null_mut()) }
    } else {
        // SAFETY: as above.
        unsafe { py::PySet_New(ptr::null_mut()) }
    };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(made) }
}

/// `set.add(item)`, for items of built-in types.
pub fn add(set: &Owned, item: Borrowed<'_>) -> Result<()> {
    // SAFETY: a new set or frozenset, and a live object.
    match unsafe { py::PySet_Add(set.as_ptr(), item.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Raised::by_callee()),
    }
}

/// `types.MethodType(function, instance)`
pub fn bound_method(function: Borrowed<'_>, instance: Borrowed<'_>) -> Result<Owned> {
    // SAFETY: two live objects; a new reference or null.
    let pointer = unsafe { PyMethod_New(function.as_ptr(), instance.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(pointer) }
}
