//! Values of CPython's own types, taken apart. Nothing in here runs Python code, unless it says so.

use super::compat::{PyMethod_Function, PyMethod_Self, PyMethod_Type};
use super::exact::{ByteArray, Characters, Dict, Exact, FrozenSet, List, Set, Str, Tuple, bytes_of_instance};
use super::raised::Kind;
use super::sync::FREE_THREADED;
use super::{Borrowed, Owned, Raised, Result};
use pyo3_ffi as py;
use std::ffi::CStr;
use std::path::PathBuf;
use std::ptr;

/// The text of a `str`, lone surrogates as question marks.
pub fn text(string: Borrowed<'_>) -> Result<String> {
    // SAFETY: a str and two terminated strings.
    let bytes = unsafe { py::PyUnicode_AsEncodedString(string.as_ptr(), c"utf-8".as_ptr(), c"replace".as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let bytes = unsafe { Owned::from_call(bytes) }?;
    Ok(String::from_utf8_lossy(bytes_of_instance(bytes.borrow()).unwrap_or_default()).into_owned())
}

/// The path that a `str` names, as the file system has it.
pub fn path(string: Borrowed<'_>) -> Result<PathBuf> {
    // SAFETY: a str.
    let bytes = unsafe { py::PyUnicode_EncodeFSDefault(string.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let bytes = unsafe { Owned::from_call(bytes) }?;
    match std::str::from_utf8(bytes_of_instance(bytes.borrow()).unwrap_or_default()) {
        Ok(path) => Ok(path.into()),
        Err(_) => {
            let message = c"a path must be text, not %R";
            Err(Raised::with(Kind::Value, message, string))
        }
    }
}

/// The same `str`, with its characters where [`Exact::characters`] finds them.
fn compact(string: Exact<'_, Str>) -> Result<Owned> {
    let string = string.object();
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

/// Runs `work` on the characters of a string.
#[inline(always)]
pub fn with_characters<R>(string: Exact<'_, Str>, work: impl FnOnce(Characters<'_>) -> R) -> Result<R> {
    if let Some(characters) = string.characters() {
        return Ok(work(characters));
    }
    let compact = compact(string)?;
    match Exact::<Str>::of(compact.borrow()).and_then(Exact::characters) {
        Some(characters) => Ok(work(characters)),
        None => Err(Raised::type_error(c"a str without characters")),
    }
}

/// Shows `write` what a `bytearray` holds. False if that is more than `most` bytes.
pub fn with_bytearray(array: Exact<'_, ByteArray>, most: usize, write: impl FnOnce(&[u8])) -> Result<bool> {
    let mut view = std::mem::MaybeUninit::<py::Py_buffer>::uninit();
    // While it is viewed it keeps its size and its memory, whatever other threads do.
    // SAFETY: a bytearray, and a place for the view.
    if unsafe { py::PyObject_GetBuffer(array.object().as_ptr(), view.as_mut_ptr(), py::PyBUF_SIMPLE) } != 0 {
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

/// The items of a list, one after another.
pub struct Items {
    /// The list, or a tuple of what it held at one moment where other threads may change it.
    source: Owned,
}

/// The items of a list that no other thread changes. Python code that runs meanwhile may: then the length differs before and after.
pub fn own_list(list: Exact<'_, List>) -> Result<Items> {
    if !FREE_THREADED {
        return Ok(Items { source: list.object().to_owned() });
    }
    // SAFETY: a list.
    let tuple = unsafe { py::PyList_AsTuple(list.object().as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    Ok(Items { source: unsafe { Owned::from_call(tuple) }? })
}

impl Items {
    /// How many there are now.
    pub fn len(&self) -> usize {
        match Exact::<Tuple>::of(self.source.borrow()) {
            Some(tuple) => tuple.items().len(),
            // SAFETY: a list.
            None => unsafe { py::PyList_Size(self.source.as_ptr()) as usize },
        }
    }

    /// That item, if there is one now.
    #[inline(always)]
    pub fn get(&self, at: usize) -> Option<Owned> {
        if let Some(tuple) = Exact::<Tuple>::of(self.source.borrow()) {
            return tuple.items().get(at).map(|&item| Borrowed::to_owned(item));
        }
        if at >= self.len() {
            return None;
        }
        // SAFETY: a list that has such an item; a borrowed reference.
        let item = unsafe { py::PyList_GetItem(self.source.as_ptr(), at as py::Py_ssize_t) };
        // SAFETY: the list holds it, and nobody else runs now.
        Some(unsafe { Borrowed::from_ptr(item) }.to_owned())
    }
}

/// A dict that no other thread changes.
pub struct OwnDict(Owned);

/// This dict, or a copy where other threads may change it.
pub fn own_dict(dict: Exact<'_, Dict>) -> Result<OwnDict> {
    if !FREE_THREADED {
        return Ok(OwnDict(dict.object().to_owned()));
    }
    // SAFETY: a dict.
    let copy = unsafe { py::PyDict_Copy(dict.object().as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(copy) }.map(OwnDict)
}

impl OwnDict {
    /// How many items it has now.
    pub fn len(&self) -> usize {
        // SAFETY: a dict.
        unsafe { py::PyDict_Size(self.0.as_ptr()) as usize }
    }

    /// Its keys and values, in order. Python code that runs meanwhile may change it: then some are missed, and the length differs.
    pub fn items(&self) -> impl Iterator<Item = (Owned, Owned)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
            // SAFETY: a dict that no other thread changes, and three places. Borrowed references.
            if unsafe { py::PyDict_Next(self.0.as_ptr(), &raw mut at, &raw mut key, &raw mut value) } == 0 {
                return None;
            }
            // SAFETY: the dict holds it, and nobody else runs now.
            let key = unsafe { Borrowed::from_ptr(key) }.to_owned();
            // SAFETY: as above.
            Some((key, unsafe { Borrowed::from_ptr(value) }.to_owned()))
        })
    }
}

/// How many items a dict, or one of a subclass, has now.
pub fn size_of_dict(dict: Borrowed<'_>) -> usize {
    // SAFETY: a live object, of which the call checks the type.
    unsafe { py::PyDict_Size(dict.as_ptr()) as usize }
}

/// The keys and values that a dict, or one of a subclass, has now. `SystemError` for other objects.
pub fn dict_pairs(dict: Borrowed<'_>) -> Result<Vec<(Owned, Owned)>> {
    // SAFETY: a live object, of which the call checks the type.
    let list = unsafe { py::PyDict_Items(dict.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let list = unsafe { Owned::from_call(list) }?;
    // SAFETY: a live list.
    let tuple = unsafe { py::PyList_AsTuple(list.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let tuple = unsafe { Owned::from_call(tuple) }?;
    let items = |object| Exact::<Tuple>::of(object).map_or(&[][..], Exact::items);
    let pairs = items(tuple.borrow()).iter().filter_map(|&pair| match *items(pair) {
        [key, value] => Some((Borrowed::to_owned(key), Borrowed::to_owned(value))),
        _ => None,
    });
    Ok(pairs.collect())
}

/// `dict[name]`, in a dict whose keys are `str`, or nothing.
pub fn get_item(dict: Borrowed<'_>, name: Borrowed<'_>) -> Result<Option<Owned>> {
    // A new reference, unlike `PyDict_GetItem`'s: other threads may change the dict.
    // SAFETY: two live objects; a new reference or null.
    let found = unsafe { py::PyObject_GetItem(dict.as_ptr(), name.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    match unsafe { Owned::from_call(found) } {
        Ok(value) => Ok(Some(value)),
        Err(raised) => raised.unless_key_error().map(|()| None),
    }
}

/// A set or a frozenset.
#[derive(Clone, Copy)]
pub struct AnySet<'a>(Borrowed<'a>);

impl<'a> From<Exact<'a, Set>> for AnySet<'a> {
    fn from(set: Exact<'a, Set>) -> Self {
        Self(set.object())
    }
}

impl<'a> From<Exact<'a, FrozenSet>> for AnySet<'a> {
    fn from(set: Exact<'a, FrozenSet>) -> Self {
        Self(set.object())
    }
}

impl AnySet<'_> {
    /// How many items it has now.
    pub fn len(self) -> usize {
        // SAFETY: a set or frozenset.
        unsafe { py::PySet_Size(self.0.as_ptr()) as usize }
    }

    /// Its items, in no order. `RuntimeError` if others change it meanwhile.
    pub fn items(self) -> Result<impl Iterator<Item = Result<Owned>>> {
        // SAFETY: a set.
        let iterator = unsafe { py::PyObject_GetIter(self.0.as_ptr()) };
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
}

/// `types.MethodType`
pub fn method_type() -> Borrowed<'static> {
    let kind = &raw mut PyMethod_Type;
    // SAFETY: a static type.
    unsafe { Borrowed::from_ptr(kind.cast()) }
}

/// Whether it is exactly a `types.MethodType`.
pub fn is_method(object: Borrowed<'_>) -> bool {
    object.type_ptr() == &raw mut PyMethod_Type
}

/// The function and the instance of a method, if it is exactly a `types.MethodType`.
pub fn method_parts(method: Borrowed<'_>) -> Option<(Borrowed<'_>, Borrowed<'_>)> {
    if !is_method(method) {
        return None;
    }
    // SAFETY: the type has just been seen.
    let function = unsafe { PyMethod_Function(method.as_ptr()) };
    // SAFETY: as above.
    let instance = unsafe { PyMethod_Self(method.as_ptr()) };
    // SAFETY: what a method holds never changes.
    let function = unsafe { Borrowed::from_ptr(function) };
    // SAFETY: as above.
    Some((function, unsafe { Borrowed::from_ptr(instance) }))
}

/// `code.co_flags`
pub fn code_flags(code: Borrowed<'_>) -> Result<i64> {
    let flags = attr_of(code, c"co_flags")?;
    // SAFETY: a live object, whose type the call checks.
    let value = unsafe { py::PyLong_AsLongLong(flags.as_ptr()) };
    // SAFETY: an attached thread.
    if value == -1 && !unsafe { py::PyErr_Occurred() }.is_null() {
        return Err(Raised::by_callee());
    }
    Ok(value)
}

/// `getattr(object, name)`. Reenters: as [`Borrowed::attr`].
fn attr_of(object: Borrowed<'_>, name: &CStr) -> Result<Owned> {
    // SAFETY: a live object and a terminated string; a new reference or null.
    let value = unsafe { py::PyObject_GetAttrString(object.as_ptr(), name.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(value) }
}
