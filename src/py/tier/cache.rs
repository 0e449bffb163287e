//! A cache with a tier behind it, as one call sees it.

use crate::ffi::{Borrowed, Result};
use crate::py::cache::Cache;
use crate::py::cache::policy::Policy;
use crate::py::tier::source::{Source, Tiered};
use crate::state::State;

/// A near cache, and what stands behind it.
pub struct TieredCache<'a, S> {
    /// The object that has them: by it the module's state is found.
    pub owner: Borrowed<'a>,
    /// The near cache.
    pub near: &'a Cache,
    /// Its options.
    pub policy: &'a Policy,
    /// What stands behind it.
    pub tier: &'a Tiered<S>,
}

impl<S> Clone for TieredCache<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for TieredCache<'_, S> {}

impl<'a, S: Source> TieredCache<'a, S> {
    /// The module's state.
    pub fn state(&self) -> Result<&'a State> {
        State::of_instance(self.owner)
    }
}
