//! `SieveCacheBase`: a mapping on the same store and hit path as cached functions.
//!
//! `tamis/_mapping.py` makes `SieveCache` of it, with what `collections.abc.MutableMapping` can do with these methods.

pub mod compute;
pub mod methods;
pub mod state;

use crate::core::hash::Hash;
use crate::core::view::Hit;
use crate::ffi::dropper::Dropper;
use crate::ffi::err::Kind;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, compat, exact, object};
use crate::py::cache::Cache;
use crate::py::cache::in_flight::Flights;
use crate::py::key;
use crate::py::key::{Key, KeyKind};
use crate::state::State;
use pyo3_ffi as py;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A mapping. What CPython writes to lies in a cell.
#[repr(C)]
struct Mapping {
    _ob_base: UnsafeCell<py::PyObject>,
    parts: UnsafeCell<Parts>,
    weakrefs: UnsafeCell<*mut py::PyObject>,
}

/// Taken out by the collector alone, of garbage that nobody calls.
struct Parts {
    /// Filled by `__init__`.
    cache: OnceLock<Cache>,
    /// What is being computed, once `get_or_compute` was called.
    flights: OnceLock<Flights>,
    /// How many calls another one's computation has answered.
    coalesced: AtomicU64,
}

impl Parts {
    const fn new() -> Self {
        Self { cache: OnceLock::new(), flights: OnceLock::new(), coalesced: AtomicU64::new(0) }
    }
}

const NOT_MADE: &CStr = c"SieveCache.__init__() has not been called";

