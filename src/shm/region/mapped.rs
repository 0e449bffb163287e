//! A region that this process has mapped: what is done in it.

use crate::backend::{Busy, Now, Wait};
use crate::core::atomics::{AtomicU64, Ordering};
use crate::core::clock::Time;
use crate::core::expiry::Terms;
use crate::shm::arena::Damaged;
use crate::shm::claims::Claims;
use crate::shm::digest::digest;
use crate::shm::header::Header;
use crate::shm::hooks::{Step, at};
use crate::shm::layout::{PROCESS_COUNTERS, PROCESS_WORDS, SMALLEST, state};
use crate::shm::lease::Leases;
use crate::shm::lines::{COUNTERS, LINE_CLEARED, Line, Lines};
use crate::shm::lock::{self, AbandonedTurn};
use crate::shm::space::Space;
use crate::shm::storing::NewEntry;
use crate::shm::table::Table;
use crate::shm::types::{
    Counters, FormerOwner, Lease, LeaseId, LeaseWait, LineUser, Lookup, RegionConfig, RegionStats, Stored, Token,
    Waited,
};
use std::time::Duration;

/// A region that this process has mapped.
pub struct Region {
    pub(super) space: Space,
    pub(super) header: Header,
    /// Device and inode.
    pub(super) file: (u64, u64),
    pub(super) abandoned: AbandonedTurn,
    pub(super) lines: Lines,
    /// When anyone last looked whether another process's refresh goes on.
    pub(super) looked: AtomicU64,
    pub(super) looked_closely: AtomicU64,
    pub(super) claims: Claims,
}

const _: () = assert!(size_of::<Counters>() == (PROCESS_WORDS - PROCESS_COUNTERS) * 8);

impl Region {
    /// The least `max_bytes` that makes sense; smaller ones are taken for it.
    pub const SMALLEST: u64 = SMALLEST;

    /// What the region was made for.
    pub fn config(&self) -> RegionConfig {
        self.header.config
    }

    /// In the child of a fork, by its one thread: waits for no lock, allocates nothing.
    pub(super) fn after_fork_in_child(&self) {
        self.claims.forget();
        self.lines.after_fork_in_child(&self.space);
    }

    /// The line of a user.
    #[inline(always)]
    pub fn line(&self, user: LineUser) -> &Line {
        self.lines.of(user)
    }

    /// The hash of a key, keyed with the region's random seed: what all others take.
    #[inline]
    pub(in crate::shm) fn hash(&self, key: &[u8]) -> u64 {
        digest(self.space.seed, key)
    }

    /// Looks for the key, copies its value out, and marks it as visited. Takes no lock, and is bounded in tries. What is in
    /// `value` goes.
    #[inline]
    pub(in crate::shm) fn lookup(&self, hash: u64, key: &[u8], now: impl Now, value: &mut Vec<u8>) -> Lookup {
        self.space.lookup(hash, key, now, value)
    }

    /// Whether no entry has this hash. False also where that can't be told at once.
    #[inline(always)]
    pub(in crate::shm) fn lacks(&self, hash: u64) -> bool {
        self.space.lacks(hash)
    }

    /// Whether the entry still stands as it was found; marks it as visited. One load and one comparison.
    #[inline(always)]
    pub(in crate::shm) fn check(&self, token: Token) -> bool {
        self.space.check(token)
    }

    /// For entries with a bound on idleness, after [`Self::check`]: notes when the entry was read. False: it had been idle for
    /// too long, or is too old, and is gone.
    #[inline]
    pub(in crate::shm) fn touch(&self, token: Token, terms: &Terms, now: Time) -> bool {
        self.space.touch(token, terms, now)
    }

    /// Whether the key is there, fresh or stale. Marks nothing.
    pub(in crate::shm) fn contains(&self, hash: u64, key: &[u8], now: Time) -> bool {
        self.space.contains(hash, key, now)
    }

