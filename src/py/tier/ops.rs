//! What is asked of a cache with a tier about one entry.

use crate::ffi::{Borrowed, CallArgs, Owned, Result};
use crate::py::tier::cache::TieredCache;
use crate::py::tier::clock::When;
use crate::py::tier::request::TierLook;
use crate::py::tier::source::{Event, Source};

impl<S: Source> TieredCache<'_, S> {
    /// What a call would return without computing it. Counts a hit or a miss. Reenters: `key`, `copy`, pickle or the serializer.
    pub fn lookup(self, args: &CallArgs<'_>) -> Result<Option<Owned>> {
        let found = self.with_request(args, |request| {
            let Some(request) = request else { return Ok(None) };
            match request.look(When::of(self.policy)?)? {
                TierLook::Fresh(value) => Ok(Some(value)),
                TierLook::Stale(value, _version) => {
                    self.tier.count(Event::StaleHit);
                    Ok(Some(value))
                }
                TierLook::Absent => Ok(None),
            }
        })?;
        self.tier.count(if found.is_some() { Event::Hit } else { Event::Miss });
        found.map(|value| self.policy.copied(value)).transpose()
    }

    /// `cache_contains`. Reenters: `key`, pickle or the serializer.
    pub fn contains(self, args: &CallArgs<'_>) -> Result<bool> {
        self.with_request(args, |request| request.map_or(Ok(false), |request| request.is_there()))
    }

    /// `cache_invalidate`. Reenters: as [`TieredCache::contains`].
    pub fn invalidate(self, args: &CallArgs<'_>) -> Result<bool> {
        self.with_request(args, |request| request.map_or(Ok(false), |request| request.drop_entry()))
    }

    /// `cache_put`. Reenters: `key`, `ttl`, pickle or the serializer, filters of warnings.
    pub fn put(self, args: &CallArgs<'_>, value: Borrowed<'_>) -> Result<()> {
        self.with_request(args, |request| request.map_or(Ok(()), |request| request.keep(&value.to_owned())))
    }
}
