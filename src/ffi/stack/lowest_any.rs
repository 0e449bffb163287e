//! By the means of Rust.

use std::cell::Cell;
use std::hint;
use std::mem::MaybeUninit;

/// What a thread keeps that has not asked yet: no stack pointer is as high.
const UNKNOWN: usize = usize::MAX;

thread_local! {
    static LOWEST: Cell<usize> = const { Cell::new(UNKNOWN) };
}

/// The lowest address of a level's beginning.
#[inline(always)]
pub fn get() -> usize {
    LOWEST.get()
}

/// Sets it.
pub fn set(address: usize) {
    LOWEST.set(address);
}

/// Where the stack ends now, or a few bytes above.
#[inline(always)]
pub fn stack_pointer() -> usize {
    let mark = MaybeUninit::<u8>::uninit();
    hint::black_box(mark.as_ptr()).addr()
}
