//! What this process has taken in a region and not given back.
//!
//! The region says which process has a lease or computes a stale entry anew. A program that replaces itself by exec(2) is still the same
//! process, but knows nothing of what it had taken before: what bears its identity and is not in this list is nobody's.

use super::types::LeaseId;
use crate::core::forks::{Lock, Locked};

/// See above. Nothing waits or runs foreign code while the list is locked.
#[derive(Default)]
pub struct Claims(Lock<ClaimList>);

/// What was taken.
#[derive(Default)]
pub struct ClaimList {
    leases: Vec<LeaseId>,
    /// Tokens of stale entries.
    refreshes: Vec<u64>,
}

impl Claims {
    /// The list, for some lines.
    pub fn lock(&self) -> Locked<'_, ClaimList> {
        self.0.lock()
    }

    /// Makes the list empty, whoever had it locked: in the child of a fork, where what the parent has taken is the parent's.
    pub fn forget(&self) {
        let mut taken = self.0.lock();
        // Neither asks the allocator.
        taken.leases.clear();
        taken.refreshes.clear();
    }
}

impl ClaimList {
    /// Whether any lease of this cell is this process's.
    pub fn has_cell(&self, cell: u32) -> bool {
        self.leases.iter().any(|lease| lease.cell == cell)
    }

    /// Whether this very lease is.
    pub fn has_lease(&self, lease: LeaseId) -> bool {
        self.leases.contains(&lease)
    }

    /// Notes a lease that was taken just now.
    pub fn add_lease(&mut self, lease: LeaseId) {
        self.leases.retain(|other| other.cell != lease.cell);
        self.leases.push(lease);
    }

    /// Forgets a lease that was given back.
    pub fn remove_lease(&mut self, lease: LeaseId) {
        self.leases.retain(|&other| other != lease);
    }

    /// Whether a thread of this process computes this stale entry anew.
    pub fn has_refresh(&self, token: u64) -> bool {
        self.refreshes.contains(&token)
    }

    /// Notes that one does.
    pub fn add_refresh(&mut self, token: u64) {
        self.refreshes.push(token);
    }

    /// Forgets it.
    pub fn remove_refresh(&mut self, token: u64) {
        self.refreshes.retain(|&other| other != token);
    }
}
