//! What a call of a cached coroutine function has for single flight, and for `stale_if_error`.

use crate::ffi::sync::StoreLock;
use crate::ffi::{Owned, Raised, Result};
use crate::py::cache::Cache;
use crate::py::cache::expiring_ops::Peek;
use crate::py::flight::policy::Computation;
use crate::py::function::coroutine_call::CoroutineCall;
use crate::py::function::coroutine_stage::Task;
use crate::py::tier::source::Event;
use crate::py::tier::with_tier;

impl Computation for CoroutineCall {
    fn look_again(&self) -> Result<Option<Owned>> {
        if let Some((policy, tier)) = self.wrapper().behind() {
            return with_tier!(tier, |tier| {
                self.with_request(self.wrapper().tiered(policy, tier), |request| request.peek())
            });
        }
        let policy = self.policy()?;
        let now = policy.options.now()?;
        let found = self.with_key_args(|key_args| {
            self.wrapper().locate_unseen(&self.seen, self.hash, key_args, &mut Peek { policy, now })
        })?;
        Ok(found.map(|inside| {
            self.wrapper().store.count_hit();
            policy.unwrap(&inside).clone()
        }))
    }

    fn hand_out(&self, value: Owned) -> Result<Owned> {
        self.policy()?.copied(value)
    }

    fn share(&self, value: Owned) -> Result<Owned> {
        let Some((policy, tier)) = self.wrapper().behind() else { return self.policy()?.copied(value) };
        with_tier!(tier, |tier| {
            self.with_request(self.wrapper().tiered(policy, tier), |request| request.landed(&value))
        })
    }

    fn count(&self, hit: bool) {
        if matches!(self.task, Task::Recompute) {
            return;
        }
        match (self.wrapper().tier(), hit) {
            (Some(tier), hit) => tier.count(if hit { Event::Hit } else { Event::Miss }),
            (None, true) => self.wrapper().store.count_hit(),
            (None, false) => self.wrapper().store.count_miss(),
        }
    }

    fn count_coalesced(&self) {
        if matches!(self.task, Task::Recompute) {
            return;
        }
        // Without a policy the collector has taken the cache apart.
        let Some(policy) = self.wrapper().policy() else { return };
        match self.wrapper().tier() {
            Some(tier) => tier.count(Event::Coalesced),
            None => policy.stats.count_coalesced(),
        }
    }
}

impl CoroutineCall {
    /// What its result is where the function has raised, if an entry past its time may be returned; if not, the exception stays.
    /// Reenters: `clock`, `__eq__` of keys, pickle or the serializer.
    pub(in crate::py) fn instead_of_error(&self, raised: Raised) -> Result<Owned> {
        let Some(old) = self.take_old() else { return Err(raised) };
        let found = match self.wrapper().behind() {
            Some((policy, tier)) => with_tier!(tier, |tier| {
                let lease = self.lease_words().map(Into::into);
                self.with_request(self.wrapper().tiered(policy, tier), |request| {
                    request.instead_of_error(&old, lease, raised)
                })
            }),
            None => match self.wrapper().policy() {
                Some(policy) => self.with_key_args(|key_args| {
                    let inside =
                        Cache::instead_of_error(self.wrapper(), policy, key_args, self.hash, &old, &self.seen, raised)?;
                    Ok(policy.unwrap(&inside).clone())
                }),
                None => Err(raised),
            },
        };
        self.put_back_old(old);
        found
    }
}
