//! Leases: one process computes what others wait for.
//!
//! A cell is taken under the region's lock, so that two can't have one hash. It is given back without: the owner goes, and the
//! turn counts up, on which those who wait sleep. Who waits looks from time to time whether the owner lives.

use super::identity::Identity;
use super::layout::LEASE_WORDS;
use super::lock::{sleep, wake};
use super::space::Space;
use super::types::{Lease, LeaseId, Waited};
use crate::core::atomics::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const OWNER: usize = 0;
const HASH: usize = 1;
const TURN: usize = 2;

/// Cells that a hash may be in.
const PROBES: usize = 8;
/// How long one sleep takes at most, before a look whether the owner lives.
const NAP: Duration = Duration::from_millis(50);

/// All leases of a region.
#[derive(Clone, Copy)]
pub struct Leases<'a>(pub &'a Space);

impl<'a> Leases<'a> {
    fn cell(self, at: usize) -> &'a [AtomicU64] {
        let geometry = &self.0.geometry;
        &self.0.words()[geometry.leases + at % geometry.leases_len * LEASE_WORDS..][..LEASE_WORDS]
    }

    /// Takes a lease, or says who has it. The caller holds the lock.
    pub fn take(self, hash: u64) -> Lease {
        // Who has the lock has an identity.
        // The middle bits: users may want the lower ones, and the heads have the upper ones.
        let start = (hash >> 16) as usize % self.0.geometry.leases_len;
        let mut free = None;
        for at in start..start + PROBES {
            let cell = self.cell(at);
            let at = (at % self.0.geometry.leases_len) as u32;
            // Acquire: pairs with the Release in `end`.
            let owner = Identity(cell[OWNER].load(Ordering::Acquire));
            if owner.0 == 0 {
                free = free.or(Some((at, 0)));
                continue;
            }
            // Relaxed: written under the lock.
            if cell[HASH].load(Ordering::Relaxed) == hash {
                let id = LeaseId { cell: at, turn: cell[TURN].load(Ordering::Relaxed) as u32 };
                if owner == Identity::own() {
                    return Lease::Ours(id);
                }
                if owner.lives() {
                    return Lease::Theirs(id);
                }
                return self.claim(at, owner.0, hash);
            }
        }
        let dead = || {
            (start..start + PROBES).find_map(|at| {
                let owner = self.cell(at)[OWNER].load(Ordering::Relaxed);
                let at = (at % self.0.geometry.leases_len) as u32;
                (owner != 0 && !Identity(owner).lives()).then_some((at, owner))
            })
        };
        free.or_else(dead).map_or(Lease::Full, |(at, owner)| self.claim(at, owner, hash))
    }

    fn claim(self, at: u32, owner: u64, hash: u64) -> Lease {
        let cell = self.cell(at as usize);
        let own = Identity::own().0;
        // Relaxed: the lock orders it. It fails if damage wrote there, or an owner taken for dead gives it back just now.
        if cell[OWNER].compare_exchange(owner, own, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return Lease::Full;
        }
        cell[HASH].store(hash, Ordering::Relaxed);
        let turn = cell[TURN].fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if owner != 0 {
            // Those who wait for the dead one.
            wake(&cell[TURN], i32::MAX);
        }
        Lease::Mine(LeaseId { cell: at, turn: turn as u32 })
    }

    /// Gives a lease back.
    pub fn end(self, lease: LeaseId) {
        let cell = self.cell(lease.cell as usize);
        // Relaxed: only this process changes it while it has the lease.
        let turn = cell[TURN].load(Ordering::Relaxed);
        if turn as u32 != lease.turn {
            return;
        }
        // Release: pairs with the Acquire in `take`.
        let own = Identity::own().0;
        if cell[OWNER].compare_exchange(own, 0, Ordering::Release, Ordering::Relaxed).is_err() {
            return;
        }
        // The next owner may have counted up already. Release: pairs with the Acquire in `wait`.
        let _ = cell[TURN].compare_exchange(turn, turn.wrapping_add(1), Ordering::Release, Ordering::Relaxed);
        wake(&cell[TURN], i32::MAX);
    }

    /// Sleeps until a lease ends, or for so long.
    pub fn wait(self, lease: LeaseId, at_most: Duration) -> Waited {
        let cell = self.cell(lease.cell as usize);
        let begin = Instant::now();
        loop {
            let owner = Identity(cell[OWNER].load(Ordering::Relaxed));
            // Acquire: pairs with the Release in `end`.
            let turn = cell[TURN].load(Ordering::Acquire) as u32;
            if turn != lease.turn || owner.0 == 0 {
                return Waited::Over;
            }
            if !owner.lives() {
                return Waited::OwnerDied;
            }
            let left = at_most.saturating_sub(begin.elapsed());
            if left.is_zero() || sleep(&cell[TURN], turn, left.min(NAP)) {
                return Waited::StillRunning;
            }
        }
    }
}
