//! The methods of mappings.

use crate::ffi::method_table::{
    Table, definition, getter, methods, with_arguments, with_one_argument, without_arguments,
};
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call, exact};
use crate::py::cache::Cache;
use crate::py::mapping::compute::get_or_compute;
use crate::py::mapping::object::Mapping;
use pyo3_ffi as py;
use std::ffi::{CStr, c_void};
use std::ptr;

/// `get(key, default=None)`. The usual way to call it is told apart here, and the others in [`with_default`].
///
/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn get(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    count: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    if count == 1 && kwnames.is_null() {
        // SAFETY: there is one argument, held by the caller.
        let key = unsafe { Borrowed::first_of(args) };
        return match this.hit(key) {
            Some(value) => value.into_ptr(),
            None => call::to_slot(this.get(key, None)),
        };
    }
    // SAFETY: the arguments of a method called with FASTCALL and KEYWORDS, during the call.
    let args = unsafe { CallArgs::new(args, count as usize, kwnames) };
    let found = with_default(&args, c"get() takes a key, and a default (None)")
        .and_then(|(key, default)| this.hit(key).map_or_else(|| this.get(key, default), Ok));
    call::to_slot(found)
}

/// The arguments of a method that takes a key, and a default by position or by name.
fn with_default<'a>(args: &CallArgs<'a>, takes: &CStr) -> Result<(Borrowed<'a>, Option<Borrowed<'a>>)> {
    let values = args.values();
    let by_name = args.names();
    let is_default = |name: &Borrowed<'_>| {
        // SAFETY: a str and a terminated string.
        unsafe { py::PyUnicode_CompareWithASCIIString(name.as_ptr(), c"default".as_ptr()) == 0 }
    };
    match (values, by_name) {
        (&[key], []) => Ok((key, None)),
        (&[key, default], []) => Ok((key, Some(default))),
        (&[key, default], [name]) if is_default(name) => Ok((key, Some(default))),
        _ => Err(Raised::type_error(takes)),
    }
}

/// The arguments of a method that takes so many by position, and `ttl` by name. None for a ttl that is None.
fn with_ttl<'a>(args: &CallArgs<'a>, count: usize, takes: &CStr) -> Result<(Vec<Borrowed<'a>>, Option<Borrowed<'a>>)> {
    let values = args.values();
    let is_ttl = |name: &Borrowed<'_>| {
        // SAFETY: a str and a terminated string.
        unsafe { py::PyUnicode_CompareWithASCIIString(name.as_ptr(), c"ttl".as_ptr()) == 0 }
    };
    match args.names() {
        [] if values.len() == count => Ok((values.to_vec(), None)),
        [name] if values.len() == count + 1 && is_ttl(name) => {
            Ok((values[..count].to_vec(), Some(values[count]).filter(|ttl| !ttl.is_none())))
        }
        _ => Err(Raised::type_error(takes)),
    }
}

