//! `PyLongObject` from 3.12 on: `lv_tag` holds the count of digits above three bits, two of which are the sign
//! (Include/cpython/longintrepr.h). The third is free in 3.12 and 3.13, and marks immortal small integers later.

use pyo3_ffi as py;

const SIGN_BITS: usize = 3;
const SIGN_MASK: usize = 3;
const ZERO: usize = 1;
const IMMORTAL: usize = 4;

/// An exact `int`, laid open.
#[repr(C)]
pub struct IntLayout {
    ob_base: py::PyObject,
    lv_tag: usize,
    ob_digit: [u32; 1],
}

impl IntLayout {
    /// How many digits of 30 bits.
    #[inline(always)]
    pub const fn digits(&self) -> usize {
        self.lv_tag >> SIGN_BITS
    }

    /// -1, 0 or 1.
    #[inline(always)]
    pub const fn sign(&self) -> i64 {
        1 - (self.lv_tag & SIGN_MASK) as i64
    }

    /// The first digit, the lowest. That of zero means nothing.
    #[inline(always)]
    pub const fn digit(&self) -> *const u32 {
        self.ob_digit.as_ptr()
    }
}

/// The value, if it is positive and has one digit. For the path where zero may go another way.
#[inline(always)]
pub fn small_positive(int: &IntLayout) -> Option<u32> {
    // Nothing but these bits is set.
    (int.lv_tag & !(1 << SIGN_BITS | IMMORTAL) == 0).then_some(int.ob_digit[0])
}

/// The value, if it is at least zero and has one digit.
#[inline(always)]
pub fn small_natural(int: &IntLayout) -> Option<u32> {
    // Zero has its sign, and a digit that means nothing.
    small_positive(int).or_else(|| (int.lv_tag & !IMMORTAL == ZERO).then_some(0))
}
