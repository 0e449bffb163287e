//! Comparisons of objects whose types compare in C, and cannot run Python code: known by their slot, so that subclasses which inherit it
//! are compared as what they are.

use super::compat::DecimalParts;
use super::exact::{Exact, FrozenSet};
use super::known;
use super::sync::type_flags;
use super::{Borrowed, Raised};
use crate::core::view::Verdict;
use pyo3_ffi as py;
use std::ffi::c_ulong;

/// How objects of a type are compared.
pub enum Like {
    /// As `int`, `str`, `float`, `bytes`, `complex`, `datetime.date` and `datetime.timedelta` are: by their slot.
    BySlot,
    /// As tuples are.
    Tuple,
    /// As frozensets are.
    FrozenSet,
    /// As `datetime.datetime` is.
    DateTime,
    /// As `datetime.time` is.
    Time,
    /// As `decimal.Decimal` is.
    Decimal,
    /// Each equals itself alone.
    Identity,
    /// In a way that may run Python code.
    Other,
}

/// The `tp_richcompare` of a static type, as a number.
macro_rules! slot_of {
    ($type:ident) => {{
        // SAFETY: a field of a static type, which is ready before any extension is imported.
        unsafe { py::$type.tp_richcompare }.map_or(0, |slot| slot as usize)
    }};
}

/// Whether the object is of a built-in type that has this flag, or of a subclass.
#[inline(always)]
pub fn is_of(object: Borrowed<'_>, flag: c_ulong) -> bool {
    // SAFETY: a live object's type is live.
    unsafe { type_flags(object.type_ptr()) & flag != 0 }
}

impl Like {
    /// How objects are compared whose types have this slot, told by one of them.
    #[inline(always)]
    pub fn of(slot: usize, object: Borrowed<'_>) -> Self {
        let is_one_of = |flag| is_of(object, flag);
        if known::DATE.is(slot) || known::TIMEDELTA.is(slot) {
            Self::BySlot
        } else if known::DATETIME.is(slot) {
            Self::DateTime
        } else if known::DECIMAL.is(slot) {
            Self::Decimal
        } else if slot == slot_of!(PyTuple_Type) && is_one_of(py::Py_TPFLAGS_TUPLE_SUBCLASS) {
            Self::Tuple
        } else if slot == slot_of!(PyBaseObject_Type) {
            Self::Identity
        } else if slot == slot_of!(PyLong_Type) && is_one_of(py::Py_TPFLAGS_LONG_SUBCLASS)
            || slot == slot_of!(PyUnicode_Type) && is_one_of(py::Py_TPFLAGS_UNICODE_SUBCLASS)
            || slot == slot_of!(PyBytes_Type) && is_one_of(py::Py_TPFLAGS_BYTES_SUBCLASS)
            || slot == slot_of!(PyFloat_Type)
            || slot == slot_of!(PyComplex_Type)
        {
            Self::BySlot
        } else if Exact::<FrozenSet>::of(object).is_some() {
            Self::FrozenSet
        } else if known::TIME.is(slot) {
            Self::Time
        } else {
            Self::Other
        }
    }
}

/// What the slot of both says, which runs no Python code for them.
pub fn by_slot(stored: Borrowed<'_>, asked: Borrowed<'_>) -> Verdict {
    // SAFETY: a live object's type is live.
    let Some(slot) = (unsafe { (*stored.type_ptr()).tp_richcompare }) else { return Verdict::Ask };
    // SAFETY: the slot of its own type.
    let answer = unsafe { slot(stored.as_ptr(), asked.as_ptr(), py::Py_EQ) };
    if answer.is_null() {
        drop(Raised::by_callee().take());
        return Verdict::Ask;
    }
    // SAFETY: a new reference, to one of three objects that are never freed.
    unsafe { py::Py_DECREF(answer) };
    // SAFETY: set up before any extension is imported.
    if answer == unsafe { py::Py_True() } {
        return Verdict::Same;
    }
    // SAFETY: as above.
    if answer == unsafe { py::Py_False() } { Verdict::Different } else { Verdict::Ask }
}

/// Equal if their parts are, and to be asked if not: 1.0 and 1.00 are equal too.
pub fn compare_decimals(stored: Borrowed<'_>, asked: Borrowed<'_>) -> Verdict {
    // SAFETY: of types that have the slot of `decimal.Decimal`, which was learned where the layout was seen.
    let stored = unsafe { DecimalParts::of(stored) };
    // SAFETY: as above.
    let asked = unsafe { DecimalParts::of(asked) };
    if stored.is_some() && stored == asked { Verdict::Same } else { Verdict::Ask }
}
