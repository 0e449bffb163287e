//! The time, for backends.

use crate::backend::Now;
use crate::core::clock::Time;
use crate::ffi::{Result, clock as clocks};
use crate::py::cache::policy::Policy;
use crate::py::options::Clock;

/// The time now, of the clock that all processes go by.
#[derive(Clone, Copy)]
pub enum When {
    /// Nobody has looked yet: others may have stored entries that expire, or not.
    Coarse,
    /// It was looked up.
    At(Time),
}

impl When {
    /// Reenters: `clock`.
    #[inline(always)]
    pub fn of(policy: &Policy) -> Result<Self> {
        match policy.options.clock {
            Clock::Unused => Ok(Self::Coarse),
            _ => policy.options.now().map(Self::At),
        }
    }
}

impl Now for When {
    #[inline(always)]
    fn now(&self) -> Time {
        match *self {
            Self::Coarse => clocks::coarse(),
            Self::At(time) => time,
        }
    }
}
