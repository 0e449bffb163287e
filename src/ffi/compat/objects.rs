//! Layouts of objects of the standard library's C types, as far as comparisons read them.

use crate::ffi::reference::Borrowed;
use pyo3_ffi as py;
use std::ffi::c_uchar;

/// Whether two `datetime.datetime` have the very same `tzinfo`, or none.
///
/// # Safety
/// Each object is a `datetime.datetime`, or of a subclass.
#[inline]
pub unsafe fn have_one_zone(a: Borrowed<'_>, b: Borrowed<'_>) -> bool {
    // SAFETY: as the caller says.
    let zone = unsafe { py::PyDateTime_DATE_GET_TZINFO(a.as_ptr()) };
    // SAFETY: as above.
    zone == unsafe { py::PyDateTime_DATE_GET_TZINFO(b.as_ptr()) }
}

/// Whether two `datetime.time` have the very same `tzinfo`, or none.
///
/// # Safety
/// Each object is a `datetime.time`, or of a subclass.
#[inline]
pub unsafe fn times_have_one_zone(a: Borrowed<'_>, b: Borrowed<'_>) -> bool {
    // SAFETY: as the caller says.
    let zone = unsafe { py::PyDateTime_TIME_GET_TZINFO(a.as_ptr()) };
    // SAFETY: as above.
    zone == unsafe { py::PyDateTime_TIME_GET_TZINFO(b.as_ptr()) }
}

/// `PyDecObject` of Modules/_decimal/_decimal.c, up to what is read: the hash, and `mpd_t` of libmpdec.
#[repr(C)]
struct DecimalLayout {
    _ob_base: py::PyObject,
    _hash: py::Py_hash_t,
    flags: c_uchar,
    exponent: isize,
    _digits: isize,
    words: isize,
    _allocated: isize,
    coefficient: *const usize,
}

/// `MPD_NEG`, and `MPD_INF`, `MPD_NAN` and `MPD_SNAN` together, of libmpdec's mpdecimal.h.
const NEGATIVE: c_uchar = 1;
const SPECIAL: c_uchar = 14;

/// A finite `decimal.Decimal`: two with equal parts are equal, and others may be so too.
#[derive(PartialEq, Eq)]
pub struct DecimalParts<'a> {
    negative: bool,
    exponent: isize,
    /// In words of 19 digits, the lowest first.
    coefficient: &'a [usize],
}

impl<'a> DecimalParts<'a> {
    /// Of this object, unless it is infinite or not a number.
    ///
    /// # Safety
    /// The object is a `decimal.Decimal` of `_decimal`, or of a subclass, laid out as [`DecimalParts::are_read`] has seen.
    #[inline]
    pub unsafe fn of(object: Borrowed<'a>) -> Option<Self> {
        // SAFETY: as the caller says; it never changes.
        let decimal = unsafe { &*object.as_ptr().cast::<DecimalLayout>() };
        if decimal.flags & SPECIAL != 0 {
            return None;
        }
        // SAFETY: so many words, which stand as long as the object.
        let coefficient = unsafe { std::slice::from_raw_parts(decimal.coefficient, decimal.words as usize) };
        Some(Self { negative: decimal.flags & NEGATIVE != 0, exponent: decimal.exponent, coefficient })
    }

    /// Whether objects of this type are laid out so, told by one whose value is -12.5.
    ///
    /// # Safety
    /// The object is of the type.
    pub unsafe fn are_read(object: Borrowed<'_>) -> bool {
        // SAFETY: a live object's type is live.
        let size = unsafe { (*object.type_ptr()).tp_basicsize };
        if (size as usize) < size_of::<DecimalLayout>() {
            return false;
        }
        // SAFETY: large enough.
        let decimal = unsafe { &*object.as_ptr().cast::<DecimalLayout>() };
        let is_so = decimal.flags & (SPECIAL | NEGATIVE) == NEGATIVE && decimal.exponent == -1 && decimal.words == 1;
        // SAFETY: one word.
        is_so && unsafe { *decimal.coefficient } == 125
    }
}

/// An item of a set, and its hash.
pub struct SetItem<'a> {
    /// The item.
    pub object: Borrowed<'a>,
    /// Its hash.
    pub hash: py::Py_hash_t,
}

/// The table of a `frozenset`.
#[derive(Clone, Copy)]
pub struct SetTable<'a> {
    entries: &'a [py::setentry],
    /// How many items there are.
    pub len: usize,
}

impl<'a> SetTable<'a> {
    /// Of this object.
    ///
    /// # Safety
    /// The object is exactly a `frozenset`, which never changes.
    #[inline]
    pub unsafe fn of(object: Borrowed<'a>) -> Self {
        // SAFETY: as the caller says.
        let set = unsafe { &*object.as_ptr().cast::<py::PySetObject>() };
        // SAFETY: the table has one place more than the mask says.
        let entries = unsafe { std::slice::from_raw_parts(set.table, set.mask as usize + 1) };
        Self { entries, len: set.used as usize }
    }

    /// How many places there are.
    #[inline]
    pub fn places(self) -> usize {
        self.entries.len()
    }

    /// The item in this place, if there is one.
    #[inline]
    pub fn at(self, place: usize) -> Option<SetItem<'a>> {
        let entry = self.entries.get(place)?;
        if entry.key.is_null() || entry.hash == -1 {
            return None;
        }
        // SAFETY: not null, and held by the set.
        Some(SetItem { object: unsafe { Borrowed::from_ptr(entry.key) }, hash: entry.hash })
    }
}
