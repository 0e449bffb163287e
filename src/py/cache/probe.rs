//! The one look at the store that decides a call of a cache with options.

use crate::core::clock::Time;
use crate::core::hash::Hash;
use crate::core::view::Hit;
use crate::ffi::compare::Verdict;
use crate::ffi::sync::StoreLock;
use crate::ffi::{CallArgs, Result};
use crate::py::cache::Cache;
use crate::py::cache::expiring_ops::{Found, Read};
use crate::py::cache::lookup::Seen;
use crate::py::cache::policy::{Policy, entry};
use crate::py::key::Key;

impl Cache {
    /// What is there for a call with these arguments, marked as used. Counts a hit, or nothing. Where no key has this hash the first look
    /// tells so, and there is no other. Reenters: `__eq__` of keys, where types don't tell.
    #[inline(always)]
    pub fn probe(&self, policy: &Policy, key_args: &CallArgs<'_>, hash: Hash, now: Time, seen: &Seen) -> Result<Found> {
        let same = |key: &Key| key.compare(key_args, self.kind) == Verdict::Same;
        // SAFETY: a value of the store of a cache with options, as the policy says.
        match self.store.hit_with(hash, same, |object| policy.read(unsafe { entry(object) }, now)) {
            Hit::Value(value) => Ok(Found::Fresh(value)),
            Hit::Absent(_) => Ok(Found::Absent),
            // Another key of this hash, or an entry that is not fresh.
            Hit::Unsure(_) => {
                let found = self.locate_unseen(seen, hash, key_args, &mut Read { policy, now })?;
                if matches!(found, Found::Fresh(_) | Found::Stale(_)) {
                    self.store.count_hit();
                }
                Ok(found)
            }
        }
    }
}