impl Mapping {
    /// # Safety
    /// The object is a live mapping, and the caller holds it for `'a`.
    #[inline(always)]
    unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        // SAFETY: as the caller says.
        unsafe { &*object.cast::<Self>() }
    }

    #[inline(always)]
    fn as_object(&self) -> Borrowed<'_> {
        // SAFETY: this is a live object, held by whoever holds the borrow.
        unsafe { Borrowed::from_ptr(ptr::from_ref(self).cast_mut().cast()) }
    }

    #[inline(always)]
    fn parts(&self) -> &Parts {
        // SAFETY: written in `mapping_tp_clear` alone, of garbage that nobody calls.
        unsafe { &*self.parts.get() }
    }

    #[inline(always)]
    fn cache(&self) -> Result<&Cache> {
        self.parts().cache.get().ok_or_else(|| Raised::type_error(NOT_MADE))
    }

    /// The type of this file that a class is a subclass of, or that it is.
    fn base_of(class: Borrowed<'_>) -> Option<Borrowed<'_>> {
        const OURS: py::destructor = mapping_tp_dealloc;
        // SAFETY: a live object.
        if unsafe { py::PyType_Check(class.as_ptr()) } == 0 {
            return None;
        }
        let mut kind = class.as_ptr().cast::<py::PyTypeObject>();
        // The chain of bases leads over the type that gives the instances their layout. No other type has our function.
        while !kind.is_null() {
            // SAFETY: a live type, which holds its bases.
            if unsafe { (*kind).tp_dealloc }.map(|dealloc| dealloc as usize) == Some(OURS as usize) {
                // SAFETY: as above.
                return Some(unsafe { Borrowed::from_ptr(kind.cast()) });
            }
            // SAFETY: as above.
            kind = unsafe { (*kind).tp_base };
        }
        None
    }

    /// The module's state. The object's type may be a subclass that is no type of this module.
    fn state(&self) -> Result<&State> {
        // SAFETY: a live object's type is live.
        let class = unsafe { Borrowed::from_ptr(self.as_object().type_ptr().cast()) };
        let Some(kind) = Self::base_of(class) else { unreachable!("a mapping is an instance of this type") };
        State::of_type(kind)
    }

    /// The hit path, of small natural numbers and of the very objects that are stored where their hash is at hand, if there are no
    /// options. Else nothing, and [`Mapping::find`] is to look further. Counts a hit.
    #[inline(always)]
    fn hit(&self, key: Borrowed<'_>) -> Option<Owned> {
        let cache = self.parts().cache.get().filter(|cache| cache.policy().is_none())?;
        let found = if exact::is_int(key) {
            // SAFETY: the type has just been seen.
            let value = compat::small_natural(unsafe { exact::as_int(key) })?;
            cache.store.hit(Hash::of(u64::from(value)), Key::is_inline_int)
        } else {
            cache.store.hit(Hash::of(exact::hash_in_place(key)?), |stored| stored.is_object(key))
        };
        if let Hit::Value(value) = found { Some(value) } else { None }
    }

    /// The value for a key, marked as used, or nothing. Counts both. Reenters: `__hash__` and `__eq__` of keys.
    #[inline(always)]
    fn find(&self, key: Borrowed<'_>) -> Result<Option<Owned>> {
        let cache = self.cache()?;
        self.with_key(key, |args, hash| {
            let found = cache.find(args, hash)?;
            if found.is_none() {
                cache.store.count_miss();
            }
            Ok(found)
        })
    }

    /// `self.get(key, default)`, where [`Mapping::hit`] has found nothing. Reenters: as [`Mapping::find`].
    #[inline(never)]
    fn get(&self, key: Borrowed<'_>, default: Option<Borrowed<'_>>) -> Result<Owned> {
        let found = self.find(key)?;
        Ok(found.or_else(|| default.map(Borrowed::to_owned)).unwrap_or_else(object::none))
    }

    /// `self[key]`, as above. Reenters: as [`Mapping::find`], and `__missing__` of a subclass.
    #[inline(never)]
    fn subscript(&self, key: Borrowed<'_>) -> Result<Owned> {
        let (alive, key) = (self.as_object().to_owned(), key.to_owned());
        if let Some(value) = self.find(key.borrow())? {
            return Ok(value);
        }
        match alive.borrow().attr(object::interned(c"__missing__")?.borrow()) {
            Ok(method) => object::call_with(method.borrow(), &[key.borrow()]),
            Err(raised) => raised.unless_attribute_error().and_then(|()| Err(Raised::key_error(key.borrow()))),
        }
    }

    /// Runs `work` with the key as an argument, and its hash. Reenters: `__hash__`, which may take the caller's references
    /// away, and as `work` does.
    #[inline(always)]
    fn with_key<R>(&self, key: Borrowed<'_>, work: impl FnOnce(&CallArgs<'_>, Hash) -> Result<R>) -> Result<R> {
        let _alive = self.as_object().to_owned();
        let held = key.to_owned();
        let values = [held.borrow()];
        let args = CallArgs::of_positional(&values);
        let hash = key::hash::hash(&args, KeyKind::Item)?;
        work(&args, hash)
    }

    /// Reenters: as [`Mapping::find`].
    fn peek(&self, key: Borrowed<'_>) -> Result<Owned> {
        let cache = self.cache()?;
        let found = self.with_key(key, |args, hash| cache.peek(args, hash))?;
        let found: Vec<_> = found.iter().map(Owned::borrow).collect();
        object::tuple(&found)
    }

    /// Who calls `get_or_compute` from now on is not to get what is being computed now. Reenters: `__eq__` of keys.
    fn detach(&self, cache: &Cache, args: &CallArgs<'_>, hash: Hash) -> Result<()> {
        cache.detach_flight(self.parts().flights.get(), args, hash)
    }

    /// Reenters: `__hash__` and `__eq__` of keys, options, finalizers of what leaves.
    fn set(&self, key: Borrowed<'_>, value: Borrowed<'_>) -> Result<()> {
        let cache = self.cache()?;
        let _alive = self.as_object().to_owned();
        if cache.policy().is_none() && self.parts().flights.get().is_none() {
            let mut held = None;
            let hash = match exact::hash_in_place(key) {
                Some(hash) => hash,
                None => {
                    held = Some((key.to_owned(), value.to_owned()));
                    exact::hash(key)?
                }
            };
            let values = [key];
            let done = cache.set_in_place(&CallArgs::of_positional(&values), Hash::of(hash), value);
            drop(held);
            return done;
        }
        let value = value.to_owned();
        self.with_key(key, |args, hash| {
            self.detach(cache, args, hash)?;
            cache.set(args, hash, value)
        })
    }

    /// Takes an entry out. Reenters: as [`Mapping::set`].
    fn take(&self, key: Borrowed<'_>) -> Result<Option<Owned>> {
        let cache = self.cache()?;
        self.with_key(key, |args, hash| {
            self.detach(cache, args, hash)?;
            cache.take(args, hash)
        })
    }

    fn contains(&self, key: Borrowed<'_>) -> Result<bool> {
        let cache = self.cache()?;
        let values = [key];
        let _alive = self.as_object().to_owned();
        cache.contains(&CallArgs::of_positional(&values))
    }

    fn flights(&self) -> Result<&Flights> {
        let flights = &self.parts().flights;
        if flights.get().is_none() {
            // Whoever comes second drops their own.
            drop(flights.set(Flights::new(self.state()?)?));
        }
        flights.get().ok_or_else(|| Raised::type_error(NOT_MADE))
    }

    /// Reenters: as [`Mapping::set`].
    fn set_default(&self, key: Borrowed<'_>, default: Borrowed<'_>) -> Result<Owned> {
        if let Some(value) = self.find(key)? {
            return Ok(value);
        }
        let cache = self.cache()?;
        self.with_key(key, |args, hash| cache.set_default(args, hash, default.to_owned(), false))
    }

    /// Reenters: `on_evict`, finalizers.
    fn pop_item(&self) -> Result<Owned> {
        match self.cache()?.take_victim()? {
            Some((key, value)) => object::tuple(&[key.to_object()?.borrow(), value.borrow()]),
            None => Err(Raised::new(Kind::Key, c"popitem(): the cache is empty")),
        }
    }

    /// Reenters: `on_evict`, finalizers.
    fn clear(&self) -> Result<Owned> {
        if let Some(flights) = self.parts().flights.get() {
            flights.forget();
        }
        // Relaxed: a number alone.
        self.parts().coalesced.store(0, Ordering::Relaxed);
        self.cache()?.clear().map(|()| object::none())
    }

    fn stats(&self) -> Result<Owned> {
        let stats = self.cache()?.stats()?;
        // Relaxed: a number alone.
        let coalesced = object::count(self.parts().coalesced.load(Ordering::Relaxed))?;
        let (name, size) = (object::interned(c"coalesced")?, object::interned(c"currsize")?);
        object::set_item(&stats, &name, coalesced.borrow())?;
        object::set_item(&stats, &size, object::count(self.cache()?.good_len()? as u64)?.borrow())?;
        Ok(stats)
    }
}

