//! What stands behind a near cache: a region that processes share.
//!
//! The cached function's own store is a *near cache* in front of it: of immutable values under keys of plain objects it holds the
//! object that this process had last, with the version that the tier gave it. A hit there asks the tier whether that version still
//! stands, and neither writes a key's bytes nor reads a value's. All else is bytes: see `request.rs`.
//!
//! [`Tier`] is matched once a call that the near cache has not answered. What is behind it is compiled for each kind: [`Source`] is
//! what a kind says of itself, on top of [`Backend`].

pub mod admin;
pub mod buffers;
pub mod cache;
pub mod clock;
pub mod errors;
pub mod lease;
pub mod near;
pub mod ops;
pub mod region;
pub mod remote;
pub mod request;
pub mod source;
pub mod stats;

use crate::backend::{Backend, Words};
use crate::ffi::{Borrowed, Owned, Result};
use crate::py::cache::capacity::Bound;
use crate::py::cache::stats::Counts;
use crate::py::options::Options;
use region::SharedRegion;
use source::{Event, Source, Tiered};

/// What stands behind a near cache.
pub enum Tier {
    /// A region in shared memory.
    Region(Tiered<SharedRegion>),
}

/// Does something with the tier of any kind: compiled for each.
macro_rules! with_tier {
    ($tier:expr, |$name:ident| $work:expr) => {
        match $tier {
            $crate::py::tier::Tier::Region($name) => $work,
        }
    };
}
pub(in crate::py) use with_tier;

/// A kind of tier, as one of all.
pub trait TierKind: Source + Sized {
    /// The tier, if it is of this kind.
    fn of(tier: &Tier) -> Option<&Tiered<Self>>;

    /// What a caller has seen of another's lease, for who keeps it.
    fn any_wait(lease: LeaseOf<Self>, wait: WaitOf<Self>) -> AnyWait;

    /// The same of this kind, for who has kept it.
    fn own_wait(any: AnyWait) -> Option<(LeaseOf<Self>, WaitOf<Self>)>;
}

type LeaseOf<S> = <<S as Source>::Backend as Backend>::Lease;
type WaitOf<S> = <<S as Source>::Backend as Backend>::LeaseWait;

/// What a caller has seen of another's lease of any kind of tier.
pub enum AnyWait {
    /// Of a region's.
    Region(LeaseOf<SharedRegion>, WaitOf<SharedRegion>),
}

impl TierKind for SharedRegion {
    #[inline(always)]
    fn of(tier: &Tier) -> Option<&Tiered<Self>> {
        let Tier::Region(tier) = tier;
        Some(tier)
    }

    fn any_wait(lease: LeaseOf<Self>, wait: WaitOf<Self>) -> AnyWait {
        AnyWait::Region(lease, wait)
    }

    fn own_wait(any: AnyWait) -> Option<(LeaseOf<Self>, WaitOf<Self>)> {
        let AnyWait::Region(lease, wait) = any;
        Some((lease, wait))
    }
}

impl Tier {
    /// The tier that a function's options ask for, which are then taken out of them. `given` are all options as they were given.
    /// Reenters: what the function depends on, imports.
    pub fn open(
        function: Borrowed<'_>,
        options: &mut Options,
        given: Borrowed<'_>,
        bound: Bound,
    ) -> Result<Option<Self>> {
        match options.shared.take() {
            // Without entries there is nothing to share.
            Some(shared) if bound != Bound::Off => {
                region::open(function, shared, given, bound).map(Self::Region).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The objects that it holds, for the collector.
    pub fn held(&self) -> impl Iterator<Item = &Owned> {
        with_tier!(self, |tier| &tier.serializer).iter().flat_map(|serializer| serializer.held())
    }

    /// Gives it up, and hands out what [`Self::held`] shows.
    pub fn into_held(self) -> impl Iterator<Item = Owned> {
        with_tier!(self, |tier| tier.serializer).into_iter().flat_map(|serializer| serializer.into_held())
    }

    /// Drops the entries and zeroes the counts.
    pub fn clear(&self) -> Result<()> {
        with_tier!(self, |tier| clear(tier))
    }

    /// Hits, misses and entries, of all who share it.
    pub fn summary(&self) -> [u64; 3] {
        with_tier!(self, |tier| tier.source.summary())
    }

    /// All that is counted of every cache.
    pub fn counts(&self) -> Counts {
        with_tier!(self, |tier| tier.source.counts())
    }

    /// What `cache_stats()` returns.
    pub fn stats(&self) -> Result<Owned> {
        with_tier!(self, |tier| tier.source.stats())
    }

    /// Counts something.
    pub fn count(&self, event: Event) {
        with_tier!(self, |tier| tier.count(event));
    }

    /// Gives back the claim to make a stale entry anew.
    pub fn give_up_refresh(&self, version: Words) {
        with_tier!(self, |tier| tier.backend().give_up_refresh(version.into()));
    }

    /// Ends a lease.
    pub fn end_lease(&self, lease: Words) {
        with_tier!(self, |tier| tier.backend().end_lease(lease.into()));
    }
}

fn clear<S: Source>(tier: &Tiered<S>) -> Result<()> {
    tier.backend().clear(&source::Detached).map_err(S::raised)
}