    /// Runs a change under the lock. Where it finds damage, or the lock's last owner died, order is made first.
    #[inline]
    fn change<T>(&self, wait: &dyn Wait, mut change: impl FnMut(&Table<'_>) -> Result<T, Damaged>) -> Result<T, Busy> {
        let locked = lock::lock(&self.space, self.file.1, &self.abandoned, wait)?;
        at(Step::Locked);
        if !locked.orphaned
            && let Ok(done) = change(&Table::new(&self.space))
        {
            at(Step::Done);
            return Ok(done);
        }
        self.mend(change)
    }

    /// Makes order, under the lock, and then the change.
    #[cold]
    #[inline(never)]
    pub(super) fn mend<T>(&self, mut change: impl FnMut(&Table<'_>) -> Result<T, Damaged>) -> Result<T, Busy> {
        let table = Table::new(&self.space);
        let mut done = table.rebuild().and_then(|()| change(&table));
        if done.is_err() {
            done = table.reset().and_then(|()| change(&table));
        }
        at(Step::Done);
        done.map_err(|Damaged| Busy)
    }

    /// Stores, and evicts what it must. The hash is [`Self::hash`]'s.
    #[inline]
    pub(in crate::shm) fn store(
        &self,
        hash: u64,
        key: &[u8],
        value: &[u8],
        terms: &Terms,
        now: impl Now,
        wait: &dyn Wait,
    ) -> Result<Stored, Busy> {
        let entry = NewEntry { hash, key, value, terms, now: &now };
        Ok(self.change(wait, |table| table.store(&entry))?.map_or(Stored::TooLarge, Stored::Done))
    }

    /// Drops one entry. True: it was there, expired or not.
    pub(in crate::shm) fn remove_entry(&self, hash: u64, key: &[u8], wait: &dyn Wait) -> Result<bool, Busy> {
        self.change(wait, |table| {
            let Some(id) = table.find(table.head(hash), hash, key)? else { return Ok(false) };
            table.take_out(id)?;
            table.add(state::INVALIDATIONS, 1);
            Ok(true)
        })
    }

    /// Drops all entries, and zeroes the counts.
    pub(in crate::shm) fn clear(&self, wait: &dyn Wait) -> Result<(), Busy> {
        self.change(wait, |table| {
            table.clear()?;
            for at in state::EVICTIONS..=state::RECOVERIES {
                table.set(at, 0);
            }
            for line in 0..self.space.geometry.processes_len {
                let words = self.space.process(line);
                for counter in 0..COUNTERS {
                    // Not set to 0: its process counts by plain loads and stores.
                    let count = words[PROCESS_COUNTERS + counter].load(Ordering::Relaxed);
                    words[LINE_CLEARED + counter].store(count, Ordering::Relaxed);
                }
            }
            Ok(())
        })
    }

    fn leases(&self) -> Leases<'_> {
        Leases { space: &self.space, claims: &self.claims, inode: self.file.1 }
    }

    /// Asks who computes the value of keys of this hash. `former` was found to have it no more.
    pub(in crate::shm) fn lease(&self, hash: u64, former: Option<FormerOwner>, wait: &dyn Wait) -> Lease {
        self.change(wait, |_| Ok(self.leases().take(hash, former))).unwrap_or(Lease::Busy)
    }

    /// Ends a lease that is [`Lease::Mine`], and wakes who waits for it.
    pub(in crate::shm) fn end_lease(&self, lease: LeaseId) {
        self.leases().end(lease);
    }

    /// Sleeps until a lease ends, or for so long: call it detached.
    pub(in crate::shm) fn wait_lease(&self, wait: &mut LeaseWait, at_most: Duration) -> Waited {
        self.leases().wait(wait, at_most)
    }

    /// [`Self::wait_lease`] without a sleep.
    pub(in crate::shm) fn look_at_lease(&self, wait: &mut LeaseWait) -> Waited {
        self.leases().look(wait)
    }

    /// The counts of all processes.
    pub fn stats(&self) -> RegionStats {
        stats(&self.space)
    }

    #[cfg(test)]
    pub(in crate::shm) fn space(&self) -> &Space {
        &self.space
    }

    #[cfg(test)]
    pub(in crate::shm) fn forget_mine(&self) {
        self.claims.forget();
    }
}

/// The counts of all processes.
pub(in crate::shm) fn stats(space: &Space) -> RegionStats {
    let mut sums = [0u64; COUNTERS];
    for line in 0..space.geometry.processes_len {
        let words = space.process(line);
        for (counter, sum) in sums.iter_mut().enumerate() {
            let count = words[PROCESS_COUNTERS + counter].load(Ordering::Relaxed);
            let cleared = words[LINE_CLEARED + counter].load(Ordering::Relaxed);
            *sum = sum.wrapping_add(count.wrapping_sub(cleared));
        }
    }
    let [hits, misses, stale_hits, coalesced, oversize, unserializable] = sums;
    // Relaxed: numbers that were right, each for itself.
    let of = |at| space.state(at).load(Ordering::Relaxed);
    RegionStats {
        hits,
        misses,
        evictions: of(state::EVICTIONS),
        expirations: of(state::EXPIRATIONS),
        invalidations: of(state::INVALIDATIONS),
        stale_hits,
        coalesced,
        oversize,
        unserializable,
        recoveries: of(state::RECOVERIES),
        currsize: of(state::LEN),
        bytes: of(state::BYTES),
    }
}
