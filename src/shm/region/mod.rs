//! A region as its users see it.

mod backend;

use crate::backend::{Busy, Now, Wait};
use crate::core::atomics::{AtomicU64, Ordering};
use crate::core::clock::Time;
use crate::core::expiry::Terms;
use crate::shm::arena::Damaged;
use crate::shm::file::{Directory, default_path, file_name};
use crate::shm::fork::Known;
use crate::shm::header::{Header, use_file};
use crate::shm::hooks::{Step, at};
use crate::shm::identity::{Identity, Life};
use crate::shm::layout::{PROCESS_COUNTERS, PROCESS_WORDS, SMALLEST, state};
use crate::shm::lease::Leases;
use crate::shm::lines::{COUNTERS, LINE_CLEARED, Line, Lines};
use crate::shm::lock::{self, Tired};
use crate::shm::map::Map;
use crate::shm::mine::Mine;
use crate::shm::space::{CLAIM, Space, WORD, same};
use crate::shm::table::{Entry, Table};
use crate::shm::types::*;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often, at most, a caller looks whether the process lives that makes a stale entry anew.
const LOOK_AFTER: Time = 10_000_000;
/// How often, at most, whether that is still the same program.
const LOOK_CLOSELY_AFTER: Time = 500_000_000;

/// A region that this process has mapped.
pub struct Region {
    space: Space,
    header: Header,
    /// Device and inode.
    file: (u64, u64),
    tired: Tired,
    lines: Lines,
    /// When anyone last looked whether another process's refresh goes on.
    looked: AtomicU64,
    looked_closely: AtomicU64,
    mine: Mine,
}

const _: () = assert!(size_of::<Counters>() == (PROCESS_WORDS - PROCESS_COUNTERS) * 8);

impl Region {
    /// The least `max_bytes` that makes sense; smaller ones are taken for it.
    pub const SMALLEST: u64 = SMALLEST;

    /// Opens the region of that name in the directory, and makes it if it is not there, damaged, or of another kind.
    ///
    /// Entries of an earlier boot are dropped: their times mean nothing now.
    pub fn open(dir: &Path, name: &str, config: &Config) -> Result<Arc<Self>, OpenError> {
        if !Identity::own().is_known() {
            let error = io::Error::from_raw_os_error(libc::ENOENT);
            return Err(OpenError::Io(error, "a shared cache needs /proc to tell processes apart".into()));
        }
        let header = Header::new(name, config)?;
        let directory = Directory::open(dir, true)?;
        let file_name = file_name(name);
        if let Some(region) = Self::open_existing(&directory, &file_name, &header)? {
            return Ok(region);
        }
        let lock = directory.lock()?;
        // Another may have been faster.
        if let Some(region) = Self::open_existing(&directory, &file_name, &header)? {
            return Ok(region);
        }
        let mapped = |error| OpenError::Io(error, format!("cannot map {}", directory.path_of(&file_name).display()));
        let file = lock.make(&file_name, header.geometry.file, |file| {
            let map = Map::new(file, header.geometry.file).map_err(mapped)?;
            let space = Space::new(map, header.geometry, header.seed);
            header.write(space.words());
            // Before it has its name: under that, processes of another pid namespace would take it for one that nobody uses.
            if !use_file(file) {
                return Err(mapped(io::ErrorKind::WouldBlock.into()));
            }
            Table::new(&space).arena.lay_out([].into_iter()).map_err(|Damaged| mapped(io::ErrorKind::Other.into()))
        })?;
        Self::attach(&file, &header).map_err(mapped)
    }

    /// None: it is not there, or is to be replaced.
    pub(in crate::shm) fn open_existing(
        directory: &Directory,
        file_name: &str,
        wanted: &Header,
    ) -> Result<Option<Arc<Self>>, OpenError> {
        let Some(file) = directory.open_file(file_name)? else { return Ok(None) };
        let failed = |error| OpenError::Io(error, format!("cannot map {}", directory.path_of(file_name).display()));
        if file.metadata().map_err(failed)?.len() != wanted.geometry.file {
            return Ok(None);
        }
        let Some(found) = Header::read(&file).map_err(failed)?.filter(|found| found.serves(wanted)) else {
            return Ok(None);
        };
        if !found.use_by_namespace(&file, wanted).map_err(failed)? {
            return Err(OpenError::Refused(format!(
                "{} is in use by processes of another pid namespace (a container?): give each a path of its own",
                directory.path_of(file_name).display()
            )));
        }
        Self::attach(&file, &found).map(Some).map_err(failed)
    }

