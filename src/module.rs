//! The module `tamis._core`: initialised in phases (PEP 489), with all its state in the module, so that each
//! interpreter of a process has its own.

use crate::ffi::method_table::{Table, methods, with_one_argument, without_arguments};
use crate::ffi::sync::{self, FREE_THREADED};
use crate::ffi::{Borrowed, Owned, Raised, Result, build, clock, compat, layouts};
use crate::py::tier::{admin, remote};
use crate::py::{capsule, codec, decorators, types};
use crate::state::{self, MODULE_NAME, State};
use pyo3_ffi as py;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

/// The version, from Cargo.toml.
const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("a version has no zero bytes"),
};

/// The memory that CPython keeps for the state, which holds null until `module_exec` is through. Null before it was made.
///
/// # Safety
/// A module that was made from [`DEFINITION`], as the slots of that get it. Others are for [`State::of_module`].
unsafe fn state_place(module: *mut py::PyObject) -> *mut *mut State {
    // SAFETY: a module of ours.
    unsafe { py::PyModule_GetState(module) }.cast()
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn module_exec(module: *mut py::PyObject) -> c_int {
    // SAFETY: the slot's own argument.
    let borrowed = unsafe { Borrowed::from_ptr(module) };
    sync::prepare();
    clock::prepare();
    let filled = require_layouts().and_then(|()| State::new(types::make(borrowed)?)).and_then(|state| {
        types::named(&state.types).into_iter().try_for_each(|(name, kind)| add(borrowed, name, kind.clone()))?;
        add(borrowed, c"BUILD", build_facts()?)?;
        add(borrowed, c"_C_API", capsule::new()?)?;
        add(borrowed, c"__version__", build::interned(VERSION)?)?;
        Ok(state)
    });
    let Ok(state) = filled else { return -1 };
    // SAFETY: the slot's own argument.
    let place = unsafe { state_place(module) };
    // SAFETY: the memory is there before the exec slots run.
    unsafe { place.write(Box::into_raw(Box::new(state))) };
    0
}

fn require_layouts() -> Result<()> {
    if !layouts::int_layout_holds()? {
        return Err(Raised::type_error(c"tamis needs a Python whose int has digits of 30 bits"));
    }
    if !layouts::str_layout_holds()? {
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
            build::boolean(FREE_THREADED).as_ptr(),
        )
    };
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Owned::from_call(facts) }
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn module_traverse(module: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: the slot's own argument.
    let place = unsafe { state_place(module) };
    // SAFETY: the memory of the state, which holds null or a `State`; before it was made there is none.
    let Some(&state) = (unsafe { place.as_ref() }) else { return 0 };
    // SAFETY: as above.
    let Some(state) = (unsafe { state.as_ref() }) else { return 0 };
    // SAFETY: the collector's own function and argument, and a live object.
    state.visit(|object| unsafe { visit(object.as_ptr(), arg) })
}

/// # Safety
/// CPython's call, with an object of the type, or the module, and with the arguments that the table names.
unsafe extern "C" fn module_free(module: *mut c_void) {
    // SAFETY: the slot's own argument.
    let place = unsafe { state_place(module.cast()) };
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

methods! {
    Borrowed<'_>:
    on_death = |module; callable| State::of_module(module).map(|state| {
        state.set_on_death((!callable.is_none()).then(|| callable.to_owned()));
        build::none()
    });
}

methods! {
    Borrowed<'_>:
    caches = |module| State::of_module(module).and_then(|state| {
        let caches = state.registry.live()?;
        let mut list = build::Filling::new(caches.len(), true)?;
        caches.into_iter().for_each(|cache| list.push(cache));
        Ok(list.done())
    });
}

const CACHES: py::PyMethodDef = without_arguments(
    c"caches",
    caches,
    c"caches($module, /)\n--\n\nThe live caches that decorators have made in this interpreter, in the order of their making: a list.\n\n\
        A cached_method is one, and not the cache of each instance.",
);

const ON_DEATH: py::PyMethodDef = with_one_argument(
    c"_on_death",
    on_death,
    c"Have a callable told of each cached function that dies: its id, and its last cache_stats().",
);

static FUNCTIONS: Table<py::PyMethodDef, 18> = {
    let [lru_cache, cache, cached_method] = decorators::FUNCTIONS;
    let [dumps, canonical, loads, key, call, encode, decode] = codec::functions::FUNCTIONS;
    let [list, entries, clear, remove] = admin::FUNCTIONS;
    let [spans, watch] = remote::functions::FUNCTIONS;
    Table::new([
        lru_cache,
        cache,
        cached_method,
        ON_DEATH,
        CACHES,
        dumps,
        canonical,
        loads,
        key,
        call,
        encode,
        decode,
        list,
        entries,
        clear,
        remove,
        spans,
        watch,
    ])
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

static DEFINITION: Tables<py::PyModuleDef> = Tables(std::cell::UnsafeCell::new(py::PyModuleDef {
    m_base: py::PyModuleDef_HEAD_INIT,
    m_name: MODULE_NAME.as_ptr(),
    m_doc: c"The compiled part of tamis.".as_ptr(),
    m_size: size_of::<*mut State>() as py::Py_ssize_t,
    m_methods: FUNCTIONS.as_ptr(),
    m_slots: SLOTS.0.get().cast(),
    m_traverse: Some(module_traverse),
    m_clear: None,
    m_free: Some(module_free),
}));

/// What `import tamis._core` calls, and what `PyImport_AppendInittab` takes.
#[allow(non_snake_case, reason = "CPython looks for this name")]
#[unsafe(no_mangle)]
pub extern "C" fn PyInit__core() -> *mut py::PyObject {
    state::set_definition(DEFINITION.0.get());
    // SAFETY: a whole, static definition.
    unsafe { py::PyModuleDef_Init(DEFINITION.0.get()) }
}
