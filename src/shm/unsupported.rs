//! Systems without a shared region: only Linux has one. What `mod.rs` exports there, with nothing behind it.

#[allow(dead_code, reason = "much of it is for regions")]
mod types;

use crate::backend::{Backend, Busy, Now, Request, Wait};
use crate::core::atomics::AtomicU64;
use crate::core::clock::Time;
use crate::core::expiry::Terms;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use types::{
    Counters, EntryInfo, FormerOwner, FoundEntry, Lease, LeaseId, LeaseWait, LineUser, Lookup, OpenError, RegionConfig,
    RegionInfo, RegionState, RegionStats, RegionSummary, Stored, Token, Waited,
};

/// There is none.
pub struct Region(Infallible);

/// There is none.
pub struct Line(Infallible);

#[allow(missing_docs, reason = "as in lines.rs")]
impl Line {
    pub fn count(&self, _of: impl FnOnce(&Counters) -> &AtomicU64, _add_alone: impl FnOnce(&AtomicU64)) {
        match self.0 {}
    }
}

#[allow(missing_docs, reason = "as in region.rs")]
impl Region {
    pub const SMALLEST: u64 = 0;

    pub fn open(_dir: &Path, _name: &str, _config: &RegionConfig) -> Result<Arc<Self>, OpenError> {
        Err(OpenError::Unsupported)
    }
    pub fn default_dir() -> Result<PathBuf, OpenError> {
        Err(OpenError::Unsupported)
    }
    pub fn default_path() -> Result<PathBuf, OpenError> {
        Err(OpenError::Unsupported)
    }
    pub fn list(_dir: &Path) -> Result<Option<Vec<RegionInfo>>, OpenError> {
        Err(OpenError::Unsupported)
    }
    pub fn entries(_: &Path, _: &str, _most: usize, _with_values: bool) -> Result<Option<Vec<EntryInfo>>, OpenError> {
        Err(OpenError::Unsupported)
    }
    pub fn open_file(_dir: &Path, _file: &str) -> Result<Option<Arc<Self>>, OpenError> {
        Err(OpenError::Unsupported)
    }
    pub fn remove_file(_dir: &Path, _file: &str) -> Result<bool, OpenError> {
        Err(OpenError::Unsupported)
    }
    pub fn remove(_dir: &Path, _name: &str) -> Result<bool, OpenError> {
        Err(OpenError::Unsupported)
    }
    pub fn config(&self) -> RegionConfig {
        match self.0 {}
    }
    pub fn join(&self, _interpreter: u64) -> LineUser {
        match self.0 {}
    }
    pub fn line(&self, _user: LineUser) -> &Line {
        match self.0 {}
    }
    pub fn stats(&self) -> RegionStats {
        match self.0 {}
    }
}

impl Backend for Region {
    type Version = Token;
    type Lease = LeaseId;
    type LeaseWait = LeaseWait;
    type FormerOwner = FormerOwner;
    type Error = Busy;
    type Stats = RegionStats;
    const MAY_BLOCK: bool = false;

    fn hash(&self, _key: &[u8]) -> u64 {
        match self.0 {}
    }
    fn get(&self, _: Request<'_>, _now: impl Now, _value: &mut Vec<u8>) -> Result<Lookup, Busy> {
        match self.0 {}
    }
    fn stands(&self, _version: Token) -> bool {
        match self.0 {}
    }
    fn touch(&self, _version: Token, _terms: &Terms, _now: Time) -> bool {
        match self.0 {}
    }
    fn contains(&self, _: Request<'_>, _now: Time) -> Result<bool, Busy> {
        match self.0 {}
    }
    fn put(
        &self,
        _: Request<'_>,
        _value: &[u8],
        _: &Terms,
        _now: impl Now,
        _lease: Option<LeaseId>,
        _: &dyn Wait,
    ) -> Result<Stored, Busy> {
        match self.0 {}
    }
    fn remove(&self, _: Request<'_>, _: &dyn Wait) -> Result<bool, Busy> {
        match self.0 {}
    }
    fn clear(&self, _: &dyn Wait) -> Result<(), Busy> {
        match self.0 {}
    }
    fn claim_refresh(&self, _version: Token, _now: Time) -> bool {
        match self.0 {}
    }
    fn give_up_refresh(&self, _version: Token) {
        match self.0 {}
    }
    fn lease(&self, _: Request<'_>, _former: Option<FormerOwner>, _: &dyn Wait) -> Lease {
        match self.0 {}
    }
    fn end_lease(&self, _lease: LeaseId) {
        match self.0 {}
    }
    fn begin_wait(&self, _lease: LeaseId) -> LeaseWait {
        match self.0 {}
    }
    fn wait_lease(&self, _wait: &mut LeaseWait, _at_most: Duration) -> Waited {
        match self.0 {}
    }
    fn look_at_lease(&self, _wait: &mut LeaseWait) -> Waited {
        match self.0 {}
    }
    fn stats(&self) -> Result<RegionStats, Busy> {
        match self.0 {}
    }
}
