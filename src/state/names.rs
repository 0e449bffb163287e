//! Names that are looked up often.

use crate::ffi::{Owned, Result, build, compat};

/// Interned strings.
pub struct Names {
    /// What [`compat::WRAPPER_ASSIGNMENTS`] lists.
    pub assignments: Vec<Owned>,
    /// `__wrapped__`
    pub wrapped: Owned,
    /// `__dict__`
    pub dict: Owned,
    /// `__qualname__`
    pub qualname: Owned,
    /// `maxsize`
    pub maxsize: Owned,
    /// `typed`
    pub typed: Owned,
}

impl Names {
    /// Makes them.
    pub fn new() -> Result<Self> {
        let assignments = compat::WRAPPER_ASSIGNMENTS.iter();
        Ok(Self {
            assignments: assignments.map(|name| build::interned(name)).collect::<Result<_>>()?,
            wrapped: build::interned(c"__wrapped__")?,
            dict: build::interned(c"__dict__")?,
            qualname: build::interned(c"__qualname__")?,
            maxsize: build::interned(c"maxsize")?,
            typed: build::interned(c"typed")?,
        })
    }
}
