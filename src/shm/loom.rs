//! What loom looks at of the region: readers and writers, over memory of its own, without files and processes.

#![allow(dead_code, reason = "much of it is for regions of files")]

mod arena;
mod digest;
#[path = "hooks_none.rs"]
mod hooks;
mod layout;
#[path = "map_loom.rs"]
mod map;
mod read;
mod space;
mod steps;
mod table;
#[cfg(test)]
mod tests_loom;
mod types;

pub use types::{
    Busy, Config, Counters, Found, Lease, LeaseId, Lookup, Now, OpenError, Stats, Stored, Summary, Terms, Token, Wait,
    Waited,
};

/// For what `types.rs` refers to.
pub struct Region(());

impl Region {
    /// As in region.rs.
    pub const SMALLEST: u64 = layout::SMALLEST;
}
