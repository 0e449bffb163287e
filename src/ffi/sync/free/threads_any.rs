//! By the means of Rust.

use super::NONE;
use std::cell::Cell;

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(NONE) };
}

/// This thread's number.
#[inline(always)]
pub fn number() -> u32 {
    NUMBER.get()
}

/// Sets it.
pub fn set_number(number: u32) {
    NUMBER.set(number);
}

/// What CPython knows this thread by in the heads of objects. None where only CPython can tell.
#[inline(always)]
pub fn thread_id() -> Option<usize> {
    None
}
