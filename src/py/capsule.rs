//! The C API: the functions behind the capsule `tamis._core._C_API`, as `include/tamis.h` declares and documents them.
//!
//! One table serves all interpreters of the process: it holds nothing that belongs to one of them.

use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, to_slot, to_status};
use crate::py::decorators;
use crate::py::function::Wrapper;
use crate::state;
use pyo3_ffi as py;
use std::ffi::{CStr, c_char, c_int};
use std::mem::offset_of;
use std::ptr;

/// `TAMIS_CAPSULE_NAME`
const NAME: &CStr = c"tamis._core._C_API";
/// `TAMIS_ABI_VERSION`
const ABI_VERSION: u32 = 1;

/// A function on the entry of a call: the cache, and the call's arguments as vectorcall has them.
type OnCall<R> = unsafe extern "C" fn(*mut py::PyObject, *const *mut py::PyObject, usize, *mut py::PyObject) -> R;

/// `TamisAPI`: new fields come last, and none of them changes or goes without another [`ABI_VERSION`].
#[repr(C)]
struct Api {
    abi_version: u32,
    struct_size: u32,
    make: unsafe extern "C" fn(*mut py::PyObject, *mut py::PyObject) -> *mut py::PyObject,
    check: unsafe extern "C" fn(*mut py::PyObject) -> c_int,
    call: OnCall<*mut py::PyObject>,
    lookup: OnCall<*mut py::PyObject>,
    contains: OnCall<c_int>,
    put: unsafe extern "C" fn(
        *mut py::PyObject,
        *mut py::PyObject,
        *const *mut py::PyObject,
        usize,
        *mut py::PyObject,
    ) -> c_int,
    invalidate: OnCall<c_int>,
    clear: unsafe extern "C" fn(*mut py::PyObject) -> c_int,
    counts: unsafe extern "C" fn(*mut py::PyObject, *mut Counts, usize) -> c_int,
}

/// `TamisCounts`, of which callers may know only the first fields.
#[repr(C)]
struct Counts {
    hits: u64,
    misses: u64,
    currsize: u64,
    maxsize: i64,
    evictions: u64,
    expirations: u64,
    invalidations: u64,
    stale_hits: u64,
    coalesced: u64,
    weight: u64,
}

// The header asserts the same.
const _: () = assert!(offset_of!(Api, make) == 8 && size_of::<Api>() == 8 + 9 * size_of::<usize>());
const _: () = assert!(offset_of!(Counts, weight) == 72 && size_of::<Counts>() == 80);

static API: Api = Api {
    abi_version: ABI_VERSION,
    struct_size: size_of::<Api>() as u32,
    make,
    check,
    call,
    lookup,
    contains,
    put,
    invalidate,
    clear,
    counts,
};

/// The capsule.
pub fn new() -> Result<Owned> {
    // SAFETY: a static table, which nobody writes, and a static name.
    let capsule = unsafe { py::PyCapsule_New((&raw const API).cast_mut().cast(), NAME.as_ptr(), None) };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(capsule) }
}

/// The cache that C code hands over.
fn cache_of<'a>(object: Borrowed<'a>) -> Result<&'a Wrapper> {
    let message = c"a function with a cache of tamis is needed here, not %.200s";
    Wrapper::try_of(object).ok_or_else(|| Raised::type_error_naming_type(message, object))
}

/// Runs `work` on a cache. Reenters: as that does.
///
/// # Safety
/// The object is live when this is called. From then on it is held here.
unsafe fn with_cache<R>(object: *mut py::PyObject, work: impl FnOnce(&Wrapper) -> Result<R>) -> Result<R> {
    // SAFETY: as the caller says.
    let cache = cache_of(unsafe { Borrowed::from_ptr(object) })?;
    let _alive = cache.keep_alive();
    work(cache)
}

