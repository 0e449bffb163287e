//! The region that all processes of one user share: bytes in, bytes out, and no Python.
//!
//! A region is a file that every process maps. Readers take no lock and write one mark; writers are one at a time, under a
//! lock that survives its owner's death. Nothing that is read from the region is trusted: it may be damaged, or another
//! process may be writing there, so every number is held against bounds that this process knows, and bytes are copied
//! through atomics before they are looked at.

mod arena;
mod claims;
mod digest;
mod file;
mod header;
mod identity;
mod inspect;
mod layout;
mod lease;
mod lines;
mod lock;
mod map;
mod queue;
mod read;
mod rebuild;
mod region;
mod slots;
mod space;
mod steps;
mod storing;
mod table;
mod types;

#[cfg(test)]
mod hooks;
#[cfg(not(test))]
#[path = "hooks_none.rs"]
mod hooks;

pub use lines::Line;
pub use region::Region;
pub use types::{
    Counters, EntryInfo, FormerOwner, FoundEntry, Lease, LeaseId, LeaseWait, LineUser, Lookup, OpenError, RegionConfig,
    RegionInfo, RegionState, RegionStats, RegionSummary, Stored, Token, Waited,
};
#[cfg(test)]
mod bench;
#[cfg(test)]
mod tests;