unsafe extern "C" fn mapping_tp_new(
    kind: *mut py::PyTypeObject,
    _args: *mut py::PyObject,
    _keywords: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: a ready type, this one or a subclass.
    let object = unsafe { py::PyType_GenericAlloc(kind, 0) };
    if !object.is_null() {
        let this = object.cast::<Mapping>();
        // SAFETY: a fresh object of this type, which nobody else knows yet.
        let place = unsafe { &raw mut (*this).parts };
        // SAFETY: as above. The other fields are zero, as they should be.
        unsafe { place.write(UnsafeCell::new(Parts::new())) };
    }
    object
}

unsafe extern "C" fn mapping_tp_init(
    object: *mut py::PyObject,
    args: *mut py::PyObject,
    keywords: *mut py::PyObject,
) -> c_int {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: the tuple of the call's arguments.
    let args = unsafe { Borrowed::from_ptr(args) };
    // SAFETY: the dict of the call's keyword arguments, and not null.
    let keywords = (!keywords.is_null()).then(|| unsafe { Borrowed::from_ptr(keywords) });
    object::to_status(this.init(args, keywords))
}

unsafe extern "C" fn mapping_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    let visit = |object: *mut py::PyObject| {
        // SAFETY: the collector's own function and argument; it is shown live objects alone.
        if object.is_null() { 0 } else { unsafe { visit(object, arg) } }
    };
    // SAFETY: a mapping.
    let this = unsafe { Mapping::of(object) };
    // An instance shows its type (since 3.9).
    match visit(this.as_object().type_ptr().cast()) {
        0 => this.parts().cache.get().map_or(0, |cache| cache.visit(visit)),
        stop => stop,
    }
}

unsafe extern "C" fn mapping_tp_clear(object: *mut py::PyObject) -> c_int {
    // SAFETY: a mapping.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: nobody is inside a method of garbage.
    let Parts { cache, flights, .. } = unsafe { this.parts.get().replace(Parts::new()) };
    let mut dropper = Dropper::new();
    if let Some(cache) = cache.into_inner() {
        cache.take_apart(&mut dropper);
    }
    drop(flights);
    0
}

