//! A region as its users see it.

use super::types::*;
use crate::core::clock::Time;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A region that this process has mapped.
pub struct Region {
    _private: (),
}

impl Region {
    /// The least `max_bytes` that makes sense; smaller ones are taken for it.
    pub const SMALLEST: u64 = 64 << 10;

    /// Opens the region of that name in the directory, and makes it if it is not there, damaged, or of another kind.
    pub fn open(_dir: &Path, _name: &str, _config: &Config) -> Result<Arc<Self>, OpenError> {
        todo!()
    }
    /// The user's directory in `/dev/shm`, made 0700 if it is not there, and checked.
    pub fn default_dir() -> Result<PathBuf, OpenError> {
        todo!()
    }
    /// The regions in a directory.
    pub fn list(_dir: &Path) -> Result<Vec<Summary>, OpenError> {
        todo!()
    }
    /// Removes the file. Who has it mapped goes on with it. False: there was none.
    pub fn remove(_dir: &Path, _name: &str) -> Result<bool, OpenError> {
        todo!()
    }
    /// The hash of a key, keyed with the region's random seed: what all others take.
    pub fn hash(&self, _key: &[u8]) -> u64 {
        todo!()
    }
    /// Looks for the key, copies its value out, and marks it as visited. Takes no lock, and is bounded in tries. What is in
    /// `value` goes.
    pub fn lookup(&self, _hash: u64, _key: &[u8], _now: Time, _value: &mut Vec<u8>) -> Lookup {
        todo!()
    }
    /// Whether the entry still stands as it was found; marks it as visited. One load and one comparison.
    #[inline(always)]
    pub fn check(&self, _token: Token) -> bool {
        todo!()
    }
    /// For entries with a bound on idleness, after [`Self::check`]: notes when the entry was read. False: it had been idle for
    /// too long, and is gone.
    pub fn touch(&self, _token: Token, _terms: &Terms, _now: Time) -> bool {
        todo!()
    }
    /// Whether the key is there, fresh or stale. Marks nothing.
    pub fn contains(&self, _hash: u64, _key: &[u8], _now: Time) -> bool {
        todo!()
    }
    /// Stores, and evicts what it must.
    pub fn store(&self, _hash: u64, _key: &[u8], _value: &[u8], _terms: Terms, _now: Time, _wait: &dyn Wait) -> Stored {
        todo!()
    }
    /// Drops one entry. True: it was there.
    pub fn remove_entry(&self, _hash: u64, _key: &[u8], _wait: &dyn Wait) -> Result<bool, Busy> {
        todo!()
    }
    /// Drops all entries, and zeroes the counts.
    pub fn clear(&self, _wait: &dyn Wait) -> Result<(), Busy> {
        todo!()
    }
    /// True for one caller of all processes, who makes the stale entry anew. What a process that died had claimed, another
    /// gets. Storing ends the claim.
    pub fn begin_refresh(&self, _token: Token, _now: Time) -> bool {
        todo!()
    }
    /// Gives a claim back without a new value.
    pub fn give_up_refresh(&self, _token: Token) {
        todo!()
    }
    /// Asks who computes the value of keys of this hash.
    pub fn lease(&self, _hash: u64, _wait: &dyn Wait) -> Lease {
        todo!()
    }
    /// Ends a lease that is [`Lease::Mine`], and wakes who waits for it.
    pub fn end_lease(&self, _lease: LeaseId) {
        todo!()
    }
    /// Sleeps until a lease ends: call it detached.
    pub fn wait_lease(&self, _lease: LeaseId, _at_most: Duration) -> Waited {
        todo!()
    }
    /// This process's own line.
    #[inline(always)]
    pub fn counters(&self) -> &Counters {
        todo!()
    }
    /// The counts of all processes.
    pub fn stats(&self) -> Stats {
        todo!()
    }
    /// What the region was made for.
    pub fn config(&self) -> Config {
        todo!()
    }
}
