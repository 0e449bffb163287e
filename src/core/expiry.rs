//! Until when an entry may be used: one rule for caches in memory, regions and tiers.

use super::clock::{NEVER, Time};

/// Until when an entry may be used. All times are of the one clock that its cache goes by, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Before this it is fresh.
    pub fresh_until: Time,
    /// Before this, and no longer fresh, it is stale; from then on it has expired.
    pub stale_until: Time,
    /// It has expired when it was not read for so long. [`NEVER`]: that does not matter.
    pub idle: Time,
}

/// How good an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Age {
    /// To be returned.
    Fresh,
    /// To be returned, while one caller computes it anew.
    Stale,
    /// As if it were not there.
    Expired,
}

impl Terms {
    /// For ever.
    pub const NONE: Self = Self { fresh_until: NEVER, stale_until: NEVER, idle: NEVER };

    /// How good an entry of these terms is `now`. `read` says when it was last read, and is asked only where that matters.
    ///
    /// Each bound ends what it bounds: an entry of a `ttl` of 5 seconds, and one of a `tti` of 5 seconds that nobody has
    /// read, have both expired when 5 seconds are over.
    #[inline(always)]
    pub fn age(&self, now: Time, read: impl FnOnce() -> Time) -> Age {
        if self.idle != NEVER && now.saturating_sub(read()) >= self.idle {
            Age::Expired
        } else if now < self.fresh_until {
            Age::Fresh
        } else if now < self.stale_until {
            Age::Stale
        } else {
            Age::Expired
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_fresh_then_stale_then_expired_and_each_bound_is_the_first_moment_of_the_next() {
        let terms = Terms { fresh_until: 10, stale_until: 15, idle: NEVER };
        let age = |now| terms.age(now, || unreachable!("nobody asks when it was read"));
        assert_eq!([9, 10, 14, 15].map(age), [Age::Fresh, Age::Stale, Age::Stale, Age::Expired]);
    }

    #[test]
    fn an_entry_has_expired_at_the_moment_when_it_was_not_read_for_so_long() {
        let terms = Terms { idle: 5, ..Terms::NONE };
        assert_eq!(terms.age(104, || 100), Age::Fresh);
        assert_eq!(terms.age(105, || 100), Age::Expired);
        // A clock that goes back makes nothing expire.
        assert_eq!(terms.age(99, || 100), Age::Fresh);
    }
}
