//! Calls of cached methods: the cache of the instance is found or made, and called.

use crate::ffi::raised::Kind;
use crate::ffi::sync::Lent;
use crate::ffi::{Borrowed, Owned, Raised, Result, call, thread};
use crate::py::bound::object::BoundMethod;
use crate::py::cached_method::caches::number_of;
use crate::py::cached_method::forget::{Forget, weak_reference};
use crate::py::cached_method::object::{CachedMethod, Parts};
use crate::py::function::{OfInstance, Wrapper};
use crate::state::State;
use pyo3_ffi as py;
use std::ptr;

/// The cache of an instance.
struct FoundCache {
    cache: Owned,
    /// Whether it stays for further calls. It does not if its instance is being finalized, or has been: nobody may ever tell that
    /// this has died.
    stays: bool,
}

impl CachedMethod {
    /// The cache of this instance. Reenters on its first call: attributes of the function, weak references.
    pub fn cache_for(&self, instance: Borrowed<'_>) -> Result<Owned> {
        let parts = self.parts()?;
        if let Some(cache) = parts.caches.find(instance, Owned::clone) {
            return Ok(cache);
        }
        let _alive = self.as_object().to_owned();
        let FoundCache { cache, stays } = self.find_or_make(parts, instance)?;
        if !stays {
            parts.caches.take_out(number_of(instance), |found| found.is(cache.borrow()));
        }
        Ok(cache)
    }

    /// Calls the cache of this instance. Reenters: as [`CachedMethod::cache_for`], and as the cache does.
    ///
    /// # Safety
    /// Arguments as vectorcall has them, held during the call.
    #[inline(always)]
    pub unsafe fn call(
        &self,
        instance: Borrowed<'_>,
        args: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        let lent = match self.parts() {
            // SAFETY: a wrapper holds itself where it lets Python code run.
            Ok(parts) => parts.caches.find(instance, |cache| unsafe { Lent::new(cache) }),
            Err(_raised) => return std::ptr::null_mut(),
        };
        match lent {
            // SAFETY: a wrapper, lent for this; the caller's arguments.
            Some(cache) => unsafe { Wrapper::call_directly(cache.borrow(), args, positional, kwnames) },
            // SAFETY: the caller's arguments.
            None => unsafe { self.call_first(instance, args, positional, kwnames) },
        }
    }

    /// [`CachedMethod::call`] where no cache was found.
    ///
    /// # Safety
    /// As there.
    #[cold]
    #[inline(never)]
    unsafe fn call_first(
        &self,
        instance: Borrowed<'_>,
        args: *const *mut py::PyObject,
        positional: usize,
        kwnames: *mut py::PyObject,
    ) -> *mut py::PyObject {
        let _alive = self.as_object().to_owned();
        let made = self.parts().and_then(|parts| self.find_or_make(parts, instance));
        let Ok(FoundCache { cache, stays }) = made else { return std::ptr::null_mut() };
        // SAFETY: a wrapper, held by us during the call; the caller's arguments.
        let result = unsafe { Wrapper::call_directly(cache.borrow(), args, positional, kwnames) };
        if !stays {
            // Not before: calls that this one makes find it.
            thread::with_exception_aside(|| {
                match self.parts() {
                    Ok(parts) => parts.caches.take_out(number_of(instance), |found| found.is(cache.borrow())),
                    Err(raised) => drop(raised.take()),
                }
                drop(cache);
            });
        }
        result
    }

    /// Reenters: as [`CachedMethod::cache_for`].
    fn find_or_make(&self, parts: &Parts, instance: Borrowed<'_>) -> Result<FoundCache> {
        parts.caches.register_thread(self.as_object());
        if let Some(cache) = parts.caches.find_or_clean(instance) {
            return Ok(FoundCache { cache, stays: true });
        }
        let number = number_of(instance);
        let cache = self.make(parts, instance, number)?;
        // SAFETY: a live object.
        let stays = unsafe { py::PyObject_GC_IsFinalized(instance.as_ptr()) } == 0;
        Ok(match parts.caches.insert(number, cache.clone())? {
            // Another thread has made one meanwhile.
            Some(first) => FoundCache { cache: first, stays: true },
            None => FoundCache { cache, stays },
        })
    }

    /// A cache for this instance, which it does not keep alive. Reenters: as [`CachedMethod::cache_for`].
    fn make(&self, parts: &Parts, instance: Borrowed<'_>, number: i64) -> Result<Owned> {
        let state = State::of_instance(self.as_object())?;
        let forget = Forget::create(state, self.as_object(), number)?;
        let reference = weak_reference(instance, Some(forget.borrow())).or_else(|raised| refused(raised, instance))?;
        let function = BoundMethod::weakly(state, parts.function.borrow(), reference.borrow())?;
        let (typed, given) = (parts.typed.borrow(), parts.given.borrow());
        let of_instance = OfInstance { reference, method: parts.function.borrow(), coroutine: parts.coroutine };
        Wrapper::decorate(state, function.borrow(), parts.bound, typed, given, Some(of_instance))
    }
}

/// Says what to do about instances that can't be weakly referenced. Reenters: attributes of the instance's type.
#[cold]
fn refused(raised: Raised, instance: Borrowed<'_>) -> Result<Owned> {
    raised.unless(Kind::Type)?;
    call::with(call::import(c"tamis._method", c"refuse")?.borrow(), &[instance])
}

/// A call: the instance, then the arguments that its cache gets. Reenters: as the cache does.
///
/// # Safety
/// The arguments of a call of such an object, as vectorcall has them.
pub(super) unsafe extern "C" fn method_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a method, whose function this is.
    let this = unsafe { CachedMethod::of(callable) };
    let positional = nargsf & !py::PY_VECTORCALL_ARGUMENTS_OFFSET;
    if positional == 0 {
        let _raised = Raised::type_error(c"a cached method needs its instance: call it on one");
        return ptr::null_mut();
    }
    // SAFETY: there is an argument, held by the caller.
    let instance = unsafe { Borrowed::first_of(args) };
    // SAFETY: behind the first argument are so many others, held by the caller.
    let rest = unsafe { args.add(1) };
    // SAFETY: as above.
    unsafe { this.call(instance, rest, positional - 1, kwnames) }
}
