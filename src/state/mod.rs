//! What one interpreter's copy of the module keeps.
//!
//! Everything above finds it by an object of ours: [`State::of_instance`], [`State::of_type`], [`State::of_module`].

mod imported;
mod key_strings;
mod libraries;
mod names;
mod registry;
mod serializer;
pub mod threads;
mod types;

use crate::ffi::{Borrowed, Owned, Raised, Result, call};
use imported::AnyThread;
pub use imported::Imported;
pub use key_strings::KeyStrings;
pub use libraries::Libraries;
pub use names::Names;
use pyo3_ffi as py;
pub use registry::Registry;
pub use serializer::Serializer;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use threads::Threads;
pub use types::Types;

/// The definition that all copies of the module are made from: of other modules nothing is asked.
static DEFINITION: AtomicPtr<py::PyModuleDef> = AtomicPtr::new(ptr::null_mut());

/// The name under which the module is imported.
pub const MODULE_NAME: &std::ffi::CStr = c"tamis._core";

/// What one interpreter's copy of the module keeps.
pub struct State {
    /// The types.
    pub types: Types,
    /// Held by tasks that look whether a ring would close, and then wait. No Python code runs meanwhile.
    pub task_waits: Mutex<()>,
    /// Keys of dicts that shared caches have decoded.
    pub key_strings: KeyStrings,
    /// Interned names.
    pub names: Names,
    /// What other libraries were told.
    pub libraries: Libraries,
    /// How threads wait.
    pub threads: Threads,
    /// What decorators have made.
    pub registry: Registry,
    /// `tamis.CacheInfo`
    pub cache_info_class: Imported,
    /// The context variable that says what the running task leads.
    pub leading: Imported,
    /// What wakes tasks that wait.
    pub wake: Imported,
    /// A coroutine that awaits anything.
    pub awaiting: Imported,
    /// `sys.get_coroutine_origin_tracking_depth`
    pub origin_depth: Owned,
    /// What makes the bytes of keys that are of other than built-in types.
    pub pickle_key: Imported,
    /// What is told of cached functions that die. Held for moments in which no Python code runs.
    on_death: Mutex<Option<AnyThread<Owned>>>,
    /// The functions of `pickle`, once a shared cache needed them.
    pickle: OnceLock<AnyThread<Serializer>>,
}

impl State {
    /// With these types. Reenters: imports of modules that are part of CPython.
    pub fn new(types: Types) -> Result<Self> {
        Ok(Self {
            types,
            task_waits: Mutex::new(()),
            key_strings: KeyStrings::new(),
            names: Names::new()?,
            libraries: Libraries::new()?,
            threads: Threads::new()?,
            registry: Registry::new(),
            cache_info_class: Imported::new(c"tamis._info", c"CacheInfo"),
            leading: Imported::new(c"tamis._async", c"_leading"),
            wake: Imported::new(c"tamis._async", c"wake"),
            awaiting: Imported::new(c"tamis._async", c"awaiting"),
            origin_depth: call::import(c"sys", c"get_coroutine_origin_tracking_depth")?,
            pickle_key: Imported::new(c"tamis._pickled", c"dumps"),
            on_death: Mutex::new(None),
            pickle: OnceLock::new(),
        })
    }

    /// The state of this module object, which may be any object: a `TypeError` if it is no copy of our module.
    pub fn of_module(module: Borrowed<'_>) -> Result<&State> {
        // SAFETY: a live object. Null for a module that was not made from a definition, and with an exception if it is none.
        let definition = unsafe { py::PyModule_GetDef(module.as_ptr()) };
        // Relaxed: a number that is compared alone.
        if definition.is_null() || definition != DEFINITION.load(Ordering::Relaxed) {
            // What is wrong is said in other words.
            // SAFETY: an attached thread.
            unsafe { py::PyErr_Clear() };
            return Err(Raised::type_error(c"something else stands in the place of tamis._core in sys.modules"));
        }
        // SAFETY: a module of ours.
        Self::from_ptr(unsafe { py::PyModule_GetState(module.as_ptr()) })
    }

    /// The state of the module that made the object's type.
    pub fn of_instance(object: Borrowed<'_>) -> Result<&State> {
        // SAFETY: a live object's type is live.
        Self::of_type(unsafe { Borrowed::from_ptr(object.type_ptr().cast()) })
    }

    /// The state of the module that made this type.
    pub fn of_type(kind: Borrowed<'_>) -> Result<&State> {
        // SAFETY: a live type; null if no module made it.
        Self::from_ptr(unsafe { py::PyType_GetModuleState(kind.as_ptr().cast()) })
    }

    fn from_ptr<'a>(pointer: *mut c_void) -> Result<&'a State> {
        // SAFETY: the memory of the module's state, which holds a pointer to a `State` or null, and lives as long as
        // the module, which its functions and types hold.
        let state = unsafe { pointer.cast::<*const State>().as_ref() }.map_or(ptr::null(), |state| *state);
        // SAFETY: as above.
        unsafe { state.as_ref() }.ok_or_else(|| Raised::type_error(c"tamis._core is not initialised"))
    }

    /// The objects that it holds, for the collector, while which nothing else runs.
    pub fn visit(&self, mut visit: impl FnMut(&Owned) -> std::ffi::c_int) -> std::ffi::c_int {
        let imported = [&self.cache_info_class, &self.leading, &self.wake, &self.awaiting, &self.pickle_key];
        // Nobody is inside the lock while the collector runs.
        let on_death = self.on_death.try_lock().ok();
        let on_death = on_death.as_ref().and_then(|held| held.as_ref()).map(|AnyThread(callable)| callable);
        let pickle = self.pickle.get().into_iter().flat_map(|AnyThread(pickle)| pickle.held());
        self.types
            .held()
            .into_iter()
            .chain([&self.origin_depth, self.threads.held()])
            .chain(self.libraries.held())
            .chain(imported.into_iter().filter_map(Imported::held))
            .chain(on_death)
            .chain(pickle)
            .map(&mut visit)
            .find(|&stop| stop != 0)
            .unwrap_or(0)
    }

    /// What is told of cached functions that die, if anything.
    pub fn on_death(&self) -> Option<Owned> {
        let held = self.on_death.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map(|AnyThread(callable)| callable.clone())
    }

    /// Has this callable told of cached functions that die: of the address, and what `cache_stats()` would return. Reenters:
    /// finalizers of the one before.
    pub fn set_on_death(&self, callable: Option<Owned>) {
        let mut held = self.on_death.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *held, callable.map(AnyThread));
        drop(held);
        drop(before);
    }

    /// The functions of `pickle`. Reenters on first use: an import.
    pub fn pickle(&self) -> Result<&Serializer> {
        if self.pickle.get().is_none() {
            // As in `Imported::get`.
            drop(self.pickle.set(AnyThread(Serializer::of(call::module(c"pickle")?.borrow())?)));
        }
        match self.pickle.get() {
            Some(AnyThread(pickle)) => Ok(pickle),
            None => Err(Raised::type_error(c"pickle could not be imported")),
        }
    }
}

/// Says which definition the module is made from. There is one in a process.
pub fn set_definition(definition: *mut py::PyModuleDef) {
    // Relaxed: a number alone.
    DEFINITION.store(definition, Ordering::Relaxed);
}

/// This interpreter's copy of the module. Reenters: the import, and what stands in the place of `__import__`.
pub fn imported() -> Result<Owned> {
    // SAFETY: a terminated string.
    let pointer = unsafe { py::PyImport_ImportModule(MODULE_NAME.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let module = unsafe { Owned::from_call(pointer) }?;
    State::of_module(module.borrow())?;
    Ok(module)
}
