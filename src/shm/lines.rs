//! Where a process counts its calls: lines in the region.
//!
//! A line has one writer where that can be had. The first interpreter of a process that opens the region has one for itself: its lock
//! keeps other threads out, so it counts by plain loads and stores. Other interpreters of the process, each with a lock of its own,
//! share a second line. Line 0 is for processes that find none.

use super::identity::Identity;
use super::layout::PROCESS_COUNTERS;
use super::space::Space;
use super::types::{Counters, LineUser};
use crate::core::atomics::{AtomicPtr, AtomicU64, Ordering};
use std::sync::atomic::AtomicBool;

/// Words of a line that are no counters: who has it, and what the counters said when the region was cleared.
pub const LINE_OWNER: usize = 0;
pub const LINE_CLEARED: usize = 1;
pub const COUNTERS: usize = 6;
const _: () = assert!(LINE_CLEARED + COUNTERS <= PROCESS_COUNTERS);

/// A line, as some interpreters of this process count there.
pub struct Line {
    /// In the map of the region that this is part of; line 0 before another one is claimed.
    counters: AtomicPtr<Counters>,
    /// Whether one interpreter of one process has it.
    alone: AtomicBool,
    claimed: AtomicBool,
}

/// The counters of a line, in the region's map.
fn counters_of(space: &Space, line: usize) -> *mut Counters {
    space.process(line)[PROCESS_COUNTERS..].as_ptr().cast::<Counters>().cast_mut()
}

impl Line {
    fn unclaimed(space: &Space) -> Self {
        let counters = AtomicPtr::new(counters_of(space, 0));
        Self { counters, alone: AtomicBool::new(false), claimed: AtomicBool::new(false) }
    }

    /// Its counters.
    #[inline(always)]
    pub fn counters(&self) -> &Counters {
        // Relaxed: it leads into the map, which stood before.
        // SAFETY: a line of the map, as `Line::unclaimed` and `Lines::claim` have it, which are made of atomics alone and aligned. The
        // region that this is part of keeps the map.
        unsafe { &*self.counters.load(Ordering::Relaxed) }
    }

    /// Adds one to a counter. `add_alone` may do so without a read-modify-write, if this interpreter's threads come one at a time.
    #[inline(always)]
    pub fn count(&self, of: impl FnOnce(&Counters) -> &AtomicU64, add_alone: impl FnOnce(&AtomicU64)) {
        let counter = of(self.counters());
        // Relaxed: it changes before anyone is given the line, and in the child of a fork.
        if self.alone.load(Ordering::Relaxed) {
            add_alone(counter);
        } else {
            // Relaxed: a number alone.
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn is_claimed(&self) -> bool {
        // Relaxed: as in `Lines::join`.
        self.claimed.load(Ordering::Relaxed)
    }
}

/// The lines of this process.
pub struct Lines {
    /// That of the first user, and that of all others.
    lines: [Line; 2],
    /// The first user: the number of an interpreter, plus one.
    first: AtomicU64,
}

impl Lines {
    /// Takes the first line, by which others see that this process has the region open.
    pub fn new(space: &Space) -> Self {
        let lines = [Line::unclaimed(space), Line::unclaimed(space)];
        let lines = Self { lines, first: AtomicU64::new(0) };
        lines.claim(space, LineUser(false));
        lines
    }

    /// The line of a user.
    #[inline(always)]
    pub fn of(&self, user: LineUser) -> &Line {
        &self.lines[usize::from(user.0)]
    }

    /// Where this interpreter of the process is to count. Under the lock of the regions that are known.
    pub fn join(&self, space: &Space, interpreter: u64) -> LineUser {
        let number = interpreter.wrapping_add(1);
        // Relaxed, here and below: the lock orders it.
        let first = self.first.load(Ordering::Relaxed);
        let user = LineUser(first != 0 && first != number);
        if first == 0 {
            self.first.store(number, Ordering::Relaxed);
        }
        if !self.of(user).is_claimed() {
            self.claim(space, user);
        }
        user
    }

    /// In the child of a fork: the lines that the parent has are the parent's. Takes no lock, allocates nothing.
    pub fn after_fork_in_child(&self, space: &Space) {
        for user in [LineUser(false), LineUser(true)] {
            if self.of(user).is_claimed() {
                self.claim(space, user);
            }
        }
    }

    /// Takes a line for this process, whose counters go on from where a dead process left them.
    fn claim(&self, space: &Space, user: LineUser) {
        let own = Identity::own().0;
        let len = space.geometry.processes_len;
        let other = self.of(LineUser(!user.0)).counters.load(Ordering::Relaxed);
        // Line 0 is for those who find none.
        let lines = || (0..len - 1).map(|at| 1 + (at + own as usize % (len - 1)) % (len - 1));
        let claim = |line: usize, ask: bool| {
            let owner = &space.process(line)[LINE_OWNER];
            // Relaxed: a number, no message.
            let seen = owner.load(Ordering::Relaxed);
            let own_and_idle = seen == own && counters_of(space, line) != other;
            let free = seen == 0 || own_and_idle || ask && !Identity(seen).lives();
            free && owner.compare_exchange(seen, own, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        let find = |ask| Some(own).filter(|&own| own != 0).and_then(|_| lines().find(|&line| claim(line, ask)));
        let line = find(false).or_else(|| find(true)).unwrap_or(0);
        // Relaxed: it leads into the map, which stood before.
        self.of(user).counters.store(counters_of(space, line), Ordering::Relaxed);
        self.of(user).claimed.store(true, Ordering::Relaxed);
        self.of(user).alone.store(line != 0 && !user.0, Ordering::Relaxed);
    }

    /// Gives the lines back, when nobody counts there any more.
    pub fn give_back(&self, space: &Space) {
        let own = Identity::own().0;
        for line in 1..space.geometry.processes_len {
            let (words, counters) = (space.process(line), counters_of(space, line));
            if self.lines.iter().any(|line| line.counters.load(Ordering::Relaxed) == counters) {
                // Relaxed: a number, no message.
                let _ = words[LINE_OWNER].compare_exchange(own, 0, Ordering::Relaxed, Ordering::Relaxed);
            }
        }
    }
}
