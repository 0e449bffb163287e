//! Nothing: what ships in the place of `hooks.rs`.

pub use super::steps::Step;

/// The writer is here.
#[inline(always)]
pub fn at(_step: Step) {}
