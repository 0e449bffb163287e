//! `get_or_compute`, in three parts as the calls of cached functions: see `function/call/parts.rs`.

use crate::core::hash::Hash;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, call, thread};
use crate::py::cache::Cache;
use crate::py::cache::in_flight::LedFlight;
use crate::py::cache::lookup::Seen;
use crate::py::coroutine_object;
use crate::py::flight::policy::{Computation, Role};
use crate::py::function::call::parts::CALL;
use crate::py::mapping::object::Mapping;
use pyo3_ffi as py;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::Ordering;

/// A call whose factory is to be called, or is being called.
struct BegunComputation {
    key: Owned,
    hash: Hash,
    factory: Owned,
    /// The flight that it leads.
    flight: Option<LedFlight>,
    seen: Seen,
}

/// What others have computed meanwhile.
struct FactoryComputation<'a> {
    mapping: &'a Mapping,
    cache: &'a Cache,
    args: &'a CallArgs<'a>,
    hash: Hash,
    seen: &'a Seen,
}

impl Computation for FactoryComputation<'_> {
    fn look_again(&self) -> Result<Option<Owned>> {
        let found = self.cache.peek(self.args, self.hash, self.seen)?;
        if found.is_some() {
            self.cache.store.count_hit();
        }
        Ok(found)
    }

    fn hand_out(&self, value: Owned) -> Result<Owned> {
        Ok(value)
    }

    fn share(&self, value: Owned) -> Result<Owned> {
        Ok(value)
    }

    fn count(&self, hit: bool) {
        if hit { self.cache.store.count_hit() } else { self.cache.store.count_miss() }
    }

    fn count_coalesced(&self) {
        // Relaxed: a number alone.
        self.mapping.parts().coalesced.fetch_add(1, Ordering::Relaxed);
    }
}

impl Mapping {
    /// The value that is there, or None after a call has begun that is to compute it. Reenters: `__hash__` and `__eq__` of keys, signal
    /// handlers.
    fn begin_computing(&self, args: &CallArgs<'_>, begun: &mut MaybeUninit<BegunComputation>) -> Result<Option<Owned>> {
        let keywords = args.names().len();
        let (&[key, factory], 0) = (args.values(), keywords) else {
            return Err(Raised::type_error(c"get_or_compute() takes a key and a factory, by position"));
        };
        if !factory.is_callable() {
            let message = c"get_or_compute() takes a factory that is called without arguments, not %.200s";
            return Err(Raised::type_error_naming_type(message, factory));
        }
        let cache = self.cache()?;
        self.with_key(key, |args, hash| {
            let seen = Seen::default();
            if let Some(value) = cache.find(args, hash, &seen)? {
                return Ok(Some(value));
            }
            let computation = FactoryComputation { mapping: self, cache, args, hash, seen: &seen };
            let flight = match cache.fly(self.flights()?, args, hash, &computation)? {
                Role::Leader(flight) => Some(flight),
                Role::Alone => None,
                Role::Answered(value) => return Ok(Some(value)),
            };
            cache.store.count_miss();
            begun.write(BegunComputation { key: key.to_owned(), hash, factory: factory.to_owned(), flight, seen });
            Ok(None)
        })
    }

    /// What the call returns whose factory has returned, or raised. Reenters: as [`Mapping::set`].
    fn end_computing(&self, begun: BegunComputation, result: Result<Owned>) -> Result<Owned> {
        let BegunComputation { key, hash, factory, flight, seen } = begun;
        let (cache, flights) = (self.cache()?, self.flights()?);
        let values = [key.borrow()];
        let args = CallArgs::of_positional(&values);
        let result = result.and_then(|value| {
            let value = coroutine_object::result_of(factory.borrow(), value)?;
            // Setting and deleting take a flight out, whose result is of before that.
            if flight.as_ref().is_some_and(|flight| !flight.may_store(flights)) {
                return Ok(cache.peek(&args, hash, &seen)?.unwrap_or(value));
            }
            cache.set_default(&args, hash, value, true, &seen)
        });
        let result = match flight {
            Some(flight) => flight.land(flights, result),
            None => result,
        };
        thread::with_exception_aside(|| drop((factory, seen)));
        result
    }
}

/// `get_or_compute(key, factory)`. Reenters: as [`Mapping::set`], the factory, signal handlers.
///
/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
pub unsafe extern "C" fn get_or_compute(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    count: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: a mapping, held by the caller.
    let _alive = unsafe { Borrowed::from_ptr(object) }.to_owned();
    let mut begun = MaybeUninit::uninit();
    // SAFETY: this function's own arguments.
    let answer = unsafe { begin(object, args, count, kwnames, &mut begun) };
    if answer != CALL {
        return answer;
    }
    // SAFETY: written by `begin`.
    let factory = unsafe { begun.assume_init_ref() }.factory.borrow();
    // SAFETY: no arguments.
    let result = unsafe { factory.call_in_place(ptr::null(), 0, ptr::null_mut()) };
    // SAFETY: a mapping, held above; written by `begin`, and what the factory returned.
    unsafe { end(object, &begun, result) }
}

/// The value that is there, or [`CALL`] after a call has begun.
///
/// # Safety
/// A mapping that the caller holds, and the arguments of a method called with FASTCALL and KEYWORDS.
#[inline(never)]
unsafe fn begin(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    count: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
    begun: &mut MaybeUninit<BegunComputation>,
) -> *mut py::PyObject {
    // SAFETY: a mapping, held by the caller.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: the arguments of a method called with FASTCALL and KEYWORDS, during the call.
    let args = unsafe { CallArgs::new(args, count as usize, kwnames) };
    match this.begin_computing(&args, begun) {
        Ok(Some(value)) => value.into_ptr(),
        Ok(None) => CALL,
        Err(_raised) => ptr::null_mut(),
    }
}

/// # Safety
/// A mapping that the caller holds; a call that has begun, which is not used any more; and the factory's result, a new reference, or
/// null with an exception set.
#[inline(never)]
unsafe fn end(
    object: *mut py::PyObject,
    begun: &MaybeUninit<BegunComputation>,
    result: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: as the caller says.
    let this = unsafe { Mapping::of(object) };
    // SAFETY: as the caller says.
    let begun = unsafe { begun.assume_init_read() };
    // SAFETY: as the caller says.
    call::to_slot(this.end_computing(begun, unsafe { Owned::from_call(result) }))
}
