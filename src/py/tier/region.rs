//! Calls of caches whose entries lie in a region that processes share.
//!
//! The wrapper's own store is a *near cache* in front of the region: of immutable values under keys of plain objects it holds
//! the object that this process had last, with the region's token for it. A hit there asks the region whether the entry still
//! stands, and neither writes a key's bytes nor reads a value's. All else is bytes: see `request.rs`.

use crate::backend::{Busy, Wait};
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, build, call, read, sync, thread};
use crate::py::cache::Bound;
use crate::py::function::methods::counts;
use crate::py::options::shared::SharedOptions;
use crate::shm::{Counters, LineUser, OpenError, Region, RegionConfig, RegionStats};
use crate::state::Serializer;
use pyo3_ffi as py;
use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A wrapper's share in a region.
pub struct Shared {
    pub(in crate::py) region: Arc<Region>,
    /// As whom this interpreter counts there.
    user: LineUser,
    pub(in crate::py) serializer: Option<Serializer>,
    /// How many bytes a value or a key may take.
    pub(in crate::py) most: usize,
    /// Whether somebody was told of a value that can't be serialized.
    warned: AtomicBool,
}

/// Waits of the region's happen detached from the interpreter.
pub struct Detached;

impl Wait for Detached {
    fn detached(&self, work: &mut dyn FnMut()) {
        thread::detached(work);
    }
}

impl Shared {
    /// Opens the region. `given` are all options as they were given. Reenters: what the function depends on, imports.
    pub fn open(function: Borrowed<'_>, options: SharedOptions, given: Borrowed<'_>, bound: Bound) -> Result<Self> {
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
        Ok(Self { region, user, serializer: options.serializer, most, warned: AtomicBool::new(false) })
    }

    /// The objects that it holds, for the collector.
    pub fn held(&self) -> impl Iterator<Item = &Owned> {
        self.serializer.iter().flat_map(Serializer::held)
    }

    /// Gives up the region, and hands out what [`Self::held`] shows.
    pub fn into_held(self) -> impl Iterator<Item = Owned> {
        self.serializer.into_iter().flat_map(Serializer::into_held)
    }

    /// Counts a call that found a value, or one that did not.
    #[inline(always)]
    pub fn count(&self, hit: bool) {
        self.tally(|counters| if hit { &counters.hits } else { &counters.misses });
    }

    /// Counts a call that another one's computation has answered.
    pub fn count_coalesced(&self) {
        self.tally(|counters| &counters.coalesced);
    }

    #[inline(always)]
    pub(in crate::py) fn tally(&self, counter: impl FnOnce(&Counters) -> &AtomicU64) {
        self.region.line(self.user).count(counter, sync::bump);
    }

    /// Hits, misses and entries, of all processes.
    pub fn counts(&self) -> (u64, u64, u64) {
        let stats = self.region.stats();
        (stats.hits, stats.misses, stats.currsize)
    }

    /// What `cache_stats()` returns.
    pub fn stats(&self) -> Result<Owned> {
        all_counts(&self.region.stats())
    }

    /// Drops the entries and zeroes the counts.
    pub fn clear(&self) -> Result<()> {
        self.region.clear(&Detached).map_err(busy)
    }

    /// Warns of a value that has no bytes, the first time. Reenters: filters of warnings, which may raise.
    pub(in crate::py) fn warn(&self, exception: Borrowed<'_>) -> Result<()> {
        // Relaxed: only who is first matters.
        if self.warned.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        // SAFETY: set up before any extension is imported.
        let category = unsafe { py::PyExc_RuntimeWarning };
        let format = c"a shared cache could not serialize a value, and returns such values without storing them: %R";
        // SAFETY: a class, and a format that takes exactly one object.
        match unsafe { py::PyErr_WarnFormat(category, 1, format.as_ptr(), exception.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::by_callee()),
        }
    }
}

/// What caches in memory count, too.
pub fn common_counts(stats: &RegionStats) -> [(&'static CStr, u64); 9] {
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
    counts(&[common, &own].concat())
}

/// What is raised where the region's lock could not be had: `TimeoutError`.
pub fn busy(Busy: Busy) -> Raised {
    Raised::new(Kind::Timeout, c"the shared cache is busy: another process has held its lock for seconds")
}

/// `PermissionError`, or `OSError` with the system's number. The text names the file.
pub fn raised_for(error: OpenError) -> Raised {
    let (number, text) = match error {
        OpenError::Refused(text) => (libc::EACCES, text),
        OpenError::Io(error, text) => {
            let number = error.raw_os_error().unwrap_or(libc::EIO);
            let hint = match number {
                libc::ENOSPC | libc::EDQUOT | libc::EFBIG | libc::ENOMEM => {
                    ": give a smaller max_bytes, or a directory with more room as path"
                }
                _ => "",
            };
            (number, format!("{text}: {}{hint}", std::io::Error::from_raw_os_error(number)))
        }
        OpenError::Unsupported => (libc::ENOTSUP, "backend='shared' is not there on this system".to_owned()),
    };
    match os_error(number, &text) {
        Ok(raised) | Err(raised) => raised,
    }
}

fn os_error(number: i32, text: &str) -> Result<Raised> {
    // SAFETY: set up before any extension is imported.
    let class = unsafe { py::PyExc_OSError };
    // SAFETY: there as long as the interpreter.
    let class = unsafe { Borrowed::from_ptr(class) };
    let (number, text) = (build::int(number.into())?, build::string(text)?);
    Ok(Raised::again(call::with(class, &[number.borrow(), text.borrow()])?.borrow()))
}
