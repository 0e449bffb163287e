//! A region in shared memory as a tier.

use crate::backend::Busy;
use crate::ffi::{Borrowed, Owned, Raised, Result, call, read, sync, thread};
use crate::py::cache::capacity::Bound;
use crate::py::cache::stats::Counts;
use crate::py::options::shared::SharedOptions;
use crate::py::tier::errors::{busy, raised_for};
use crate::py::tier::stats::{all_counts, common_counts};
use crate::py::tier::{Event, Source, Tiered};
use crate::shm::{LineUser, Region, RegionConfig};
use std::sync::Arc;

/// A region, and as whom this interpreter counts there.
pub struct SharedRegion {
    region: Arc<Region>,
    user: LineUser,
}

impl Source for SharedRegion {
    type Backend = Region;

    #[inline(always)]
    fn backend(&self) -> &Region {
        &self.region
    }

    #[inline(always)]
    fn count(&self, event: Event) {
        self.region.line(self.user).count(
            |counters| match event {
                Event::Hit => &counters.hits,
                Event::Miss => &counters.misses,
                Event::StaleHit => &counters.stale_hits,
                Event::Coalesced => &counters.coalesced,
                Event::Oversize => &counters.oversize,
                Event::Unserializable => &counters.unserializable,
            },
            sync::bump,
        );
    }

    fn raised(error: Busy) -> Raised {
        busy(error)
    }

    fn summary(&self) -> [u64; 3] {
        let stats = self.region.stats();
        [stats.hits, stats.misses, stats.currsize]
    }

    fn counts(&self) -> Counts {
        common_counts(&self.region.stats())
    }

    fn stats(&self) -> Result<Owned> {
        all_counts(&self.region.stats())
    }
}

/// Opens the region of a function. `given` are all options as they were given. Reenters: what the function depends on, imports.
pub fn open(
    function: Borrowed<'_>,
    options: SharedOptions,
    given: Borrowed<'_>,
    bound: Bound,
) -> Result<Tiered<SharedRegion>> {
    let name = match options.name {
        Some(name) => name,
        None => {
            let helper = call::import(c"tamis._identity.region_name", c"region_name")?;
            call::with(helper.borrow(), &[function, given])?
        }
    };
    let name = read::text(name.borrow())?;
    let path = options.path.map(|path| read::path(path.borrow())).transpose()?;
    let maxsize = if let Bound::Entries(entries) = bound { Some(entries as u64) } else { None };
    let config = RegionConfig { maxsize, max_bytes: options.max_bytes };
    let region = thread::detached(|| {
        let path = path.map_or_else(Region::default_dir, Ok)?;
        Region::open(&path, &name, &config)
    });
    let region = region.map_err(raised_for)?;
    let user = region.join(thread::interpreter());
    let most = usize::try_from(options.max_bytes).unwrap_or(usize::MAX);
    Ok(Tiered::new(SharedRegion { region, user }, options.serializer, most))
}
