//! Whether copies of what a server has may still be used. No Python.
//!
//! Who copies takes a ticket before it asks the server. The copy may be used for as long as the ticket stands: until the server tells
//! of a change of any key of the same stripe, until the connection that brings such news is lost, or while nothing is heard of the
//! server. So a copy of before a change never stands after it, whatever is stored when.

use crate::core::clock::{Time, after};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What is taken before a copy is made: the key's stripe and its generation, and the epoch.
pub type Ticket = [u64; 2];

/// How many stripes the keys are spread over, by two bytes of their digests. A change of one key is one of all in its stripe, which
/// costs those a look at the server.
pub const STRIPES: usize = 1 << 16;

/// Says which copies of a server's entries stand.
pub struct NearWatch {
    /// Until when copies may be used if nothing more is heard. 0: nothing is heard.
    until: AtomicU64,
    /// How often all copies have become invalid.
    epoch: AtomicU64,
    /// How often a key of each stripe has changed.
    generations: Box<[AtomicU32]>,
}

impl NearWatch {
    /// Of a server of which nothing has been heard.
    pub fn new() -> Self {
        let generations = (0..STRIPES).map(|_| AtomicU32::new(0)).collect();
        Self { until: AtomicU64::new(0), epoch: AtomicU64::new(0), generations }
    }

    fn generation(&self, stripe: u16) -> &AtomicU32 {
        &self.generations[usize::from(stripe)]
    }

    /// A ticket for a key of this stripe. One that is `alone` stands also while nothing is heard: for what the server has not, and ends
    /// when it is heard again.
    pub fn ticket(&self, stripe: u16, alone: bool) -> Ticket {
        // Acquire: before anything is asked of the server.
        let epoch = self.epoch.load(Ordering::Acquire);
        let generation = self.generation(stripe).load(Ordering::Acquire);
        [u64::from(stripe) << 32 | u64::from(generation), epoch << 1 | u64::from(alone)]
    }

    /// Whether what was copied with this ticket may be used.
    #[inline(always)]
    pub fn stands(&self, [key, time]: Ticket, now: Time) -> bool {
        // Acquire: who sees that the server is heard again sees the new epoch.
        let until = self.until.load(Ordering::Acquire);
        let (stripe, generation) = ((key >> 32) as u16, key as u32);
        self.epoch.load(Ordering::Relaxed) == time >> 1
            && self.generation(stripe).load(Ordering::Relaxed) == generation
            && (now < until || time & 1 == 1)
    }

    /// A key of this stripe has changed, or is about to.
    pub fn changed(&self, stripe: u16) {
        self.generation(stripe).fetch_add(1, Ordering::AcqRel);
    }

    /// The server was heard of, on the connection that brings all changes. Copies may be used for so long from now on; those of before,
    /// if there was a gap, may not.
    pub fn heard(&self, now: Time, span: Time) {
        if now >= self.until.load(Ordering::Acquire) {
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        // Release: the epoch first.
        self.until.store(after(now, span), Ordering::Release);
    }

    /// The connection is lost: changes may go unheard.
    pub fn lost(&self) {
        // What was kept while nothing was heard is no copy of the server's, and stays until that is heard again.
        if self.until.swap(0, Ordering::AcqRel) != 0 {
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// All that was copied is out of date.
    pub fn all_changed(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether copies may be used now.
    pub fn is_heard(&self, now: Time) -> bool {
        now < self.until.load(Ordering::Acquire)
    }
}

impl Default for NearWatch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::NearWatch;

    #[test]
    fn copies_stand_while_the_server_is_heard_and_their_stripe_is_unchanged() {
        let watch = NearWatch::new();
        assert!(!watch.stands(watch.ticket(3, false), 1));
        watch.heard(10, 5);
        let (ticket, other) = (watch.ticket(3, false), watch.ticket(4, false));
        assert!(watch.stands(ticket, 14) && watch.stands(other, 14));
        assert!(!watch.stands(ticket, 15));
        watch.changed(3);
        assert!(!watch.stands(ticket, 12) && watch.stands(other, 12));
        watch.heard(14, 5);
        assert!(watch.stands(other, 18));
    }

    #[test]
    fn no_copy_of_before_a_gap_stands_after_it() {
        let watch = NearWatch::new();
        watch.heard(10, 5);
        let ticket = watch.ticket(0, false);
        watch.heard(15, 5);
        assert!(!watch.stands(ticket, 16));
        let ticket = watch.ticket(0, false);
        watch.lost();
        assert!(!watch.is_heard(16) && !watch.stands(ticket, 16));
        watch.heard(16, 5);
        assert!(watch.is_heard(17) && !watch.stands(ticket, 17));
    }

    #[test]
    fn what_the_server_has_not_stands_until_it_is_heard_again_or_the_key_changes() {
        let watch = NearWatch::new();
        let ticket = watch.ticket(7, true);
        assert!(watch.stands(ticket, 1_000));
        watch.changed(7);
        assert!(!watch.stands(ticket, 1_000));
        let ticket = watch.ticket(7, true);
        watch.lost();
        assert!(watch.stands(ticket, 1_000));
        watch.heard(1_000, 5);
        assert!(!watch.stands(ticket, 1_001));
    }
}
