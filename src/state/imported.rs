//! What is imported when it is first needed.

use crate::ffi::{Borrowed, Owned, Raised, Result, call};
use std::ffi::CStr;
use std::sync::OnceLock;

/// A name of one of our modules, imported when it is first asked for.
pub struct Imported {
    module: &'static CStr,
    name: &'static CStr,
    object: OnceLock<AnyThread<Owned>>,
}

impl Imported {
    /// Not imported yet.
    pub const fn new(module: &'static CStr, name: &'static CStr) -> Self {
        Self { module, name, object: OnceLock::new() }
    }

    /// The object, if it was asked for.
    pub fn held(&self) -> Option<&Owned> {
        self.object.get().map(|AnyThread(object)| object)
    }

    /// The object. Reenters on first use: an import.
    pub fn get(&self) -> Result<Borrowed<'_>> {
        if self.object.get().is_none() {
            let object = call::import(self.module, self.name)?;
            // Not `get_or_init`, whose lock would be held during the import. Whoever comes second drops their own.
            drop(self.object.set(AnyThread(object)));
        }
        match self.object.get() {
            Some(AnyThread(object)) => Ok(object.borrow()),
            None => Err(Raised::type_error(c"a part of tamis could not be imported")),
        }
    }
}

/// A reference that any thread of its interpreter may use.
pub struct AnyThread<T>(pub T);

// SAFETY: references are made and given back by attached threads alone.
unsafe impl<T> Send for AnyThread<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for AnyThread<T> {}
