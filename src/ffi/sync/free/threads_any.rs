//! By the means of Rust.

use std::cell::Cell;

/// The number of a thread that has none.
pub const NONE: u32 = u32::MAX;

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
