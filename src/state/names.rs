//! Names that are looked up often.

use crate::ffi::{Owned, Result, compat, object};

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
            assignments: assignments.map(|name| object::interned(name)).collect::<Result<_>>()?,
            wrapped: object::interned(c"__wrapped__")?,
            dict: object::interned(c"__dict__")?,
            qualname: object::interned(c"__qualname__")?,
            maxsize: object::interned(c"maxsize")?,
            typed: object::interned(c"typed")?,
        })
    }
}
