//! Which threads wait for which: a thread that sleeps may not wait, over however many others, for itself.
//!
//! Of what other processes wait for nobody can see, so a thread that they may wait for waits for nobody.

use crate::core::forks::Lock;
use crate::state::threads::Thread;

/// Which thread waits for which thread. Nothing in here runs Python code or waits while it is held.
///
/// All interpreters of the process have this one list, and one may fork while a thread of another has it locked.
static WAITING: Lock<Vec<Wait>> = Lock::new(Vec::new());

/// A thread that waits for another one.
#[derive(Clone, Copy, PartialEq)]
pub struct Wait {
    /// Who waits.
    pub who: Thread,
    /// The leader of the flight.
    pub whom: Thread,
    /// Whether the thread sleeps. If not, one of its tasks waits, and its loop goes on, unless that runs inside of a flight.
    pub sleeps: bool,
}

impl Wait {
    /// Notes it until [`Wait::end`]. False, and nothing is noted, if that would close a ring in which a thread sleeps.
    pub fn begin(self) -> bool {
        let mut waiting = WAITING.lock();
        // Of others than this process nobody is here.
        waiting.retain(|wait| wait.who.process == self.who.process);
        // A thread waits for several where signal handlers wait too, and where tasks do.
        let mut reached = vec![(self.whom, self.sleeps)];
        let mut at = 0;
        while let Some(&(thread, sleeps)) = reached.get(at) {
            if thread == self.who && sleeps {
                return false;
            }
            for wait in waiting.iter().filter(|wait| wait.who == thread) {
                let next = (wait.whom, sleeps || wait.sleeps);
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
            at += 1;
        }
        waiting.push(self);
        true
    }

    /// Ends what [`Wait::begin`] has begun.
    pub fn end(self) {
        let mut waiting = WAITING.lock();
        // A signal handler may have waited meanwhile: this is the last that began.
        if let Some(at) = waiting.iter().rposition(|&wait| wait == self) {
            waiting.remove(at);
        }
    }
}

/// Who computes what other processes may wait for. Nothing in here runs Python code or waits while it is held. As `WAITING`,
/// all interpreters of the process have this one.
static HOLDERS: Lock<Vec<Thread>> = Lock::new(Vec::new());

/// A thread that has a lease: while this stands, other processes may wait for the thread that it began in. Then that waits for nobody itself, since nobody
/// can see whether that would close a ring over several processes. It may end in another thread: that of a coroutine does
/// which the collector finds there.
pub struct LeaseHolder(Thread);

impl LeaseHolder {
    /// One more computation of this thread.
    pub fn begin(who: Thread) -> Self {
        let mut holders = HOLDERS.lock();
        // The child of a fork computes nothing that others wait for.
        holders.retain(|holder| holder.process == who.process);
        holders.push(who);
        Self(who)
    }

    /// Whether this thread is one.
    pub fn is(who: Thread) -> bool {
        HOLDERS.lock().contains(&who)
    }
}

impl Drop for LeaseHolder {
    fn drop(&mut self) {
        let mut holders = HOLDERS.lock();
        if let Some(at) = holders.iter().position(|&holder| holder == self.0) {
            holders.swap_remove(at);
        }
    }
}
