//! `PyLongObject` up to 3.11: `ob_size` holds the count of digits, negative for negative numbers
//! (Include/longintrepr.h).

use pyo3_ffi as py;

/// An exact `int`, laid open.
#[repr(C)]
pub struct IntLayout {
    ob_base: py::PyVarObject,
    ob_digit: [u32; 1],
}

impl IntLayout {
    /// How many digits of 30 bits. Zero has none.
    #[inline(always)]
    pub const fn digits(&self) -> usize {
        self.ob_base.ob_size.unsigned_abs()
    }

    /// -1, 0 or 1.
    #[inline(always)]
    pub const fn sign(&self) -> i64 {
        self.ob_base.ob_size.signum() as i64
    }

    /// The first digit, the lowest.
    #[inline(always)]
    pub const fn digit(&self) -> *const u32 {
        self.ob_digit.as_ptr()
    }
}

/// The value, if it is positive and has one digit.
#[inline(always)]
pub fn small_positive(int: &IntLayout) -> Option<u32> {
    (int.ob_base.ob_size == 1).then_some(int.ob_digit[0])
}

/// The same: zero, which has no digit, goes another way everywhere.
#[inline(always)]
pub fn small_natural(int: &IntLayout) -> Option<u32> {
    small_positive(int)
}
