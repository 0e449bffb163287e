//! What this interpreter's other libraries were told of tamis. Those that do something with functools' caches are told of ours by
//! `tamis/_libraries.py`, once they are imported.

use crate::ffi::{Owned, Result, build, call, compat, thread};
use pyo3_ffi as py;
use std::ffi::CStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Modules that something is told to. `tamis/_libraries.py` has a function for each.
const NAMES: [&CStr; 6] = [
    c"beartype",
    c"cloudpickle",
    c"dill",
    // Copies of cloudpickle.
    c"joblib.externals.cloudpickle",
    c"pyspark.cloudpickle",
    c"ray.cloudpickle",
];

/// What an interpreter knows of other libraries.
pub struct Libraries {
    /// `functools._lru_cache_wrapper`, if there is one that is a type. Found when it is first asked for: importing tamis imports
    /// nothing else.
    class: OnceLock<Option<Owned>>,
    /// Of [`NAMES`].
    names: Vec<Owned>,
    /// A bit for each library that has been told.
    told: AtomicU32,
}

impl Libraries {
    /// Nothing is told to anybody yet.
    pub fn new() -> Result<Self> {
        let names = NAMES.iter().map(|name| build::interned(name)).collect::<Result<_>>()?;
        Ok(Self { class: OnceLock::new(), names, told: AtomicU32::new(0) })
    }

    /// For the collector.
    pub fn held(&self) -> Option<&Owned> {
        self.class.get()?.as_ref()
    }

    /// functools' type of caches, if there is one. Reenters at first: an import of a module that is part of CPython.
    pub fn class(&self) -> Option<&Owned> {
        if self.class.get().is_none() {
            // Outside of the cell, which another thread may be filling: an import may wait for that.
            drop(self.class.set(functools_type()));
        }
        self.held()
    }

    /// Tells those that have been imported since the last time. Whether there was one. Reenters where there is one: an import of
    /// ours, and that library.
    pub fn tell(&self) -> bool {
        // Relaxed: told twice does no harm.
        let told = self.told.load(Ordering::Relaxed);
        // SAFETY: an attached thread; a borrowed reference, or null when the interpreter ends.
        let modules = unsafe { py::PyImport_GetModuleDict() };
        if modules.is_null() || compat::is_finalizing() {
            return false;
        }
        let mut new = 0;
        for (at, name) in self.names.iter().enumerate() {
            // SAFETY: the dict of modules, and a live str.
            if told & (1 << at) == 0 && unsafe { py::PyDict_Contains(modules, name.as_ptr()) } == 1 && tell(name) {
                new |= 1 << at;
            }
        }
        if new != 0 {
            self.told.fetch_or(new, Ordering::Relaxed);
        }
        new != 0
    }
}

/// Whether the library was told. What goes wrong is that library's, or the end of the interpreter: nothing was asked of us. Reenters.
fn tell(name: &Owned) -> bool {
    let mut told = false;
    thread::with_exception_aside(|| {
        let answer = call::import(c"tamis._libraries", c"tell")
            .and_then(|tell| call::with(tell.borrow(), &[name.borrow()])?.borrow().is_true());
        told = answer.unwrap_or_else(|raised| {
            drop(raised.take());
            false
        });
    });
    told
}

fn functools_type() -> Option<Owned> {
    let found = match call::import(c"_functools", c"_lru_cache_wrapper") {
        Ok(found) => found,
        Err(raised) => {
            drop(raised.take());
            return None;
        }
    };
    // SAFETY: a live object.
    (unsafe { py::PyType_Check(found.as_ptr()) } != 0).then_some(found)
}
