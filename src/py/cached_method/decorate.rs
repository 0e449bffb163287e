//! How a cached method is made.

use crate::core::{OutOfMemory, boxed};
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, build, call, exact, types};
use crate::py::bound::object::BoundMethod;
use crate::py::cache::capacity::Bound;
use crate::py::cached_method::caches::Caches;
use crate::py::cached_method::calls::method_vectorcall;
use crate::py::cached_method::forget::weak_reference;
use crate::py::cached_method::object::{CachedMethod, Parts};
use crate::py::function::attributes::{is_coroutine_function, update_wrapper};
use crate::py::function::{OfInstance, Wrapper};
use crate::py::options::Options;
use crate::state::State;
use pyo3_ffi as py;
use std::cell::UnsafeCell;

impl CachedMethod {
    /// Wraps `function`. Reenters: attributes of the function, imports.
    pub fn decorate(
        state: &State,
        function: Borrowed<'_>,
        bound: Bound,
        typed: Borrowed<'_>,
        given: Borrowed<'_>,
    ) -> Result<Owned> {
        let coroutine = is_coroutine_function(function)?;
        // A cache that is not kept, so that wrong options raise here. The type stands in for an instance.
        let reference = weak_reference(state.types.method.borrow(), None)?;
        let of_stand_in = BoundMethod::weakly(state, function, reference.borrow())?;
        let stand_in = OfInstance { reference, method: function, coroutine };
        drop(Wrapper::decorate(state, of_stand_in.borrow(), bound, typed, given, Some(stand_in))?);
        let parts = Parts {
            caches: Caches::new()?,
            function: function.to_owned(),
            bound,
            typed: typed.to_owned(),
            given: given.to_owned(),
            coroutine,
        };
        let parts = boxed(parts).map_err(|OutOfMemory| Raised::no_memory())?;
        let kind = if coroutine { &state.types.coroutine_method } else { &state.types.method };
        // SAFETY: a ready type of ours, whose instances own nothing where they are zero.
        let made = unsafe { types::allocate(kind.borrow()) }?;
        let this = made.as_ptr().cast::<Self>();
        // SAFETY: a fresh object of this type, which nobody else knows yet.
        let place = unsafe { &raw mut (*this).vectorcall };
        // SAFETY: as above.
        unsafe { place.write(method_vectorcall) };
        // SAFETY: as above. All zero is None.
        let place = unsafe { &raw mut (*this).parts };
        // SAFETY: as above.
        unsafe { place.write(UnsafeCell::new(Some(parts))) };
        update_wrapper(state, made.borrow(), function, coroutine)?;
        state.registry.add(made.borrow())?;
        Ok(made)
    }

    /// What a class method or a static method is made of: its type, the function, and whether that gets no instance. Reenters:
    /// imports.
    pub fn inside(function: Borrowed<'_>) -> Result<Option<(Owned, Owned, bool)>> {
        if function.type_ptr() == &raw mut py::PyFunction_Type {
            return Ok(None);
        }
        let found = call::with(call::import(c"tamis._method", c"inside")?.borrow(), &[function])?;
        if found.borrow().is_none() {
            return Ok(None);
        }
        let &[kind, function, is_static] = exact::tuple_items(found.borrow()) else {
            return Err(Raised::type_error(c"tamis._method.inside must return three values"));
        };
        Ok(Some((kind.to_owned(), function.to_owned(), is_static.is_true()?)))
    }

    /// Refuses, in these words, what is no function but holds one, and says where the decorator belongs. Reenters: imports.
    pub fn refuse_descriptor(message: &str, function: Borrowed<'_>) -> Result<()> {
        let refuse = call::import(c"tamis._method", c"refuse_descriptor")?;
        call::with(refuse.borrow(), &[build::string(message)?.borrow(), function]).map(drop)
    }

    /// Refuses what can't be had for each instance.
    pub fn check_options(options: Option<&Options>) -> Result<()> {
        if options.is_some_and(|options| options.shared.is_some()) {
            let message =
                c"cached_method can't be used with backend='shared': an instance's cache is freed with the instance, \
                which no other process has; use lru_cache with key= or ignore='self'";
            return Err(Raised::new(Kind::Value, message));
        }
        if options.is_some_and(|options| options.tier.is_some()) {
            let message = c"cached_method can't be used with a tier: an instance's cache is freed with the instance, which no other \
                process has; use lru_cache with key= or ignore='self'";
            return Err(Raised::new(Kind::Value, message));
        }
        Ok(())
    }
}
