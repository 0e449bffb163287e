//! Values of CPython's own types, taken apart and made from bytes. Nothing in here runs Python code.

use super::exact::{self, Characters};
use super::object::{Borrowed, Owned};
use super::sync::FREE_THREADED;
use super::{Raised, Result};
use pyo3_ffi as py;
use std::ptr;

unsafe extern "C" {
    /// Include/cpython/longobject.h; pyo3-ffi has it for some versions only.
    fn _PyLong_FromByteArray(
        bytes: *const u8,
        count: usize,
        little_endian: std::ffi::c_int,
        is_signed: std::ffi::c_int,
    ) -> *mut py::PyObject;
}

/// The sign of an exact `int`, -1, 0 or 1, and its digits of 30 bits each, the lowest first.
pub fn int_digits(int: Borrowed<'_>) -> (i64, &[u32]) {
    debug_assert!(exact::is_int(int));
    // SAFETY: an exact int, as the caller has seen.
    let laid_open = unsafe { exact::as_int(int) };
    // SAFETY: so many digits, which don't change.
    (laid_open.sign(), unsafe { std::slice::from_raw_parts(laid_open.digit(), laid_open.digits()) })
}

/// The `int` of this magnitude, its lowest byte first.
pub fn int_of_magnitude(magnitude: &[u8], negative: bool) -> Result<Owned> {
    // SAFETY: so many bytes.
    let natural = unsafe { _PyLong_FromByteArray(magnitude.as_ptr(), magnitude.len(), 1, 0) };
    // SAFETY: a new reference, or null with an exception set.
    let natural = unsafe { Owned::from_call(natural) }?;
    if !negative {
        return Ok(natural);
    }
    // SAFETY: an int.
    let negated = unsafe { py::PyNumber_Negative(natural.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(negated) }
}

/// The value of an exact `float`.
#[inline(always)]
pub fn float_value(float: Borrowed<'_>) -> f64 {
    debug_assert!(exact::is_float(float));
    // SAFETY: an exact float, as the caller has seen.
    unsafe { exact::float_value(float) }
}

/// A `float`.
pub fn float(value: f64) -> Result<Owned> {
    // SAFETY: returns a new reference or null.
    let float = unsafe { py::PyFloat_FromDouble(value) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(float) }
}

/// The real and the imaginary part of an exact `complex`.
pub fn complex_parts(complex: Borrowed<'_>) -> (f64, f64) {
    debug_assert!(exact::is_complex(complex));
    // SAFETY: an exact complex, as the caller has seen.
    let real = unsafe { py::PyComplex_RealAsDouble(complex.as_ptr()) };
    // SAFETY: as above.
    (real, unsafe { py::PyComplex_ImagAsDouble(complex.as_ptr()) })
}

/// A `complex`.
pub fn complex(real: f64, imaginary: f64) -> Result<Owned> {
    // SAFETY: returns a new reference or null.
    let complex = unsafe { py::PyComplex_FromDoubles(real, imaginary) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(complex) }
}

/// The bytes of an exact `bytes`.
#[inline(always)]
pub fn bytes_of(bytes: Borrowed<'_>) -> &[u8] {
    debug_assert!(exact::is_bytes(bytes));
    // SAFETY: an exact bytes, as the caller has seen.
    unsafe { exact::bytes_of(bytes) }
}

/// The bytes of an object, if it is `bytes` or of a subclass.
pub fn bytes_of_instance(object: Borrowed<'_>) -> Option<&[u8]> {
    // SAFETY: a live object.
    if unsafe { py::PyBytes_Check(object.as_ptr()) } == 0 {
        return None;
    }
    // SAFETY: the object is bytes.
    Some(unsafe { exact::bytes_of(object) })
}

/// A `bytes`.
pub fn bytes(content: &[u8]) -> Result<Owned> {
    // SAFETY: so many bytes.
    let bytes = unsafe { py::PyBytes_FromStringAndSize(content.as_ptr().cast(), content.len() as py::Py_ssize_t) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(bytes) }
}

/// Shows `write` what a `bytearray` holds. False if that is more than `most` bytes.
pub fn with_bytearray(array: Borrowed<'_>, most: usize, write: impl FnOnce(&[u8])) -> Result<bool> {
    let mut view = std::mem::MaybeUninit::<py::Py_buffer>::uninit();
    // While it is viewed it keeps its size and its memory, whatever other threads do.
    // SAFETY: a bytearray, and a place for the view.
    if unsafe { py::PyObject_GetBuffer(array.as_ptr(), view.as_mut_ptr(), py::PyBUF_SIMPLE) } != 0 {
        return Err(Raised::by_callee());
    }
    // SAFETY: filled in by the call that has succeeded.
    let mut view = unsafe { view.assume_init() };
    let fits = view.len as usize <= most;
    if fits {
        let content = if view.len == 0 {
            &[]
        } else {
            // SAFETY: so many bytes, which stay where they are until the view is given back. With the GIL nobody writes them
            // meanwhile. Without it another thread may, which makes a race that is the program's own: what is read are bytes.
            unsafe { std::slice::from_raw_parts(view.buf.cast::<u8>(), view.len as usize) }
        };
        write(content);
    }
    // SAFETY: the view that was taken.
    unsafe { py::PyBuffer_Release(&raw mut view) };
    Ok(fits)
}

/// A `bytearray`.
pub fn bytearray(content: &[u8]) -> Result<Owned> {
    // SAFETY: so many bytes.
    let array = unsafe { py::PyByteArray_FromStringAndSize(content.as_ptr().cast(), content.len() as py::Py_ssize_t) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(array) }
}

/// A `str` of these characters, which are ASCII.
#[inline]
pub fn ascii_str(characters: &[u8]) -> Result<Owned> {
    debug_assert!(characters.is_ascii());
    if characters.len() < 2 {
        // CPython has them already.
        return str_of(characters, 1);
    }
    // SAFETY: returns a new reference or null.
    let string = unsafe { py::PyUnicode_New(characters.len() as py::Py_ssize_t, 0x7F) };
    // SAFETY: a new reference, or null with an exception set.
    let string = unsafe { Owned::from_call(string) }?;
    // SAFETY: a compact ASCII string's characters follow its head.
    let place = unsafe { string.as_ptr().cast::<u8>().add(size_of::<py::PyASCIIObject>()) };
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
    let string =
        unsafe { py::PyUnicode_FromKindAndData(std::ffi::c_int::from(width), aligned.cast(), count as py::Py_ssize_t) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(string) }
}

/// The same `str`, with its characters where [`exact::characters`] finds them.
pub fn compact(string: Borrowed<'_>) -> Result<Owned> {
    // SAFETY: a str; memory of our own, or null with an exception set.
    let copy = unsafe { py::PyUnicode_AsUCS4Copy(string.as_ptr()) };
    if copy.is_null() {
        return Err(Raised::by_callee());
    }
    // SAFETY: a str.
    let length = unsafe { py::PyUnicode_GetLength(string.as_ptr()) };
    // SAFETY: so many characters.
    let made = unsafe { py::PyUnicode_FromKindAndData(4, copy.cast(), length) };
    // SAFETY: the memory of the copy, used no more.
    unsafe { py::PyMem_Free(copy.cast()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(made) }
}

/// Runs `work` on the characters of an exact `str`.
#[inline(always)]
pub fn with_characters<R>(string: Borrowed<'_>, work: impl FnOnce(Characters<'_>) -> R) -> Result<R> {
    if let Some(characters) = exact::characters(string) {
        return Ok(work(characters));
    }
    let compact = compact(string)?;
    match exact::characters(compact.borrow()) {
        Some(characters) => Ok(work(characters)),
        None => Err(Raised::type_error(c"a str without characters")),
    }
}

/// The items of a list, one after another.
pub struct Items {
    /// The list, or a tuple of what it held at one moment where other threads may change it.
    source: Owned,
}

/// The items of an exact list that no other thread changes. Python code that runs meanwhile may: then the length differs
/// before and after.
pub fn own_list(list: Borrowed<'_>) -> Result<Items> {
    debug_assert!(exact::is_list(list));
    if !FREE_THREADED {
        return Ok(Items { source: list.to_owned() });
    }
    // SAFETY: a list.
    let tuple = unsafe { py::PyList_AsTuple(list.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    Ok(Items { source: unsafe { Owned::from_call(tuple) }? })
}

impl Items {
    /// How many there are now.
    pub fn len(&self) -> usize {
        if FREE_THREADED {
            return exact::tuple_items(self.source.borrow()).len();
        }
        // SAFETY: a list.
        unsafe { py::PyList_Size(self.source.as_ptr()) as usize }
    }

    /// That item, if there is one now.
    #[inline(always)]
    pub fn get(&self, at: usize) -> Option<Owned> {
        if at >= self.len() {
            return None;
        }
        if FREE_THREADED {
            return exact::tuple_items(self.source.borrow()).get(at).map(|&item| Borrowed::to_owned(item));
        }
        // SAFETY: a list that has such an item; a borrowed reference.
        let item = unsafe { py::PyList_GetItem(self.source.as_ptr(), at as py::Py_ssize_t) };
        // SAFETY: the list holds it, and nobody else runs now.
        Some(unsafe { Borrowed::from_ptr(item) }.to_owned())
    }
}

/// The keys and values of a dict that no other thread changes, in order.
pub fn dict_items(dict: Borrowed<'_>) -> impl Iterator<Item = (Owned, Owned)> {
    debug_assert!(exact::is_dict(dict));
    let mut at = 0;
    std::iter::from_fn(move || {
        let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: a dict that no other thread changes, and three places. Borrowed references.
        if unsafe { py::PyDict_Next(dict.as_ptr(), &raw mut at, &raw mut key, &raw mut value) } == 0 {
            return None;
        }
        // SAFETY: the dict holds it, and nobody else runs now.
        let key = unsafe { Borrowed::from_ptr(key) }.to_owned();
        // SAFETY: as above.
        Some((key, unsafe { Borrowed::from_ptr(value) }.to_owned()))
    })
}

/// A dict that no other thread changes: this one, or a copy.
pub fn own_dict(dict: Borrowed<'_>) -> Result<Owned> {
    if !FREE_THREADED {
        return Ok(dict.to_owned());
    }
    // SAFETY: a dict.
    let copy = unsafe { py::PyDict_Copy(dict.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(copy) }
}

/// How many items a dict has now.
pub fn size_of_dict(dict: Borrowed<'_>) -> usize {
    // SAFETY: a dict.
    unsafe { py::PyDict_Size(dict.as_ptr()) as usize }
}

/// How many items a set or frozenset has now.
pub fn size_of_set(set: Borrowed<'_>) -> usize {
    // SAFETY: a set or frozenset.
    unsafe { py::PySet_Size(set.as_ptr()) as usize }
}

/// The items of an exact set or frozenset, in no order. `RuntimeError` if others change it meanwhile.
pub fn set_items(set: Borrowed<'_>) -> Result<impl Iterator<Item = Result<Owned>>> {
    // SAFETY: a set.
    let iterator = unsafe { py::PyObject_GetIter(set.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let iterator = unsafe { Owned::from_call(iterator) }?;
    Ok(std::iter::from_fn(move || {
        // SAFETY: an iterator; a new reference, or null.
        let item = unsafe { py::PyIter_Next(iterator.as_ptr()) };
        if !item.is_null() {
            // SAFETY: a new reference.
            return Some(Ok(unsafe { Owned::from_ptr(item) }));
        }
        // SAFETY: an attached thread.
        let ended = unsafe { py::PyErr_Occurred() }.is_null();
        (!ended).then(|| Err(Raised::by_callee()))
    }))
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