/// Runs `work` on a cache and the arguments of a call. Reenters: as that does.
///
/// # Safety
/// As in [`with_cache`], and the arguments are as vectorcall has them.
unsafe fn with_call<R>(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
    work: impl FnOnce(&Wrapper, &CallArgs<'_>) -> Result<R>,
) -> Result<R> {
    // SAFETY: as the caller says.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    // SAFETY: as the caller says.
    unsafe { with_cache(object, |cache| work(cache, &args)) }
}

/// What C gets for a yes, a no, and an exception.
fn to_truth(result: Result<bool>) -> c_int {
    result.map_or_else(|_raised| -1, c_int::from)
}

/// # Safety
/// As `include/tamis.h` has it.
unsafe extern "C" fn make(callable: *mut py::PyObject, options: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a live object, as the header asks.
    let callable = unsafe { Borrowed::from_ptr(callable) };
    // SAFETY: null or a live object, as the header asks.
    let options = (!options.is_null()).then(|| unsafe { Borrowed::from_ptr(options) });
    to_slot(make_cache(callable, options))
}

/// Reenters: as [`decorators::around`], and an import where the interpreter has not imported tamis yet.
fn make_cache(callable: Borrowed<'_>, options: Option<Borrowed<'_>>) -> Result<Owned> {
    if let Some(options) = options
        // SAFETY: a live object.
        && unsafe { py::PyDict_Check(options.as_ptr()) } == 0
    {
        return Err(Raised::type_error_naming_type(c"options are a dict or NULL, not %.200s", options));
    }
    decorators::around(state::imported()?.borrow(), callable, options)
}

/// # Safety
/// As `include/tamis.h` has it.
unsafe extern "C" fn check(object: *mut py::PyObject) -> c_int {
    // SAFETY: a live object, as the header asks.
    c_int::from(Wrapper::try_of(unsafe { Borrowed::from_ptr(object) }).is_some())
}

/// # Safety
/// As `include/tamis.h` has it.
unsafe extern "C" fn call(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: a live object, as the header asks.
    let cache = unsafe { Borrowed::from_ptr(object) };
    match cache_of(cache) {
        // SAFETY: a wrapper, which holds itself where it must, and the arguments of a call that has not returned.
        Ok(_) => unsafe { Wrapper::call_directly(cache, args, nargsf, kwnames) },
        Err(_raised) => ptr::null_mut(),
    }
}

/// # Safety
/// As `include/tamis.h` has it.
unsafe extern "C" fn lookup(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: what the header asks of this function's own arguments.
    let found = unsafe { with_call(object, args, nargsf, kwnames, Wrapper::lookup) };
    found.map_or_else(|_raised| ptr::null_mut(), |value| value.map_or(ptr::null_mut(), Owned::into_ptr))
}

/// # Safety
/// As `include/tamis.h` has it.
unsafe extern "C" fn contains(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> c_int {
    // SAFETY: what the header asks of this function's own arguments.
    to_truth(unsafe { with_call(object, args, nargsf, kwnames, |cache, args| cache.contains(args)) })
}

/// # Safety
/// As `include/tamis.h` has it.
unsafe extern "C" fn put(
    object: *mut py::PyObject,
    value: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> c_int {
    // SAFETY: a live object, as the header asks.
    let value = unsafe { Borrowed::from_ptr(value) };
    // SAFETY: what the header asks of this function's own arguments.
    to_status(unsafe { with_call(object, args, nargsf, kwnames, |cache, args| cache.put(args, value)) })
}

/// # Safety
/// As `include/tamis.h` has it.
unsafe extern "C" fn invalidate(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> c_int {
    // SAFETY: what the header asks of this function's own arguments.
    to_truth(unsafe { with_call(object, args, nargsf, kwnames, |cache, args| cache.invalidate(args)) })
}

/// # Safety
/// As `include/tamis.h` has it.
unsafe extern "C" fn clear(object: *mut py::PyObject) -> c_int {
    // SAFETY: what the header asks of this function's own argument.
    to_status(unsafe { with_cache(object, |cache| cache.clear()) })
}

/// # Safety
/// As `include/tamis.h` has it.
unsafe extern "C" fn counts(object: *mut py::PyObject, counts: *mut Counts, size: usize) -> c_int {
    // SAFETY: what the header asks of this function's own argument.
    let read = unsafe { with_cache(object, |cache| Ok(counts_of(cache))) };
    to_status(read.map(|now| {
        let known = size.min(size_of::<Counts>());
        // SAFETY: the caller has room for `size` bytes.
        unsafe { ptr::copy_nonoverlapping((&raw const now).cast::<c_char>(), counts.cast(), known) };
        // SAFETY: within those bytes.
        let rest = unsafe { counts.byte_add(known) };
        // A caller that knows more fields than there are sees zeros.
        // SAFETY: as above.
        unsafe { ptr::write_bytes(rest.cast::<c_char>(), 0, size - known) };
    }))
}

fn counts_of(cache: &Wrapper) -> Counts {
    let [hits, misses, evictions, expirations, invalidations, stale_hits, coalesced, currsize, weight] =
        cache.counts().map(|(_name, count)| count);
    let maxsize = cache.most_entries().map_or(-1, |most| most as i64);
    Counts { hits, misses, currsize, maxsize, evictions, expirations, invalidations, stale_hits, coalesced, weight }
}
