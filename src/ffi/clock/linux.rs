//! clock_gettime(2), which Linux answers without a system call: through the page of code that the kernel maps into each process
//! (vdso(7)), at two thirds of what the C library's function takes.

use crate::core::clock::Time;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

type ClockGettime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;

/// A [`ClockGettime`]: the C library's until [`prepare`] has found the kernel's.
static CLOCK_GETTIME: AtomicPtr<c_void> = AtomicPtr::new(libc::clock_gettime as *mut c_void);

/// Looks for the kernel's function.
pub fn prepare() {
    // SAFETY: a terminated string. The page is there already, or nothing is opened.
    let page = unsafe { libc::dlopen(c"linux-vdso.so.1".as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if page.is_null() {
        return;
    }
    // As x86-64 and as aarch64 call it.
    for name in [c"__vdso_clock_gettime", c"__kernel_clock_gettime"] {
        // SAFETY: an open handle, which stays open, and a terminated string.
        let function = unsafe { libc::dlsym(page, name.as_ptr()) };
        if !function.is_null() {
            // Relaxed: a pointer to code that was there before the process began.
            CLOCK_GETTIME.store(function, Ordering::Relaxed);
        }
    }
}

#[inline(always)]
fn read(clock: libc::clockid_t) -> Time {
    // Relaxed: as in `prepare`.
    let function = CLOCK_GETTIME.load(Ordering::Relaxed);
    // SAFETY: only functions of this type are stored here.
    let function = unsafe { std::mem::transmute::<*mut c_void, ClockGettime>(function) };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the answer. These clocks are always there.
    unsafe { function(clock, &raw mut time) };
    time.tv_sec as Time * 1_000_000_000 + time.tv_nsec as Time
}

/// `CLOCK_MONOTONIC`: exact to the nanosecond.
#[inline(never)]
pub fn exact() -> Time {
    read(libc::CLOCK_MONOTONIC)
}

/// `CLOCK_MONOTONIC_COARSE`: the same time as of the last tick of the kernel, 1 to 10 ms ago at most. A quarter of the cost.
///
/// Not a part of its callers: the place for the answer would keep them on the stack for as long as what they jump to runs.
#[inline(never)]
pub fn coarse() -> Time {
    read(libc::CLOCK_MONOTONIC_COARSE)
}
