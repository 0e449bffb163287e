//! Leases: one process computes what others wait for.
//!
//! A cell is taken under the region's lock, so that two can't have one hash. It is given back without: the owner goes, and the
//! turn counts up, on which those who wait sleep. Who waits looks from time to time what has become of the owner, and waits for
//! nobody who ended, replaced itself by exec(2), or is stopped; and for nobody longer than [`PATIENCE`].

use super::claims::Claims;
use super::identity::{Identity, Life};
use super::layout::LEASE_WORDS;
use super::lock::{sleep, wake};
use super::space::Space;
use super::types::{FormerOwner, Lease, LeaseId, LeaseWait, Waited};
use crate::core::atomics::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const OWNER: usize = 0;
const HASH: usize = 1;
const TURN: usize = 2;

/// Cells that a hash may be in.
const PROBES: usize = 8;
/// How long one sleep takes at most, before a look whether the owner lives.
const NAP: Duration = Duration::from_millis(50);
/// How often it is looked whether the owner is another program now, which means to read all of its maps.
const LOOK_AFTER: Duration = Duration::from_millis(200);
/// For how long an owner is waited for that is stopped.
const STOPPED_PATIENCE: Duration = Duration::from_secs(1);
/// For how long any owner is waited for. It may wait for the caller itself, by other means than this region.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// All leases of a region.
#[derive(Clone, Copy)]
pub struct Leases<'a> {
    /// Where they lie.
    pub space: &'a Space,
    /// Which of them this process has.
    pub claims: &'a Claims,
    /// Of the region's file.
    pub inode: u64,
}

impl<'a> Leases<'a> {
    fn cell(self, at: usize) -> &'a [AtomicU64] {
        let geometry = &self.space.geometry;
        &self.space.words()[geometry.leases + at % geometry.leases_len * LEASE_WORDS..][..LEASE_WORDS]
    }

    /// Whether the owner of a cell has it no more, as far as that is told at once.
    fn is_abandoned(self, at: u32, owner: Identity, former: Option<FormerOwner>) -> bool {
        if owner == Identity::own() {
            // An earlier program of this process had it, before exec(2).
            return !self.claims.lock().has_cell(at);
        }
        former == Some(FormerOwner(owner.0)) || !owner.lives()
    }

    /// Takes a lease, or says who has it. `former` has it no more, as was seen in a wait. The caller holds the lock.
    pub fn take(self, hash: u64, former: Option<FormerOwner>) -> Lease {
        // Who has the lock has an identity.
        // The middle bits: users may want the lower ones, and the heads have the upper ones.
        let start = (hash >> 16) as usize % self.space.geometry.leases_len;
        let mut free = None;
        for at in start..start + PROBES {
            let cell = self.cell(at);
            let at = (at % self.space.geometry.leases_len) as u32;
            // Acquire: pairs with the Release in `end`.
            let owner = Identity(cell[OWNER].load(Ordering::Acquire));
            if owner.0 == 0 {
                free = free.or(Some((at, 0)));
                continue;
            }
            // Relaxed: written under the lock.
            if cell[HASH].load(Ordering::Relaxed) == hash {
                let id = LeaseId { cell: at, turn: cell[TURN].load(Ordering::Relaxed) as u32 };
                if self.is_abandoned(at, owner, former) {
                    return self.claim(at, owner.0, hash);
                }
                return if owner == Identity::own() { Lease::Ours(id) } else { Lease::Theirs(id) };
            }
        }
        let dead = || {
            (start..start + PROBES).find_map(|at| {
                let owner = self.cell(at)[OWNER].load(Ordering::Relaxed);
                let at = (at % self.space.geometry.leases_len) as u32;
                (owner != 0 && self.is_abandoned(at, Identity(owner), former)).then_some((at, owner))
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
        let lease = LeaseId { cell: at, turn: turn as u32 };
        self.claims.lock().add_lease(lease);
        Lease::Mine(lease)
    }

    /// Gives a lease back, whatever its turn says by now: that may be damaged.
    pub fn end(self, lease: LeaseId) {
        if !self.claims.lock().has_lease(lease) {
            return;
        }
        let cell = self.cell(lease.cell as usize);
        // Release: pairs with the Acquire in `take`. It fails only if damage wrote there.
        if cell[OWNER].compare_exchange(Identity::own().0, 0, Ordering::Release, Ordering::Relaxed).is_ok() {
            // Release: pairs with the Acquire in `look`. If the next owner has counted up already, its waiters look once more.
            cell[TURN].fetch_add(1, Ordering::Release);
        }
        wake(&cell[TURN], i32::MAX);
        // Last: a cell that bears this process's identity and is not in the list is free for others of this process.
        self.claims.lock().remove_lease(lease);
    }

    /// What has become of a lease, without a sleep.
    pub fn look(self, wait: &mut LeaseWait) -> Waited {
        let cell = self.cell(wait.lease.cell as usize);
        let owner = Identity(cell[OWNER].load(Ordering::Relaxed));
        // Acquire: pairs with the Release in `end`.
        if cell[TURN].load(Ordering::Acquire) as u32 != wait.lease.turn || owner.0 == 0 {
            return Waited::Over;
        }
        let now = Instant::now();
        let looks_closely = now.duration_since(wait.looked) >= LOOK_AFTER;
        if looks_closely {
            wait.looked = now;
        }
        if self.is_abandoned(wait.lease.cell, owner, None) || looks_closely && owner.has_left(self.inode) {
            return Waited::OwnerGone(FormerOwner(owner.0));
        }
        wait.stopped = (owner.life() == Life::Stopped).then(|| wait.stopped.unwrap_or(now));
        let stopped = wait.stopped.map_or(Duration::ZERO, |since| now.duration_since(since));
        if stopped >= STOPPED_PATIENCE || now.duration_since(wait.begin) >= PATIENCE {
            return Waited::Enough;
        }
        Waited::StillRunning
    }

    /// Sleeps until a lease ends, or for so long.
    pub fn wait(self, wait: &mut LeaseWait, at_most: Duration) -> Waited {
        let turn = &self.cell(wait.lease.cell as usize)[TURN];
        let begin = Instant::now();
        loop {
            match self.look(wait) {
                Waited::StillRunning => {}
                over => return over,
            }
            let left = at_most.saturating_sub(begin.elapsed());
            if left.is_zero() || sleep(turn, wait.lease.turn, left.min(NAP)) {
                return Waited::StillRunning;
            }
        }
    }
}