    /// Maps a file that is what the header says, and that this descriptor has locked by [`use_file`].
    fn attach(file: &File, header: &Header) -> io::Result<Arc<Self>> {
        let meta = file.metadata()?;
        let id = (meta.dev(), meta.ino());
        let known = Known::lock();
        if let Some(region) = known.find(|region| region.file == id) {
            return Ok(region);
        }
        let space = Space::new(Map::new(file, header.geometry.file)?, header.geometry, header.seed);
        let lines = Lines::new(&space);
        let region = Arc::new(Self {
            space,
            header: header.clone(),
            file: id,
            tired: Tired::default(),
            lines,
            looked: AtomicU64::new(0),
            looked_closely: AtomicU64::new(0),
            mine: Mine::default(),
        });
        known.add(&region);
        // This process has just come to it. So if it holds the lock, that was before exec(2).
        if let Some(_locked) = lock::take_own(&region.space) {
            let _ = region.mend(|_| Ok(()));
        }
        Ok(region)
    }

    /// The user's directory in `/dev/shm`, made 0700 if it is not there, and checked.
    pub fn default_dir() -> Result<PathBuf, OpenError> {
        let path = default_path();
        match Directory::open(&path, true) {
            Ok(_) => Ok(path),
            // There may be no such place, or nothing may be written there.
            Err(OpenError::Io(error, text)) => {
                Err(OpenError::Io(error, format!("{text} (another directory can be given as path)")))
            }
            Err(refused) => Err(refused),
        }
    }

    /// What the region was made for.
    pub fn config(&self) -> Config {
        self.header.config
    }

    /// In the child of a fork, by its one thread: waits for no lock, allocates nothing.
    pub(in crate::shm) fn after_fork_in_child(&self) {
        self.mine.forget();
        self.lines.after_fork_in_child(&self.space);
    }

    /// Where this interpreter of the process is to count.
    pub fn join(&self, interpreter: u64) -> User {
        let _known = Known::lock();
        self.lines.join(&self.space, interpreter)
    }

    /// The line of a user.
    #[inline(always)]
    pub fn line(&self, user: User) -> &Line {
        self.lines.of(user)
    }

