//! The look of a hit path with options: for one argument that is its own key, at the time of one clock.

use crate::core::clock::Time;
use crate::core::hash::Hash;
use crate::core::view::Hit;
use crate::ffi::exact::{Exact, Int, Str};
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, Owned, clock};
use crate::py::cache::entry_store::Entries;
use crate::py::cache::policy::entry;
use crate::py::key::Key;

/// Which clock a hit reads. The vectorcall function is made for each, so that a hit need not look.
pub trait ClockMode {
    /// The time now; 0 where nothing expires.
    fn now() -> Time;

    /// The value of an entry that is fresh now, which counts as reading it.
    #[inline(always)]
    fn read(object: &Owned, now: Time) -> Option<Owned> {
        // SAFETY: a value of the store of a cache with options, as the policy says.
        unsafe { entry(object) }.read(now)
    }
}

/// Nothing expires.
pub struct NoClock;

/// As of the last tick.
pub struct CoarseClock;

/// To the nanosecond.
pub struct ExactClock;

impl ClockMode for NoClock {
    #[inline(always)]
    fn now() -> Time {
        0
    }

    #[inline(always)]
    fn read(object: &Owned, _now: Time) -> Option<Owned> {
        // SAFETY: a value of the store of a cache with options, as the policy says.
        Some(unsafe { entry(object) }.value().clone())
    }
}

impl ClockMode for CoarseClock {
    #[inline(always)]
    fn now() -> Time {
        clock::coarse()
    }
}

impl ClockMode for ExactClock {
    #[inline(always)]
    fn now() -> Time {
        clock::exact()
    }
}

/// Looks for the key that this argument is: a small natural number, or a `str` whose hash is at hand, which is found if it is the very
/// object that is stored. None if it is anything else. Counts nothing.
#[inline(always)]
pub fn probe<C: ClockMode>(
    store: &Entries,
    argument: Borrowed<'_>,
    read: impl FnOnce(&Owned, Time) -> Option<Owned>,
) -> Option<(Hash, Hit<Owned>)> {
    if let Some(int) = Exact::<Int>::of(argument) {
        let hash = Hash::of(u64::from(int.small_natural()?));
        // Outside of the borrow.
        let now = C::now();
        Some((hash, store.find_with(hash, Key::is_inline_int, |object| read(object, now))))
    } else {
        let hash = Hash::of(Exact::<Str>::of(argument).and_then(Exact::kept_hash)?);
        let now = C::now();
        Some((hash, store.find_with(hash, |key| key.is_object(argument), |object| read(object, now))))
    }
}
