//! Who makes a stale entry anew.

use super::mapped::Region;
use crate::core::atomics::{AtomicU64, Ordering};
use crate::core::clock::Time;
use crate::shm::identity::{Identity, Life};
use crate::shm::space::{CLAIM, WORD, same};
use crate::shm::types::Token;

/// How often, at most, a caller looks whether the process lives that makes a stale entry anew.
const LOOK_AFTER: Time = 10_000_000;
/// How often, at most, whether that is still the same program.
const LOOK_CLOSELY_AFTER: Time = 500_000_000;

impl Region {
    /// True for one caller of all processes, who makes the stale entry anew and calls [`Self::give_up_refresh`] in the end, also where it
    /// has stored. What a process had claimed that ended, became another program or is stopped, another gets.
    pub(in crate::shm) fn begin_refresh(&self, token: Token, now: Time) -> bool {
        let Some(slot) = self.space.slot(self.space.id(token.0)) else { return false };
        let own = Identity::own();
        // Relaxed, here and below: the claim alone counts.
        let claim = slot[CLAIM].load(Ordering::Relaxed);
        if claim != 0 && claim != own.0 && !self.is_given_up_by(Identity(claim), now) {
            return false;
        }
        let mut claims = self.claims.lock();
        // One of this process's own that is not in its list is of before exec(2).
        if claims.has_refresh(token.0)
            || slot[CLAIM].compare_exchange(claim, own.0, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return false;
        }
        // Acquire: pairs with the Release that publishes the slot's next entry, whose claim this would be.
        let stands = same(slot[WORD].load(Ordering::Acquire), token.0);
        if stands {
            claims.add_refresh(token.0);
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
    pub(in crate::shm) fn give_up_refresh(&self, token: Token) {
        let mut claims = self.claims.lock();
        if claims.has_refresh(token.0)
            && let Some(slot) = self.space.slot(self.space.id(token.0))
            && same(slot[WORD].load(Ordering::Relaxed), token.0)
        {
            // Relaxed: the claim alone counts.
            let _ = slot[CLAIM].compare_exchange(Identity::own().0, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
        claims.remove_refresh(token.0);
    }
}