    /// The hash of a key, keyed with the region's random seed: what all others take.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        crate::shm::digest::digest(self.space.seed, key)
    }

    /// Looks for the key, copies its value out, and marks it as visited. Takes no lock, and is bounded in tries. What is in
    /// `value` goes.
    #[inline]
    pub fn lookup(&self, hash: u64, key: &[u8], now: impl Now, value: &mut Vec<u8>) -> Lookup {
        self.space.lookup(hash, key, now, value)
    }

    /// Whether no entry has this hash. False also where that can't be told at once.
    #[inline(always)]
    pub fn lacks(&self, hash: u64) -> bool {
        self.space.lacks(hash)
    }

    /// Whether the entry still stands as it was found; marks it as visited. One load and one comparison.
    #[inline(always)]
    pub fn check(&self, token: Token) -> bool {
        self.space.check(token)
    }

    /// For entries with a bound on idleness, after [`Self::check`]: notes when the entry was read. False: it had been idle for
    /// too long, or is too old, and is gone.
    #[inline]
    pub fn touch(&self, token: Token, terms: &Terms, now: Time) -> bool {
        self.space.touch(token, terms, now)
    }

    /// Whether the key is there, fresh or stale. Marks nothing.
    pub fn contains(&self, hash: u64, key: &[u8], now: Time) -> bool {
        self.space.contains(hash, key, now)
    }

    /// Runs a change under the lock. Where it finds damage, or the lock's last owner died, order is made first.
    #[inline]
    fn change<T>(&self, wait: &dyn Wait, mut change: impl FnMut(&Table<'_>) -> Result<T, Damaged>) -> Result<T, Busy> {
        let locked = lock::lock(&self.space, self.file.1, &self.tired, wait)?;
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
    fn mend<T>(&self, mut change: impl FnMut(&Table<'_>) -> Result<T, Damaged>) -> Result<T, Busy> {
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
    pub fn store(
        &self,
        hash: u64,
        key: &[u8],
        value: &[u8],
        terms: &Terms,
        now: impl Now,
        wait: &dyn Wait,
    ) -> Result<Stored, Busy> {
        let entry = Entry { hash, key, value, terms, now: &now };
        Ok(self.change(wait, |table| table.store(&entry))?.map_or(Stored::TooLarge, Stored::Done))
    }

    /// Drops one entry. True: it was there, expired or not.
    pub fn remove_entry(&self, hash: u64, key: &[u8], wait: &dyn Wait) -> Result<bool, Busy> {
        self.change(wait, |table| {
            let Some(id) = table.find(table.head(hash), hash, key)? else { return Ok(false) };
            table.take_out(id)?;
            table.add(state::INVALIDATIONS, 1);
            Ok(true)
        })
    }

    /// Drops all entries, and zeroes the counts.
    pub fn clear(&self, wait: &dyn Wait) -> Result<(), Busy> {
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

    /// True for one caller of all processes, who makes the stale entry anew and calls [`Self::give_up_refresh`] in the end, also where it
    /// has stored. What a process had claimed that ended, became another program or is stopped, another gets.
    pub fn begin_refresh(&self, token: Token, now: Time) -> bool {
        let Some(slot) = self.space.slot(self.space.id(token.0)) else { return false };
        let own = Identity::own();
        // Relaxed, here and below: the claim alone counts.
        let claim = slot[CLAIM].load(Ordering::Relaxed);
        if claim != 0 && claim != own.0 && !self.is_given_up_by(Identity(claim), now) {
            return false;
        }
        let mut mine = self.mine.lock();
        // One of this process's own that is not in its list is of before exec(2).
        if mine.has_refresh(token.0)
            || slot[CLAIM].compare_exchange(claim, own.0, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return false;
        }
        // Acquire: pairs with the Release that publishes the slot's next entry, whose claim this would be.
        let stands = same(slot[WORD].load(Ordering::Acquire), token.0);
        if stands {
            mine.add_refresh(token.0);
        } else {
            let _ = slot[CLAIM].compare_exchange(own.0, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
        stands
    }

    /// Whether a process that had claimed an entry will not make it anew, as far as anyone has looked for now.
    fn is_given_up_by(&self, process: Identity, now: Time) -> bool {
        let is_due = |looked: &AtomicU64, after: Time| {
            // Relaxed: a number alone.
            let due = now.saturating_sub(looked.load(Ordering::Relaxed)) >= after;
            if due {
                looked.store(now, Ordering::Relaxed);
            }
            due
        };
        is_due(&self.looked, LOOK_AFTER)
            && (process.life() != Life::Running
                || is_due(&self.looked_closely, LOOK_CLOSELY_AFTER) && process.has_left(self.file.1))
    }

    /// Gives a claim back.
    pub fn give_up_refresh(&self, token: Token) {
        let mut mine = self.mine.lock();
        if mine.has_refresh(token.0)
            && let Some(slot) = self.space.slot(self.space.id(token.0))
            && same(slot[WORD].load(Ordering::Relaxed), token.0)
        {
            // Relaxed: the claim alone counts.
            let _ = slot[CLAIM].compare_exchange(Identity::own().0, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
        mine.remove_refresh(token.0);
    }

    fn leases(&self) -> Leases<'_> {
        Leases { space: &self.space, mine: &self.mine, inode: self.file.1 }
    }

    /// Asks who computes the value of keys of this hash. `former` was found to have it no more.
    pub fn lease(&self, hash: u64, former: Option<FormerOwner>, wait: &dyn Wait) -> Lease {
        self.change(wait, |_| Ok(self.leases().take(hash, former))).unwrap_or(Lease::Full)
    }

    /// Ends a lease that is [`Lease::Mine`], and wakes who waits for it.
    pub fn end_lease(&self, lease: LeaseId) {
        self.leases().end(lease);
    }

    /// Sleeps until a lease ends, or for so long: call it detached.
    pub fn wait_lease(&self, wait: &mut LeaseWait, at_most: Duration) -> Waited {
        self.leases().wait(wait, at_most)
    }

    /// [`Self::wait_lease`] without a sleep.
    pub fn look_at_lease(&self, wait: &mut LeaseWait) -> Waited {
        self.leases().look(wait)
    }

    /// The counts of all processes.
    pub fn stats(&self) -> Stats {
        stats(&self.space)
    }

    #[cfg(test)]
    pub(in crate::shm) fn space(&self) -> &Space {
        &self.space
    }

    #[cfg(test)]
    pub(in crate::shm) fn forget_mine(&self) {
        self.mine.forget();
    }
}

/// The counts of all processes.
pub(in crate::shm) fn stats(space: &Space) -> Stats {
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
    Stats {
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

impl Drop for Region {
    fn drop(&mut self) {
        let known = Known::lock();
        known.remove(self);
        // If this file was opened again meanwhile, the lines are in use.
        if !known.has(|region| region.file == self.file) {
            self.lines.give_back(&self.space);
        }
    }
}
