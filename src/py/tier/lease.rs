//! Single flight over threads and processes: first a flight of this process's threads, whose leader then asks for a lease of
//! the tier's.

use crate::backend::{Backend, Lease, Wait, Waited, Words};
use crate::ffi::{CallArgs, Owned, Result, compat, thread};
use crate::py::cache::flights::Flights;
use crate::py::cache::in_flight::LedFlight;
use crate::py::flight::deadlock::LeaseHolder;
use crate::py::flight::policy::{Computation, Role};
use crate::py::key;
use crate::py::key::KeyKind;
use crate::py::tier::clock::When;
use crate::py::tier::request::{TierLook, TierRequest};
use crate::py::tier::source::{Detached, Event, Source};
use crate::state::threads::Threads;
use std::cell::Cell;
use std::time::Duration;

/// After so long a waiting thread looks whether signals have come.
const SLICE: Duration = Duration::from_millis(50);
/// After so long a greenlet looks for the first time, and then after twice that, up to [`SLICE`].
const SHORTEST_NAP: Duration = Duration::from_millis(1);

/// A call that is computed by one caller of all processes.
struct LeasedComputation<'a, S: Source> {
    request: &'a TierRequest<'a, S>,
    /// The tier's lease, once this call has it.
    lease: Cell<Option<HeldLease>>,
}

/// A lease of a tier's, while its thread has it.
pub type HeldLease = (Words, LeaseHolder);

/// What a call does about a flight, and the lease that it has as its leader.
type LeasedRole = (Role<LedFlight>, Option<HeldLease>);

impl<S: Source> TierRequest<'_, S> {
    /// Asks for the tier's lease of this key, which `gone` has no more.
    pub fn lease(
        &self,
        gone: Option<<S::Backend as Backend>::FormerOwner>,
        wait: &dyn Wait,
    ) -> Lease<<S::Backend as Backend>::Lease> {
        self.cache.tier.backend().lease(self.bytes.request(), gone, wait)
    }

    /// What another caller has computed, as this one is to get it: a copy of its own, if the tier has it. Reenters: as
    /// [`TierRequest::look`], `copy`.
    pub fn landed(&self, value: &Owned) -> Result<Owned> {
        match self.look(When::of(self.cache.policy)?)? {
            TierLook::Fresh(copy) => self.cache.policy.copied(copy),
            TierLook::Stale(..) | TierLook::Absent => self.cache.policy.copied(value.clone()),
        }
    }

    /// Begins a flight, or waits for who computes. Reenters: signal handlers, pickle or the serializer, `copy`.
    pub fn fly(&self, flights: &Flights) -> Result<LeasedRole> {
        // The tier's keys tell apart what Python's `==` does not, and the other way round.
        let key = self.key_object()?;
        let values = [key.borrow()];
        let key_args = CallArgs::of_positional(&values);
        let hash = key::hash::hash(&key_args, KeyKind::Call)?;
        let computation = LeasedComputation { request: self, lease: Cell::new(None) };
        let role = self.cache.near.fly(flights, &key_args, hash, &computation)?;
        Ok((role, computation.lease.take()))
    }
}

impl<S: Source> Computation for LeasedComputation<'_, S> {
    fn look_again(&self) -> Result<Option<Owned>> {
        self.request.peek()
    }

    /// Waits for another process that computes, or has its lease when it returns nothing, if there is one to be had.
    fn look_as_leader(&self) -> Result<Option<Owned>> {
        if let Some(value) = self.look_again()? {
            return Ok(Some(value));
        }
        let tier = self.request.cache.tier;
        let threads = &self.request.state.threads;
        let who = threads.current()?;
        let mut gone = None;
        loop {
            match self.request.lease(gone, &Detached) {
                Lease::Full | Lease::Busy => return Ok(None),
                Lease::Mine(lease) => {
                    let holder = LeaseHolder::begin(who);
                    let found = self.look_again();
                    match found {
                        Ok(None) => self.lease.set(Some((lease.into(), holder))),
                        Ok(Some(_)) | Err(_) => tier.backend().end_lease(lease),
                    }
                    return found;
                }
                // One of this process is perhaps this very thread's, which then holds it.
                Lease::Theirs(_) | Lease::Ours(_) if LeaseHolder::is(who) || compat::is_finalizing() => {
                    return Ok(None);
                }
                // Ours: another cached function has the same entries too.
                Lease::Theirs(lease) | Lease::Ours(lease) => match wait_for(threads, tier.backend(), lease)? {
                    // It has ended in an error, or in a value that is not stored, or it is not to be waited for any longer.
                    Waited::Over | Waited::StillRunning | Waited::Enough => {
                        let found = self.look_again()?;
                        if found.is_some() {
                            tier.count(Event::Coalesced);
                        }
                        return Ok(found);
                    }
                    Waited::OwnerGone(who) => gone = Some(who),
                },
            }
        }
    }

    fn hand_out(&self, value: Owned) -> Result<Owned> {
        self.request.cache.policy.copied(value)
    }

    fn share(&self, value: Owned) -> Result<Owned> {
        self.request.landed(&value)
    }

    fn count(&self, hit: bool) {
        self.request.cache.tier.count(if hit { Event::Hit } else { Event::Miss });
    }

    fn count_coalesced(&self) {
        self.request.cache.tier.count(Event::Coalesced);
    }
}

/// Waits until the lease ends, or its owner is not to be waited for. Reenters: signal handlers and other greenlets, which may
/// raise.
fn wait_for<B: Backend>(threads: &Threads, backend: &B, lease: B::Lease) -> Result<Waited<B::FormerOwner>> {
    let mut wait = backend.begin_wait(lease);
    if let Some(lock) = threads.lock()? {
        let mut nap = SHORTEST_NAP;
        // Nobody releases the lock: the other greenlets go on for so long.
        loop {
            match backend.look_at_lease(&mut wait) {
                Waited::StillRunning if !compat::is_finalizing() => {}
                waited => return Ok(waited),
            }
            if !lock.wait_for(threads, nap.as_secs_f64())? {
                return Ok(Waited::Enough);
            }
            nap = (nap * 2).min(SLICE);
        }
    }
    loop {
        match thread::detached(|| backend.wait_lease(&mut wait, SLICE)) {
            Waited::StillRunning if !compat::is_finalizing() => thread::check_signals()?,
            waited => return Ok(waited),
        }
    }
}
