//! Types of the standard library that tamis knows by their slots and functions, once their module is there: nothing is imported for
//! this, and a class of a program is never taken for one of them.
//!
//! What is known is of the process. Slots are addresses in extension modules, which are never unloaded; the few objects are kept for
//! ever.

use super::compat::{DecimalParts, lookup_in_type};
use super::{Borrowed, Owned, Result, build, call};
use pyo3_ffi as py;
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// The `tp_richcompare` of a C type; 0 as long as it is not known.
pub struct KnownSlot(AtomicUsize);

impl KnownSlot {
    const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Whether it is this slot.
    #[inline(always)]
    pub fn is(&self, slot: usize) -> bool {
        // Relaxed: a number alone, which is written once.
        self.0.load(Ordering::Relaxed) == slot
    }

    fn learn(&self, slot: usize) {
        self.0.store(slot, Ordering::Relaxed);
    }
}

/// `datetime.date`
pub static DATE: KnownSlot = KnownSlot::new();
/// `datetime.time`
pub static TIME: KnownSlot = KnownSlot::new();
/// `datetime.datetime`
pub static DATETIME: KnownSlot = KnownSlot::new();
/// `datetime.timedelta`
pub static TIMEDELTA: KnownSlot = KnownSlot::new();
/// `decimal.Decimal`
pub static DECIMAL: KnownSlot = KnownSlot::new();

/// Classes that compare in Python code: all of them have one slot.
pub static PYTHON: KnownSlot = KnownSlot::new();

/// So many slots are remembered that belong to none of these.
const REMEMBERED: usize = 16;
static OTHERS: [AtomicUsize; REMEMBERED] = [const { AtomicUsize::new(0) }; REMEMBERED];
static NEXT_OTHER: AtomicUsize = AtomicUsize::new(0);

/// The `tp_richcompare` of an object's type, as a number. 0 if it has none.
#[inline(always)]
pub fn richcompare_of(object: Borrowed<'_>) -> usize {
    // SAFETY: a live object's type is live.
    unsafe { (*object.type_ptr()).tp_richcompare }.map_or(0, |slot| slot as usize)
}

/// Objects of this one's type are compared, and nothing is known of it: looks once whether it is one of those. Reenters: nothing, unless
/// a program has put a mapping of its own in the place of `sys.modules`.
#[inline]
pub fn meet(object: Borrowed<'_>) {
    let slot = richcompare_of(object);
    if PYTHON.is(slot) {
        return;
    }
    let is_known = [&DATE, &TIME, &DATETIME, &TIMEDELTA, &DECIMAL].iter().any(|known| known.is(slot));
    // Relaxed: numbers alone.
    if !is_known && OTHERS.iter().all(|other| other.load(Ordering::Relaxed) != slot) {
        look_up(object, slot);
    }
}

#[cold]
#[inline(never)]
fn look_up(object: Borrowed<'_>, slot: usize) {
    // SAFETY: an interned string.
    let function = build::interned(c"__eq__").map(|name| unsafe { lookup_in_type(object.type_ptr(), name.as_ptr()) });
    match function {
        // A class that inherits from a C type whose comparison it has no share in, has that type's slot.
        Ok(Some(function)) if function.borrow().type_ptr() == &raw mut py::PyFunction_Type => PYTHON.learn(slot),
        Ok(_) => look_up_in_modules(slot),
        Err(raised) => drop(raised.take()),
    }
}

fn look_up_in_modules(slot: usize) {
    let found = learn_datetime(slot).and_then(|found| Ok(found || learn_decimal(slot)?));
    if let Ok(false) = found {
        // Relaxed: numbers alone.
        let place = NEXT_OTHER.fetch_add(1, Ordering::Relaxed) % REMEMBERED;
        OTHERS[place].store(slot, Ordering::Relaxed);
    }
    if let Err(raised) = found {
        drop(raised.take());
    }
}

/// A type of an extension module, if the module is imported and has it under this name.
fn type_of(module: &CStr, name: &CStr) -> Result<Option<Owned>> {
    let Some(module) = call::imported(module)? else { return Ok(None) };
    let found = match module.borrow().attr(build::interned(name)?.borrow()) {
        Ok(found) => found,
        Err(raised) => return raised.unless_attribute_error().map(|()| None),
    };
    // SAFETY: a live object.
    if unsafe { py::PyType_Check(found.as_ptr()) } == 0 {
        return Ok(None);
    }
    // SAFETY: a live type.
    let flags = unsafe { py::PyType_GetFlags(found.as_ptr().cast()) };
    // A class of a program is of the heap, and can be changed.
    let is_of_c = flags & py::Py_TPFLAGS_HEAPTYPE == 0 || flags & py::Py_TPFLAGS_IMMUTABLETYPE != 0;
    Ok(is_of_c.then_some(found))
}

fn slot_of_type(kind: &Owned) -> usize {
    // SAFETY: a live type, as `type_of` says.
    unsafe { (*kind.as_ptr().cast::<py::PyTypeObject>()).tp_richcompare }.map_or(0, |slot| slot as usize)
}

fn learn_datetime(slot: usize) -> Result<bool> {
    let mut found = false;
    for (known, name) in [(&DATE, c"date"), (&TIME, c"time"), (&DATETIME, c"datetime"), (&TIMEDELTA, c"timedelta")] {
        if let Some(kind) = type_of(c"_datetime", name)?
            && slot_of_type(&kind) == slot
        {
            known.learn(slot);
            found = true;
        }
    }
    Ok(found)
}

