//! A region as what stands behind a near cache.

use super::Region;
use crate::backend::{Backend, Busy, Now, Request, Wait};
use crate::core::clock::Time;
use crate::core::expiry::Terms;
use crate::shm::types::{FormerOwner, Lease, LeaseId, LeaseWait, Lookup, RegionStats, Stored, Token, Waited};
use std::time::Duration;

impl Backend for Region {
    type Version = Token;
    type Lease = LeaseId;
    type LeaseWait = LeaseWait;
    type FormerOwner = FormerOwner;
    type Error = Busy;
    type Stats = RegionStats;
    const MAY_BLOCK: bool = false;

    #[inline(always)]
    fn hash(&self, key: &[u8]) -> u64 {
        Self::hash(self, key)
    }

    #[inline(always)]
    fn lacks(&self, hash: u64) -> bool {
        Self::lacks(self, hash)
    }

    #[inline(always)]
    fn get(&self, request: Request<'_>, now: impl Now, value: &mut Vec<u8>) -> Result<Lookup, Busy> {
        Ok(self.lookup(request.hash, request.key, now, value))
    }

    #[inline(always)]
    fn stands(&self, version: Token) -> bool {
        self.check(version)
    }

    #[inline(always)]
    fn touch(&self, version: Token, terms: &Terms, now: Time) -> bool {
        Self::touch(self, version, terms, now)
    }

    #[inline(always)]
    fn contains(&self, request: Request<'_>, now: Time) -> Result<bool, Busy> {
        Ok(Self::contains(self, request.hash, request.key, now))
    }

    /// A lease here says who computes, and is no condition of storing: it is lost only with its process.
    #[inline(always)]
    fn put(
        &self,
        request: Request<'_>,
        value: &[u8],
        terms: &Terms,
        now: impl Now,
        _lease: Option<LeaseId>,
        wait: &dyn Wait,
    ) -> Result<Stored, Busy> {
        self.store(request.hash, request.key, value, terms, now, wait)
    }

    #[inline(always)]
    fn remove(&self, request: Request<'_>, wait: &dyn Wait) -> Result<bool, Busy> {
        self.remove_entry(request.hash, request.key, wait)
    }

    #[inline(always)]
    fn clear(&self, wait: &dyn Wait) -> Result<(), Busy> {
        Self::clear(self, wait)
    }

    #[inline(always)]
    fn claim_refresh(&self, version: Token, now: Time) -> bool {
        self.begin_refresh(version, now)
    }

    #[inline(always)]
    fn give_up_refresh(&self, version: Token) {
        Self::give_up_refresh(self, version);
    }

    #[inline(always)]
    fn lease(&self, request: Request<'_>, former: Option<FormerOwner>, wait: &dyn Wait) -> Lease {
        Self::lease(self, request.hash, former, wait)
    }

    #[inline(always)]
    fn end_lease(&self, lease: LeaseId) {
        Self::end_lease(self, lease);
    }

    #[inline(always)]
    fn begin_wait(&self, lease: LeaseId) -> LeaseWait {
        LeaseWait::new(lease)
    }

    #[inline(always)]
    fn wait_lease(&self, wait: &mut LeaseWait, at_most: Duration) -> Waited {
        Self::wait_lease(self, wait, at_most)
    }

    #[inline(always)]
    fn look_at_lease(&self, wait: &mut LeaseWait) -> Waited {
        Self::look_at_lease(self, wait)
    }

    #[inline(always)]
    fn stats(&self) -> Result<RegionStats, Busy> {
        Ok(Self::stats(self))
    }
}
