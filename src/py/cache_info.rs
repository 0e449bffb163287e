//! `CacheInfo`.

use crate::ffi::{Owned, Result, call};
use crate::state::State;

/// `CacheInfo(hits, misses, maxsize, currsize)`. The class is made by Python on first use: see `tamis/_info.py`.
/// Reenters then: an import.
pub fn cache_info(state: &State, fields: [Owned; 4]) -> Result<Owned> {
    let class = state.cache_info_class.get()?;
    call::with(class, &fields.each_ref().map(Owned::borrow))
}
