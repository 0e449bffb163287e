//! What makes bytes of any objects: pickle, or the user's serializer.

use crate::ffi::{Borrowed, Owned, Result, build};

/// Two callables, `dumps(obj) -> bytes` and `loads(bytes) -> obj`.
pub struct Serializer {
    /// `dumps`
    pub dumps: Owned,
    /// `loads`
    pub loads: Owned,
}

impl Serializer {
    /// Of an object, or of a module, that has both. Reenters: its attributes.
    pub fn of(object: Borrowed<'_>) -> Result<Self> {
        let dumps = object.attr(build::interned(c"dumps")?.borrow())?;
        Ok(Self { dumps, loads: object.attr(build::interned(c"loads")?.borrow())? })
    }

    /// Whether both can be called.
    pub fn is_callable(&self) -> bool {
        self.dumps.borrow().is_callable() && self.loads.borrow().is_callable()
    }

    /// The objects that it holds, for the collector.
    pub fn held(&self) -> [&Owned; 2] {
        [&self.dumps, &self.loads]
    }

    /// The same, handed out.
    pub fn into_held(self) -> [Owned; 2] {
        [self.dumps, self.loads]
    }
}
