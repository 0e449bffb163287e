//! The clock of Rust's standard library, for both.

use crate::core::clock::Time;
use std::sync::OnceLock;
use std::time::Instant;

/// Nothing is to be prepared.
pub fn prepare() {}

/// Exact, since the first time that it was asked.
pub fn exact() -> Time {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as Time
}

/// The same.
pub fn coarse() -> Time {
    exact()
}
