//! What loom looks at of the region: readers and writers, over memory of its own, without files and processes.

#![allow(dead_code, reason = "much of it is for regions of files")]

mod arena;
mod digest;
#[path = "hooks_none.rs"]
mod hooks;
mod layout;
#[path = "map_loom.rs"]
mod map;
mod queue;
mod read;
mod slots;
mod space;
mod steps;
mod storing;
mod table;
#[cfg(test)]
#[path = "tests/loom.rs"]
mod tests;
mod types;

pub use types::{
    Counters, FormerOwner, FoundEntry, Lease, LeaseId, Lookup, OpenError, RegionConfig, RegionStats, RegionSummary,
    Stored, Token, Waited,
};

/// For what `types.rs` refers to.
pub struct Region(());

impl Region {
    /// As in region.rs.
    pub const SMALLEST: u64 = layout::SMALLEST;
}