methods! {
    &Mapping:
    pop = |this, args| with_default(&args, c"pop() takes a key, and a default").and_then(|(key, default)| {
        match (this.take(key)?, default) {
            (Some(value), _) => Ok(value),
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(Raised::key_error(key)),
        }
    });
    setdefault = |this, args| with_default(&args, c"setdefault() takes a key, and a default (None)")
        .and_then(|(key, default)| this.set_default(key, default.unwrap_or(build::none().borrow())));
    public_peek = |this, args| with_default(&args, c"peek() takes a key, and a default (None)").and_then(|(key, default)| {
        let found = this.peek(key)?;
        let found = exact::tuple_items(found.borrow()).first().copied().or(default).map(Borrowed::to_owned);
        Ok(found.unwrap_or_else(build::none))
    });
    set = |this, args| with_ttl(&args, 2, c"set() takes a key and a value, and by keyword ttl").and_then(|(values, ttl)| {
        this.set_for(values[0], values[1], ttl).map(|()| build::none())
    });
    touch = |this, args| with_ttl(&args, 1, c"touch() takes a key, and by keyword ttl")
        .and_then(|(values, ttl)| this.touch(values[0], ttl));
    expires_in = |this; key| this.expires_in(key);
    expire = |this| this.expire();
    resize = |this; maxsize| this.resize(maxsize);
    peek = |this, args| match *args.values() {
        [key] => this.peek(key),
        _ => Err(Raised::type_error(c"_peek() takes a key")),
    };
    restore = |this, args| match *args.values() {
        [entries, hand] => this.restore(entries, hand),
        _ => Err(Raised::type_error(c"_restore() takes the entries and the hand")),
    };
    popitem = |this| this.pop_item();
    clear = |this| this.clear();
    info = |this| this.cache().and_then(|cache| cache.info(this.state()?));
    stats = |this| this.stats();
    pairs = |this| this.pairs();
    snapshot = |this| this.snapshot();
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn maxsize(object: *mut py::PyObject, _closure: *mut c_void) -> *mut py::PyObject {
    // SAFETY: a mapping, held by the caller.
    call::to_slot(unsafe { Mapping::of(object) }.cache().and_then(Cache::maxsize))
}

/// CPython calls a method of the object's own type faster than one of a base: it tells by the type that the method belongs to.
///
/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn lend(_self: *mut py::PyObject, class: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: the one argument of a function called with METH_O.
    call::to_slot(lend_to(unsafe { Borrowed::from_ptr(class) }))
}

fn lend_to(class: Borrowed<'_>) -> Result<Owned> {
    // The methods take their object for a mapping: see `Mapping::of`.
    if Mapping::base_of(class).is_none() {
        return Err(Raised::type_error(c"_lend() takes a subclass of SieveCacheBase"));
    }
    for definition in METHODS.entries() {
        if definition.ml_flags & py::METH_STATIC != 0 {
            continue;
        }
        let place = ptr::from_ref(definition).cast_mut();
        // SAFETY: a class, and a static definition that C only reads.
        let method = unsafe { py::PyDescr_NewMethod(class.as_ptr().cast(), place) };
        // SAFETY: a new reference, or null with an exception set.
        let method = unsafe { Owned::from_call(method) }?;
        // SAFETY: a live class, a terminated string and a live object.
        if unsafe { py::PyObject_SetAttrString(class.as_ptr(), definition.ml_name, method.as_ptr()) } != 0 {
            return Err(Raised::by_callee());
        }
    }
    Ok(build::none())
}

/// The methods.
pub static METHODS: Table<py::PyMethodDef, 19> = Table::new([
    with_arguments(
        c"get",
        get,
        c"get($self, key, /, default=None)\n--\n\nThe value for the key, marked as used, or the default.",
    ),
    with_arguments(
        c"pop",
        pop,
        c"pop($self, key, /, default=<unrepresentable>)\n--\n\n\
          Take an entry out and return its value, or the default. Without one, KeyError.",
    ),
    without_arguments(
        c"popitem",
        popitem,
        c"popitem($self, /)\n--\n\nTake the next victim out and return its key and value. KeyError if there is none.",
    ),
    with_arguments(
        c"setdefault",
        setdefault,
        c"setdefault($self, key, /, default=None)\n--\n\n\
          The value for the key, marked as used; where there is none, the default, which is stored.",
    ),
    with_arguments(
        c"get_or_compute",
        get_or_compute,
        c"get_or_compute($self, key, factory, /)\n--\n\n\
          The value for the key, marked as used; where there is none, that of factory(), which is stored.\n\n\
          Threads that ask for one key at once compute once: the others wait for the one that computes.\n\
          An error goes to all of them, and is not stored.",
    ),
    with_arguments(
        c"set",
        set,
        c"set($self, key, value, /, *, ttl=None)\n--\n\n\
          Store a value, for ttl (seconds or a timedelta) if that is given.\n\n\
          A ttl for one entry needs a cache that was made with a ttl or tti.",
    ),
    with_arguments(
        c"touch",
        touch,
        c"touch($self, key, /, *, ttl=None)\n--\n\n\
          Have an entry expire as if it were stored now, after ttl if that is given. True if there is one.",
    ),
    with_one_argument(
        c"expires_in",
        expires_in,
        c"expires_in($self, key, /)\n--\n\nIn how many seconds an entry expires if nobody reads it, or None. KeyError if there is none.",
    ),
    with_arguments(
        c"peek",
        public_peek,
        c"peek($self, key, /, default=None)\n--\n\nThe value for the key, or the default. Marks and counts nothing.",
    ),
    without_arguments(
        c"expire",
        expire,
        c"expire($self, /)\n--\n\nDrop the entries that have expired: a list of their keys and values.",
    ),
    with_one_argument(
        c"resize",
        resize,
        c"resize($self, maxsize, /)\n--\n\nHave at most maxsize entries from now on, or any number for None. Those that are too many leave.",
    ),
    without_arguments(c"clear", clear, c"clear($self, /)\n--\n\nDrop all entries and zero the counts."),
    without_arguments(
        c"info",
        info,
        c"info($self, /)\n--\n\nCacheInfo(hits, misses, maxsize, currsize), counted since the last clear().",
    ),
    without_arguments(
        c"stats",
        stats,
        c"stats($self, /)\n--\n\nA new dict of all that was counted since the last clear(), and of the sizes.",
    ),
    without_arguments(c"_pairs", pairs, c"A list of keys with their values, the oldest first."),
    without_arguments(c"_snapshot", snapshot, c"All that a copy needs."),
    with_arguments(c"_peek", peek, c"A tuple of the value for a key, or an empty one. Marks and counts nothing."),
    with_arguments(c"_restore", restore, c"Put the entries of a snapshot in."),
    definition(
        c"_lend",
        py::PyMethodDefPointer { PyCFunction: lend },
        py::METH_O | py::METH_STATIC,
        Some(c"Give a subclass these methods as its own."),
    ),
]);

/// The attributes that are no methods.
pub static ATTRIBUTES: Table<py::PyGetSetDef, 1> =
    Table::new([getter(c"maxsize", maxsize, Some(c"How many entries there may be, or None."))]);
