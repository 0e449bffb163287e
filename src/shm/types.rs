//! What goes into a region and what comes out.

use crate::backend::{self, Words};
use crate::core::clock::Time;
use crate::core::expiry::Terms;
use std::io;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

/// What a region is made for. A region of another configuration is replaced when it is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegionConfig {
    /// How many entries there may be. None: as many as the bytes hold.
    pub maxsize: Option<u64>,
    /// The size of the file, rounded up to whole pages. At least [`Region::SMALLEST`](super::Region::SMALLEST) is used.
    pub max_bytes: u64,
}

/// Why there is no region.
#[derive(Debug)]
pub enum OpenError {
    /// It is not to be trusted: another owner, a link, or others may write. Python's PermissionError.
    Refused(String),
    /// The system said no: ENOSPC, EFBIG … Python's OSError. The text says what was tried.
    Io(io::Error, String),
    /// Not on this system.
    Unsupported,
}

/// One entry as it was stored once: never matches again when that was replaced, evicted, removed or cleared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Token(pub(super) u64);

/// [`FoundEntry`](backend::FoundEntry) in a region.
pub type FoundEntry = backend::FoundEntry<Token>;
/// [`Lookup`](backend::Lookup) in a region.
pub type Lookup = backend::Lookup<Token>;
/// [`Stored`](backend::Stored) in a region.
pub type Stored = backend::Stored<Token>;
/// [`Lease`](backend::Lease) of a region.
pub type Lease = backend::Lease<LeaseId>;
/// [`Waited`](backend::Waited) for a lease of a region.
pub type Waited = backend::Waited<FormerOwner>;

/// Names one computation, for those who wait for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseId {
    pub(super) cell: u32,
    pub(super) turn: u32,
}

impl From<Words> for Token {
    #[inline(always)]
    fn from([token, _]: Words) -> Self {
        Self(token)
    }
}

impl From<Token> for Words {
    #[inline(always)]
    fn from(token: Token) -> Self {
        [token.0, 0]
    }
}

impl From<Words> for LeaseId {
    fn from([cell, turn]: Words) -> Self {
        Self { cell: cell as u32, turn: turn as u32 }
    }
}

impl From<LeaseId> for Words {
    fn from(lease: LeaseId) -> Self {
        [lease.cell.into(), lease.turn.into()]
    }
}

/// What a caller who waits for a lease of another's has seen of it so far.
#[derive(Clone, Copy, Debug)]
pub struct LeaseWait {
    pub(super) lease: LeaseId,
    pub(super) begin: Instant,
    /// Since when its owner has been stopped, each time that this was looked for.
    pub(super) stopped: Option<Instant>,
    /// When it was last looked whether its owner is still the same program.
    pub(super) looked: Instant,
}

impl LeaseWait {
    /// From now on.
    pub fn new(lease: LeaseId) -> Self {
        let begin = Instant::now();
        Self { lease, begin, stopped: None, looked: begin }
    }

    /// Which lease it is.
    pub fn lease(&self) -> LeaseId {
        self.lease
    }
}

/// A process that has a lease no more, though the region says so: for the next [`Region::lease`](super::Region::lease).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FormerOwner(pub(super) u64);

/// What one process counts, on cache lines of its own in the region.
///
/// The counts go on from where a dead process left them, so that the sum over all lines stays right.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Counters {
    /// Calls that found a value.
    pub hits: AtomicU64,
    /// Calls that found none.
    pub misses: AtomicU64,
    /// Hits on stale values.
    pub stale_hits: AtomicU64,
    /// Misses that waited for another's computation.
    pub coalesced: AtomicU64,
    /// Values that were too large.
    pub oversize: AtomicU64,
    /// Values that could not be made bytes.
    pub unserializable: AtomicU64,
}

/// Whether an interpreter of this process shares the line where it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineUser(pub(super) bool);

/// Counts of a region, summed over its processes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "as in Counters, and as API.md has them")]
pub struct RegionStats {
    pub hits: u64,
    pub misses: u64,
    pub evictions: u64,
    pub expirations: u64,
    pub invalidations: u64,
    pub stale_hits: u64,
    pub coalesced: u64,
    pub oversize: u64,
    pub unserializable: u64,
    pub recoveries: u64,
    /// Entries that are there.
    pub currsize: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// One region file as [`Region::list`](super::Region::list) sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct RegionInfo {
    /// The file's name in the directory.
    pub file: String,
    /// What can be done with it.
    pub state: RegionState,
    /// When the file was made and last written as a file, in seconds since 1970, as far as the file system says.
    pub made: Option<f64>,
    /// In memory, writes through maps are not noted.
    pub written: Option<f64>,
    /// What it holds, if that can be trusted.
    pub summary: Option<RegionSummary>,
}

/// What a region file is good for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RegionState {
    /// It is a region of this boot.
    Good,
    /// Its times are of an earlier boot: it is replaced when it is opened.
    EarlierBoot,
    /// Its processes are of another pid namespace, where other numbers are theirs.
    OtherNamespace,
    /// Another version, or another kind of machine, made it: it is replaced when it is opened.
    OtherLayout,
    /// It is no region, or its header is damaged: it is replaced when it is opened.
    Damaged,
    /// It is not to be trusted, or can't be read, for this reason.
    Refused(String),
}

/// What is known of a region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegionSummary {
    /// The name that it was opened by.
    pub name: String,
    /// What it was made for.
    pub config: RegionConfig,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Numbers of the processes that have it open, as far as there were lines for them; none in other states than good.
    pub processes: Vec<u32>,
    /// When the newest entry was stored, or last read if that is noted.
    pub last: Option<Time>,
    /// Its counts.
    pub stats: RegionStats,
}

/// One entry as [`Region::entries`](super::Region::entries) sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryInfo {
    /// The bytes of its key.
    pub key: Vec<u8>,
    /// How many bytes its value has.
    pub size: usize,
    /// The first of them.
    pub first: Option<u8>,
    /// All of them, if they were asked for.
    pub value: Vec<u8>,
    /// Until when it may be used.
    pub terms: Terms,
    /// When it was stored, or last read if it minds.
    pub read: Time,
    /// Whether it was read since the hand last passed.
    pub visited: bool,
}