fn learn_decimal(slot: usize) -> Result<bool> {
    let Some(kind) = type_of(c"_decimal", c"Decimal")? else { return Ok(false) };
    if slot_of_type(&kind) != slot {
        return Ok(false);
    }
    let sample = call::with(kind.borrow(), &[build::string("-12.5")?.borrow()])?;
    // SAFETY: an object of this type.
    let is_so =
        sample.borrow().type_ptr().cast() == kind.as_ptr() && unsafe { DecimalParts::are_read(sample.borrow()) };
    if is_so {
        DECIMAL.learn(slot);
    }
    Ok(is_so)
}

/// `enum.EnumType`, the function `enum.Enum.__hash__`, and the name of what it hashes, of the first interpreter that has them.
struct Enums {
    metaclass: AtomicPtr<py::PyObject>,
    hash: AtomicPtr<py::PyObject>,
    name: AtomicPtr<py::PyObject>,
    hash_name: AtomicPtr<py::PyObject>,
    looked: AtomicU32,
}

static ENUMS: Enums = Enums {
    metaclass: AtomicPtr::new(ptr::null_mut()),
    hash: AtomicPtr::new(ptr::null_mut()),
    name: AtomicPtr::new(ptr::null_mut()),
    hash_name: AtomicPtr::new(ptr::null_mut()),
    looked: AtomicU32::new(0),
};

/// So often an object with a metaclass makes us look whether `enum` is imported by now.
const MOST_LOOKS: u32 = 64;

/// What a member of an enumeration hashes: its name, if its class has the hash of `enum.Enum`. Runs no Python code.
#[inline]
pub fn hashed_name_of_member(object: Borrowed<'_>) -> Option<Owned> {
    let kind = object.type_ptr().cast::<py::PyObject>();
    // SAFETY: a live object's type is live.
    let metaclass = unsafe { py::Py_TYPE(kind) }.cast::<py::PyObject>();
    if metaclass == (&raw mut py::PyType_Type).cast() {
        return None;
    }
    // Acquire: pairs with the Release store in `look_for_enums`, before which the others are written.
    let known = ENUMS.metaclass.load(Ordering::Acquire);
    if known != metaclass {
        if known.is_null() && ENUMS.looked.fetch_add(1, Ordering::Relaxed) < MOST_LOOKS {
            look_for_enums();
        }
        return None;
    }
    // SAFETY: a type and an interned string; found without a call of Python code, along the classes that it inherits from.
    let hash = unsafe { lookup_in_type(kind.cast(), ENUMS.hash_name.load(Ordering::Relaxed)) }?;
    if hash.as_ptr() != ENUMS.hash.load(Ordering::Relaxed) {
        return None;
    }
    // SAFETY: a live type.
    let getattro = unsafe { (*object.type_ptr()).tp_getattro }.map_or(0, |slot| slot as usize);
    if getattro != py::PyObject_GenericGetAttr as *const () as usize {
        return None;
    }
    // SAFETY: a live object of a type whose attributes are found in the usual way, and a string.
    let name = unsafe { py::PyObject_GenericGetAttr(object.as_ptr(), ENUMS.name.load(Ordering::Relaxed)) };
    // SAFETY: a new reference, or null with an exception set.
    match unsafe { Owned::from_call(name) } {
        Ok(name) => Some(name),
        Err(raised) => {
            drop(raised.take());
            None
        }
    }
}

#[cold]
#[inline(never)]
fn look_for_enums() {
    if let Err(raised) = learn_enums() {
        drop(raised.take());
    }
}

fn learn_enums() -> Result<()> {
    let Some(module) = call::imported(c"enum")? else { return Ok(()) };
    let class = module.borrow().attr(build::interned(c"Enum")?.borrow())?;
    let (name, hash_name) = (build::interned(c"_name_")?, build::interned(c"__hash__")?);
    // SAFETY: a live object.
    if unsafe { py::PyType_Check(class.as_ptr()) } == 0 {
        return Ok(());
    }
    // SAFETY: a type and an interned string.
    let Some(hash) = (unsafe { lookup_in_type(class.as_ptr().cast(), hash_name.as_ptr()) }) else {
        return Ok(());
    };
    let function = &raw mut py::PyFunction_Type;
    let of_module = build::interned(c"__module__")?;
    if hash.borrow().type_ptr() != function
        || super::read::text(hash.borrow().attr(of_module.borrow())?.borrow())? != "enum"
    {
        return Ok(());
    }
    // SAFETY: a live type.
    let metaclass = unsafe { py::Py_TYPE(class.as_ptr()) };
    // SAFETY: a live object's type is live.
    let metaclass = unsafe { Borrowed::from_ptr(metaclass.cast()) }.to_owned();
    if ENUMS.looked.swap(MOST_LOOKS, Ordering::Relaxed) > MOST_LOOKS {
        return Ok(());
    }
    // Kept for ever: no other object is ever at these addresses.
    ENUMS.hash.store(hash.into_ptr(), Ordering::Relaxed);
    ENUMS.name.store(name.into_ptr(), Ordering::Relaxed);
    ENUMS.hash_name.store(hash_name.into_ptr(), Ordering::Relaxed);
    // Release: see `hashed_name_of_member`.
    ENUMS.metaclass.store(metaclass.into_ptr(), Ordering::Release);
    Ok(())
}