unsafe extern "C" fn mapping_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object that the collector tracks, on its way out.
    unsafe { py::PyObject_GC_UnTrack(object.cast()) };
    // SAFETY: a live object. Callbacks may run, while it is whole but for its weak references.
    unsafe { py::PyObject_ClearWeakRefs(object) };
    object::with_exception_aside(|| {
        // SAFETY: a mapping, to which no reference is left. What it leaves behind needs no drop.
        unsafe { mapping_tp_clear(object) };
    });
    // SAFETY: an object of a heap type holds a reference to its type, which is given back last.
    let kind = unsafe { py::Py_TYPE(object) };
    // SAFETY: memory of `PyType_GenericAlloc` of a type with the collector's flag.
    unsafe { py::PyObject_GC_Del(object.cast()) };
    // SAFETY: the reference of the object that is gone.
    unsafe { py::Py_DECREF(kind.cast()) };
}

unsafe extern "C" fn mapping_tp_iter(object: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a mapping, held by the caller.
    object::to_slot(unsafe { Mapping::of(object) }.iterate())
}

unsafe extern "C" fn mapping_mp_length(object: *mut py::PyObject) -> py::Py_ssize_t {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    let _alive = this.as_object().to_owned();
    this.cache().and_then(Cache::good_len).map_or(-1, |len| len as py::Py_ssize_t)
}

unsafe extern "C" fn mapping_mp_subscript(object: *mut py::PyObject, key: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: the slot's own argument.
    let key = unsafe { Borrowed::from_ptr(key) };
    match this.hit(key) {
        Some(value) => value.into_ptr(),
        None => object::to_slot(this.subscript(key)),
    }
}

unsafe extern "C" fn mapping_mp_ass_subscript(
    object: *mut py::PyObject,
    key: *mut py::PyObject,
    value: *mut py::PyObject,
) -> c_int {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: the slot's own argument.
    let key = unsafe { Borrowed::from_ptr(key) };
    if value.is_null() {
        return object::to_status(
            this.take(key).and_then(|taken| taken.map(drop).ok_or_else(|| Raised::key_error(key))),
        );
    }
    // SAFETY: the slot's own argument, and not null.
    object::to_status(this.set(key, unsafe { Borrowed::from_ptr(value) }))
}

unsafe extern "C" fn mapping_sq_contains(object: *mut py::PyObject, key: *mut py::PyObject) -> c_int {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: the slot's own argument.
    this.contains(unsafe { Borrowed::from_ptr(key) }).map_or(-1, c_int::from)
}

/// `SieveCacheBase.__doc__`, with the signature that subclasses have too.
const DOC: &CStr = c"SieveCacheBase(maxsize, *, ttl=None, weigher=None, maxweight=None, on_evict=None)\n--\n\n\
    What tamis.SieveCache is made of.";

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let mut members = [
        object::member(c"__weaklistoffset__", std::mem::offset_of!(Mapping, weakrefs)),
        // SAFETY: a table of C pointers and numbers, for which zero ends the list.
        unsafe { std::mem::zeroed() },
    ];
    let slot = |slot: c_int, pfunc: *mut c_void| py::PyType_Slot { slot, pfunc };
    let mut slots = [
        slot(py::Py_tp_doc, DOC.as_ptr().cast_mut().cast()),
        slot(py::Py_tp_new, mapping_tp_new as *mut c_void),
        slot(py::Py_tp_init, mapping_tp_init as *mut c_void),
        slot(py::Py_tp_dealloc, mapping_tp_dealloc as *mut c_void),
        slot(py::Py_tp_traverse, mapping_tp_traverse as *mut c_void),
        slot(py::Py_tp_clear, mapping_tp_clear as *mut c_void),
        slot(py::Py_tp_iter, mapping_tp_iter as *mut c_void),
        slot(py::Py_mp_length, mapping_mp_length as *mut c_void),
        slot(py::Py_mp_subscript, mapping_mp_subscript as *mut c_void),
        slot(py::Py_mp_ass_subscript, mapping_mp_ass_subscript as *mut c_void),
        slot(py::Py_sq_contains, mapping_sq_contains as *mut c_void),
        slot(py::Py_tp_members, members.as_mut_ptr().cast()),
        slot(py::Py_tp_methods, methods::METHODS.0.as_ptr().cast_mut().cast()),
        slot(py::Py_tp_getset, methods::ATTRIBUTES.0.as_ptr().cast_mut().cast()),
        slot(0, ptr::null_mut()),
    ];
    let flags =
        py::Py_TPFLAGS_DEFAULT | py::Py_TPFLAGS_HAVE_GC | py::Py_TPFLAGS_BASETYPE | py::Py_TPFLAGS_IMMUTABLETYPE;
    object::type_from_slots(module, c"tamis._core.SieveCacheBase", size_of::<Mapping>(), flags, &mut slots)
}
