//! The module `tamis._core`: initialised in phases (PEP 489), with all its state in the module, so that each
//! interpreter of a process has its own.

use crate::ffi::sync::{self, FREE_THREADED};
use crate::ffi::{Borrowed, Owned, Raised, Result, clock, compat, exact, object};
use crate::py::codec::{self, Serializer};
use crate::py::libraries::Libraries;
use crate::py::task_flight::{self, Waits};
use crate::py::threads::Threads;
use crate::py::{awaitable, bound, capsule, decorator, entry, flight, mapping, method, regions, wrapper};
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The version, from Cargo.toml.
const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("a version has no zero bytes"),
};

/// Names that are looked up often, interned.
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

/// What one interpreter's copy of the module holds.
pub struct State {
    /// The type of cached functions.
    pub wrapper_type: Owned,
    /// The type of cached coroutine functions.
    pub coroutine_wrapper_type: Owned,
    /// The type of what caches with options keep.
    pub entry_type: Owned,
    /// The type of what hits of coroutine functions return.
    pub ready_type: Owned,
    /// The type of what their other calls return.
    pub coroutine_type: Owned,
    /// The type of computations that tasks wait for.
    pub task_flight_type: Owned,
    /// The type of what contexts remember of these.
    pub led_type: Owned,
    /// Held by tasks that are about to wait.
    pub task_waits: Waits,
    /// The type of cached methods.
    pub method_type: Owned,
    /// The type of cached methods that are coroutine functions.
    pub coroutine_method_type: Owned,
    /// The type of what their references to instances call.
    pub forget_type: Owned,
    /// The type of cached functions and cached methods on an instance.
    pub bound_method_type: Owned,
    /// The type of functions on an instance that they don't keep alive.
    pub weak_method_type: Owned,
    /// The type of class methods that cached methods are made from.
    class_method_type: Owned,
    /// The type of computations that threads wait for.
    pub flight_type: Owned,
    /// The type that `tamis.SieveCache` is made of.
    mapping_type: Owned,
    /// Keys of dicts that shared caches have decoded.
    pub dict_names: codec::Names,
    /// Interned names.
    pub names: Names,
    /// What other libraries were told.
    pub libraries: Libraries,
    /// How threads wait.
    pub threads: Threads,
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
    on_death: Mutex<Option<Shared<Owned>>>,
    /// The functions of `pickle`, once a shared cache needed them.
    pickle: OnceLock<Shared<Serializer>>,
}

/// A name of one of our modules, imported when it is first asked for.
pub struct Imported {
    module: &'static CStr,
    name: &'static CStr,
    object: OnceLock<Shared<Owned>>,
}

impl Imported {
    const fn new(module: &'static CStr, name: &'static CStr) -> Self {
        Self { module, name, object: OnceLock::new() }
    }

    /// The object. Reenters on first use: an import.
    pub fn get(&self) -> Result<Borrowed<'_>> {
        if self.object.get().is_none() {
            let object = object::import(self.module, self.name)?;
            // Not `get_or_init`, whose lock would be held during the import. Whoever comes second drops their own.
            drop(self.object.set(Shared(object)));
        }
        match self.object.get() {
            Some(Shared(object)) => Ok(object.borrow()),
            None => Err(Raised::type_error(c"a part of tamis could not be imported")),
        }
    }
}

/// A reference that any thread of its interpreter may use.
struct Shared<T>(T);

