//! What regions count, and how that is told.

use crate::ffi::{Owned, Result};
use crate::py::cache::stats::{Counts, dict_of};
use crate::shm::RegionStats;
use std::ffi::CStr;

/// What caches in memory count, too.
pub fn common_counts(stats: &RegionStats) -> Counts {
    [
        (c"hits", stats.hits),
        (c"misses", stats.misses),
        (c"evictions", stats.evictions),
        (c"expirations", stats.expirations),
        (c"invalidations", stats.invalidations),
        (c"stale_hits", stats.stale_hits),
        (c"coalesced", stats.coalesced),
        (c"currsize", stats.currsize),
        (c"weight", 0),
    ]
}

/// A dict of all that is counted of a region.
pub fn all_counts(stats: &RegionStats) -> Result<Owned> {
    with_own_counts(&common_counts(stats), stats)
}

/// A dict of these counts, and of those that only shared caches have.
pub fn with_own_counts(common: &[(&'static CStr, u64)], stats: &RegionStats) -> Result<Owned> {
    let own = [
        (c"bytes", stats.bytes),
        (c"oversize", stats.oversize),
        (c"unserializable", stats.unserializable),
        (c"recoveries", stats.recoveries),
    ];
    dict_of(&[common, &own].concat())
}
