//! What a call computes, for single flight.

use crate::core::hash::Hash;
use crate::ffi::sync::StoreLock;
use crate::ffi::{CallArgs, Owned, Result};
use crate::py::cache::Cache;
use crate::py::cache::expiring_ops::Peek;
use crate::py::cache::lookup::Seen;
use crate::py::cache::policy::Policy;
use crate::py::flight::policy::Computation;

/// What a call of a cached function computes, in a cache in memory.
pub struct CallComputation<'a> {
    /// Where it is stored.
    pub cache: &'a Cache,
    /// Its options.
    pub policy: &'a Policy,
    /// The arguments that make the key.
    pub key_args: &'a CallArgs<'a>,
    /// Of the key.
    pub hash: Hash,
    /// Whether somebody has called, which is counted.
    pub is_call: bool,
    /// The keys that it has compared itself with.
    pub seen: &'a Seen,
}

impl Computation for CallComputation<'_> {
    fn look_again(&self) -> Result<Option<Owned>> {
        let now = self.policy.options.now()?;
        match self.cache.locate_unseen(self.seen, self.hash, self.key_args, &mut Peek { policy: self.policy, now })? {
            Some(value) => {
                self.count(true);
                Ok(Some(value))
            }
            None => Ok(None),
        }
    }

    fn hand_out(&self, value: Owned) -> Result<Owned> {
        self.policy.copied(value)
    }

    fn share(&self, value: Owned) -> Result<Owned> {
        self.policy.copied(value)
    }

    fn count(&self, hit: bool) {
        match (self.is_call, hit) {
            (true, true) => self.cache.store.count_hit(),
            (true, false) => self.cache.store.count_miss(),
            (false, _) => {}
        }
    }

    fn count_coalesced(&self) {
        if self.is_call {
            self.policy.stats.count_coalesced();
        }
    }
}