// SAFETY: references are made and given back by attached threads alone.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl State {
    fn new(module: Borrowed<'_>) -> Result<Self> {
        let names = Names {
            assignments: compat::WRAPPER_ASSIGNMENTS
                .iter()
                .map(|name| object::interned(name))
                .collect::<Result<_>>()?,
            wrapped: object::interned(c"__wrapped__")?,
            dict: object::interned(c"__dict__")?,
            qualname: object::interned(c"__qualname__")?,
            maxsize: object::interned(c"maxsize")?,
            typed: object::interned(c"typed")?,
        };
        Ok(Self {
            wrapper_type: wrapper::make_type(module)?,
            coroutine_wrapper_type: wrapper::make_coroutine_type(module)?,
            ready_type: awaitable::make_type(module)?,
            coroutine_type: wrapper::make_coroutine_call_type(module)?,
            task_flight_type: task_flight::make_type(module)?,
            led_type: task_flight::make_led_type(module)?,
            task_waits: Waits::default(),
            method_type: method::make_type(module)?,
            coroutine_method_type: method::make_coroutine_type(module)?,
            forget_type: method::make_forget_type(module)?,
            bound_method_type: bound::make_type(module)?,
            weak_method_type: bound::make_weak_type(module)?,
            class_method_type: bound::make_class_type(module)?,
            entry_type: entry::make_type(module)?,
            flight_type: flight::make_type(module)?,
            mapping_type: mapping::make_type(module)?,
            dict_names: codec::Names::new(),
            names,
            libraries: Libraries::new()?,
            threads: Threads::new()?,
            cache_info_class: Imported::new(c"tamis._info", c"CacheInfo"),
            leading: Imported::new(c"tamis._async", c"_leading"),
            wake: Imported::new(c"tamis._async", c"wake"),
            awaiting: Imported::new(c"tamis._async", c"awaiting"),
            origin_depth: object::import(c"sys", c"get_coroutine_origin_tracking_depth")?,
            pickle_key: Imported::new(c"tamis._pickled", c"dumps"),
            on_death: Mutex::new(None),
            pickle: OnceLock::new(),
        })
    }

    /// The state of this module object.
    pub fn of_module(module: Borrowed<'_>) -> Result<&State> {
        // SAFETY: a live object; null if it is no module of ours.
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

    /// What is told of cached functions that die, if anything.
    pub fn on_death(&self) -> Option<Owned> {
        let held = self.on_death.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map(|Shared(callable)| callable.clone())
    }

    /// Has this callable told of cached functions that die: of the address, and what `cache_stats()` would return. Reenters:
    /// finalizers of the one before.
    pub fn set_on_death(&self, callable: Option<Owned>) {
        let mut held = self.on_death.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *held, callable.map(Shared));
        drop(held);
        drop(before);
    }

    /// The functions of `pickle`. Reenters on first use: an import.
    pub fn pickle(&self) -> Result<&Serializer> {
        if self.pickle.get().is_none() {
            // As in `Imported::get`.
            drop(self.pickle.set(Shared(Serializer::of(object::module(c"pickle")?.borrow())?)));
        }
        match self.pickle.get() {
            Some(Shared(pickle)) => Ok(pickle),
            None => Err(Raised::type_error(c"pickle could not be imported")),
        }
    }
}

/// The memory that CPython keeps for the state, which holds null until `module_exec` is through. Null before it was made.
fn state_place(module: *mut py::PyObject) -> *mut *mut State {
    // SAFETY: a live object; null if it is no module of ours.
    unsafe { py::PyModule_GetState(module) }.cast()
}

unsafe extern "C" fn module_exec(module: *mut py::PyObject) -> c_int {
    // SAFETY: the slot's own argument.
    let borrowed = unsafe { Borrowed::from_ptr(module) };
    sync::prepare();
    clock::prepare();
    let filled = require_layouts().and_then(|()| State::new(borrowed)).and_then(|state| {
        add(borrowed, c"lru_cache_wrapper", state.wrapper_type.clone())?;
        add(borrowed, c"async_lru_cache_wrapper", state.coroutine_wrapper_type.clone())?;
        add(borrowed, c"cached_method_wrapper", state.method_type.clone())?;
        add(borrowed, c"async_cached_method_wrapper", state.coroutine_method_type.clone())?;
        add(borrowed, c"bound_method", state.bound_method_type.clone())?;
        add(borrowed, c"class_method", state.class_method_type.clone())?;
        add(borrowed, c"SieveCacheBase", state.mapping_type.clone())?;
        add(borrowed, c"BUILD", build_facts()?)?;
        add(borrowed, c"_C_API", capsule::new()?)?;
        add(borrowed, c"__version__", object::interned(VERSION)?)?;
        Ok(state)
    });
    let Ok(state) = filled else { return -1 };
    let place = state_place(module);
    // SAFETY: the memory is there before the exec slots run.
    unsafe { place.write(Box::into_raw(Box::new(state))) };
    0
}

