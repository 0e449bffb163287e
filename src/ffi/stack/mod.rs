//! How much of its stack a thread has left, where CPython does not look: before 3.14 it counts levels, and how much memory a
//! level takes it can't know.
//!
//! Each thread keeps one address: below it the stack has no room for another level. It is worked out where a thread first asks,
//! and again where it seems to be reached, since a limit can be raised while a program runs (setrlimit(2)).

#[cfg(target_os = "linux")]
#[path = "bounds_linux.rs"]
mod bounds;
#[cfg(not(target_os = "linux"))]
#[path = "bounds_any.rs"]
mod bounds;
mod extent;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
#[path = "lowest_any.rs"]
mod lowest;
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
#[path = "lowest_x86_64_linux.rs"]
mod lowest;

use extent::Bounds;
use std::cell::Cell;

thread_local! {
    static KNOWN: Cell<Option<Bounds>> = const { Cell::new(None) };
}

/// Whether this thread's stack has room for another level.
#[inline(always)]
pub fn has_room() -> bool {
    lowest::stack_pointer() >= lowest::get() || look_closely()
}

#[cold]
#[inline(never)]
fn look_closely() -> bool {
    let here = lowest::stack_pointer();
    // Code may run on a stack of its own, of which nothing is known.
    if KNOWN.get().is_some_and(|known| !known.has(here)) {
        return true;
    }
    let bounds = bounds::of_this_thread();
    KNOWN.set(bounds);
    let Some(bounds) = bounds else {
        lowest::set(0);
        return true;
    };
    let limit = bounds.low + bounds.margin();
    lowest::set(limit);
    here >= limit || !bounds.has(here)
}

/// How many bytes this thread's stack has, as far as is known.
pub fn size() -> usize {
    KNOWN.get().map_or(0, |known| known.high - known.low)
}
