//! What decorating makes of a function.

use crate::core::{OutOfMemory, boxed};
use crate::ffi::{Borrowed, Owned, Raised, Result, call as calls, types};
use crate::py::cache::Cache;
use crate::py::cache::capacity::Bound;
use crate::py::cache::policy::Policy;
use crate::py::function::attributes::{is_coroutine_function, update_wrapper};
use crate::py::key::KeyKind;
use crate::py::options::Options;
use crate::py::tier::Tier;
use crate::py::tier::near::{NEAR_BYTES, NEAR_ENTRIES};
use crate::py::tier::remote::Remote;
use crate::state::State;
use std::cell::UnsafeCell;

use crate::py::function::call::plain;
use crate::py::function::object::Parts;
use crate::py::function::{OfInstance, Wrapper};

fn in_box<T>(value: T) -> Result<Box<T>> {
    boxed(value).map_err(|OutOfMemory| Raised::no_memory())
}

impl Wrapper {
    /// Wraps `function`, and takes over what `functools.update_wrapper` does. Reenters: attributes of the function, `__bool__`
    /// of `typed`, and on first use an import.
    pub fn decorate(
        state: &State,
        function: Borrowed<'_>,
        bound: Bound,
        typed: Borrowed<'_>,
        given: Borrowed<'_>,
        instance: Option<OfInstance<'_>>,
    ) -> Result<Owned> {
        let is_typed = typed.is_true()?;
        if instance.is_none() {
            // Who decorates has imported what the function is for. Some of these take a copy of what they know early.
            state.libraries.tell();
        }
        // Imported now: `cache_info()` may be called by a finalizer, inside of another import.
        state.cache_info_class.get()?;
        let coroutine = match &instance {
            Some(instance) => instance.coroutine,
            None => is_coroutine_function(function)?,
        };
        if coroutine {
            // As above, and where calls nest too deep for an import.
            [&state.leading, &state.wake, &state.awaiting].into_iter().try_for_each(|name| name.get().map(drop))?;
        }
        let (mut policy, mut tier) = (None, None);
        if let Some(mut options) = Options::parse(given, coroutine)? {
            options.background.check(coroutine)?;
            let method = instance.as_ref().map(|instance| instance.method);
            let has_backend = options.shared.is_some();
            let remote = Remote::open(state, function, &mut options, given, is_typed)?;
            tier = Tier::open(function, &mut options, given, bound)?.map(in_box).transpose()?;
            let near_bytes = tier.as_ref().map(|_| NEAR_BYTES);
            policy =
                Some(in_box(Policy::new(state, function, method, (options, remote), given, has_backend, near_bytes)?)?);
        }
        let most = if tier.is_some() { NEAR_ENTRIES } else { usize::MAX };
        let vectorcall = policy
            .as_ref()
            .and_then(|policy| Self::expiring_function(policy, tier.as_deref(), bound))
            .unwrap_or_else(|| plain::function_for(bound, is_typed));
        let of_instance = instance.is_some();
        let parts = Parts {
            cache: Cache::with_most(bound, KeyKind::of_calls(is_typed), policy, most)?,
            instance: instance.map(|instance| instance.reference),
            function: UnsafeCell::new(function.to_owned()),
            typed_given: UnsafeCell::new(typed.to_owned()),
            tier: UnsafeCell::new(tier),
        };
        let kind = if coroutine { &state.types.coroutine_function } else { &state.types.function };
        // SAFETY: a ready type of ours, whose instances own nothing where they are zero.
        let object = unsafe { types::allocate(kind.borrow()) }?;
        let this = object.as_ptr().cast::<Self>();
        // No Python object is allocated between here and the last field, so the collector sees a whole wrapper.
        // SAFETY: a fresh object of this type, which nobody else knows yet.
        let place = unsafe { &raw mut (*this).vectorcall };
        // SAFETY: as above.
        unsafe { place.write(UnsafeCell::new(vectorcall)) };
        // SAFETY: as above.
        let place = unsafe { &raw mut (*this).parts };
        // SAFETY: as above. The other fields are zero, as they should be.
        unsafe { place.write(parts) };
        update_wrapper(state, object.borrow(), function, coroutine)?;
        if !of_instance {
            state.registry.add(object.borrow())?;
        }
        // SAFETY: a whole wrapper, held here.
        if let Some((policy, _tier)) = unsafe { Self::of(object.as_ptr()) }.behind() {
            let claim = calls::import(c"tamis._names", c"claim")?;
            calls::with(claim.borrow(), &[object.borrow(), function, policy.given()])?;
        }
        Ok(object)
    }
}