/// This interpreter's copy of the module. Reenters: the import, and what stands in the place of `__import__`.
pub fn imported() -> Result<Owned> {
    // SAFETY: a terminated string.
    let pointer = unsafe { py::PyImport_ImportModule(DEFINITION_NAME.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    let module = unsafe { Owned::from_call(pointer) }?;
    // SAFETY: a live object. Null for a module that was not made from a definition, and with an exception if it is none.
    let definition = unsafe { py::PyModule_GetDef(module.as_ptr()) };
    if definition == DEFINITION.0.get() {
        return Ok(module);
    }
    // What is wrong is said in other words.
    // SAFETY: an attached thread.
    unsafe { py::PyErr_Clear() };
    Err(Raised::type_error(c"something else stands in the place of tamis._core in sys.modules"))
}

fn require_layouts() -> Result<()> {
    if !exact::int_layout_holds()? {
        return Err(Raised::type_error(c"tamis needs a Python whose int has digits of 30 bits"));
    }
    if !exact::str_layout_holds()? {
        return Err(Raised::type_error(c"tamis does not know how this Python lays out its str"));
    }
    Ok(())
}

fn add(module: Borrowed<'_>, name: &CStr, value: Owned) -> Result<()> {
    // SAFETY: a live module, a terminated string and a live object, of which the call takes its own reference.
    match unsafe { py::PyModule_AddObjectRef(module.as_ptr(), name.as_ptr(), value.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Raised::by_callee()),
    }
}

/// How this file was built: what the benchmarks and the tests want to be sure of.
fn build_facts() -> Result<Owned> {
    let profile = if cfg!(debug_assertions) { c"debug" } else { c"release" };
    let index = if cfg!(feature = "hashbrown-index") { c"hashbrown" } else { c"words" };
    // SAFETY: the format takes six strings, and one with an object, in this order.
    let facts = unsafe {
        py::Py_BuildValue(
            c"{s:s,s:s,s:s,s:O}".as_ptr(),
            c"profile".as_ptr(),
            profile.as_ptr(),
            c"index".as_ptr(),
            index.as_ptr(),
            c"lock".as_ptr(),
            sync::lock_mode().as_ptr(),
            c"free_threaded".as_ptr(),
            object::boolean(FREE_THREADED).as_ptr(),
        )
    };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(facts) }
}

unsafe extern "C" fn module_traverse(module: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: a module of ours, whose memory holds null or a `State`; before it was made there is none.
    let Some(&state) = (unsafe { state_place(module).as_ref() }) else { return 0 };
    // SAFETY: as above.
    let Some(state) = (unsafe { state.as_ref() }) else { return 0 };
    let imported = [&state.cache_info_class, &state.leading, &state.wake, &state.awaiting, &state.pickle_key]
        .map(|name| name.object.get());
    let types = [
        &state.wrapper_type,
        &state.coroutine_wrapper_type,
        &state.method_type,
        &state.coroutine_method_type,
        &state.forget_type,
        &state.bound_method_type,
        &state.weak_method_type,
        &state.class_method_type,
        &state.entry_type,
        &state.flight_type,
        &state.ready_type,
        &state.coroutine_type,
        &state.task_flight_type,
        &state.led_type,
        &state.origin_depth,
        &state.mapping_type,
    ];
    // Nobody is inside the lock while the collector runs.
    let on_death = state.on_death.try_lock().ok();
    let on_death = on_death.as_ref().and_then(|held| held.as_ref());
    let pickle = state.pickle.get().into_iter().flat_map(|Shared(pickle)| pickle.held());
    for object in types
        .into_iter()
        .chain(state.libraries.held())
        .chain([state.threads.held()])
        .chain(imported.into_iter().flatten().chain(on_death).map(|Shared(object)| object))
        .chain(pickle)
    {
        // SAFETY: the collector's own function and argument, and a live object.
        let stop = unsafe { visit(object.as_ptr(), arg) };
        if stop != 0 {
            return stop;
        }
    }
    0
}

unsafe extern "C" fn module_free(module: *mut c_void) {
    let place = state_place(module.cast());
    if place.is_null() {
        return;
    }
    // SAFETY: the memory of the state: null or a `State`, which nobody uses any more.
    let state = unsafe { ptr::replace(place, ptr::null_mut()) };
    if !state.is_null() {
        // SAFETY: made by `Box::into_raw` in `module_exec`.
        drop(unsafe { Box::from_raw(state) });
    }
}

/// Tables that C reads. It also writes the definition's head, the same from each interpreter, as it does for every
/// extension module.
struct Tables<T>(std::cell::UnsafeCell<T>);

// SAFETY: Rust code never looks inside after the tables were made.
unsafe impl<T> Sync for Tables<T> {}

unsafe extern "C" fn on_death(module: *mut py::PyObject, callable: *mut py::PyObject) -> *mut py::PyObject {
    // SAFETY: a function of the module gets it as its self.
    let state = State::of_module(unsafe { Borrowed::from_ptr(module) });
    // SAFETY: the one argument of a function called with METH_O.
    let callable = unsafe { Borrowed::from_ptr(callable) };
    object::to_slot(state.map(|state| {
        state.set_on_death((!callable.is_none()).then(|| callable.to_owned()));
        object::none()
    }))
}

const ON_DEATH: py::PyMethodDef = py::PyMethodDef {
    ml_name: c"_on_death".as_ptr(),
    ml_meth: py::PyMethodDefPointer { PyCFunction: on_death },
    ml_flags: py::METH_O,
    ml_doc: c"Have a callable told of each cached function that dies: its id, and its last cache_stats().".as_ptr(),
};

static FUNCTIONS: Tables<[py::PyMethodDef; 14]> = {
    let [lru_cache, cache, cached_method] = decorator::FUNCTIONS;
    let [dumps, canonical, loads, key, call] = codec::FUNCTIONS;
    let [list, entries, clear, remove] = regions::FUNCTIONS;
    // SAFETY: a table of C pointers and numbers, for which zero ends the list.
    let end = unsafe { std::mem::zeroed() };
    Tables(std::cell::UnsafeCell::new([
        lru_cache,
        cache,
        cached_method,
        ON_DEATH,
        dumps,
        canonical,
        loads,
        key,
        call,
        list,
        entries,
        clear,
        remove,
        end,
    ]))
};

const SLOT_COUNT: usize = compat::MODULE_SLOTS.len() + 2;

static SLOTS: Tables<[py::PyModuleDef_Slot; SLOT_COUNT]> = {
    let mut slots = [const { py::PyModuleDef_Slot { slot: 0, value: ptr::null_mut() } }; SLOT_COUNT];
    slots[0] = py::PyModuleDef_Slot { slot: py::Py_mod_exec, value: module_exec as *mut c_void };
    let mut at = 0;
    while at < compat::MODULE_SLOTS.len() {
        let py::PyModuleDef_Slot { slot, value } = compat::MODULE_SLOTS[at];
        slots[at + 1] = py::PyModuleDef_Slot { slot, value };
        at += 1;
    }
    Tables(std::cell::UnsafeCell::new(slots))
};

const DEFINITION_NAME: &CStr = c"tamis._core";

static DEFINITION: Tables<py::PyModuleDef> = Tables(std::cell::UnsafeCell::new(py::PyModuleDef {
    m_base: py::PyModuleDef_HEAD_INIT,
    m_name: DEFINITION_NAME.as_ptr(),
    m_doc: c"The compiled part of tamis.".as_ptr(),
    m_size: size_of::<*mut State>() as py::Py_ssize_t,
    m_methods: FUNCTIONS.0.get().cast(),
    m_slots: SLOTS.0.get().cast(),
    m_traverse: Some(module_traverse),
    m_clear: None,
    m_free: Some(module_free),
}));

/// What `import tamis._core` calls, and what `PyImport_AppendInittab` takes.
#[allow(non_snake_case, reason = "CPython looks for this name")]
#[unsafe(no_mangle)]
pub extern "C" fn PyInit__core() -> *mut py::PyObject {
    // SAFETY: a whole, static definition.
    unsafe { py::PyModuleDef_Init(DEFINITION.0.get()) }
}
