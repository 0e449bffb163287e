//! pthread_getattr_np(3). For the main thread glibc reads the limit of the stack's size and /proc/self/maps.

use super::extent::Bounds;
use std::mem::MaybeUninit;
use std::ptr;

/// Where this thread's stack lies.
pub fn of_this_thread() -> Option<Bounds> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: has no conditions.
    let thread = unsafe { libc::pthread_self() };
    // SAFETY: a living thread, and a place for its attributes.
    if unsafe { libc::pthread_getattr_np(thread, attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut low, mut size, mut guard) = (ptr::null_mut(), 0, 0);
    // SAFETY: filled above, and two places.
    let answered = unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size) };
    // SAFETY: filled above, and a place.
    if unsafe { libc::pthread_attr_getguardsize(attributes.as_ptr(), &raw mut guard) } != 0 {
        guard = 0;
    }
    // SAFETY: filled above, and not used any more.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    if answered != 0 || size <= guard {
        return None;
    }
    // Old versions of glibc count the guard pages as part of the stack.
    Some(Bounds { low: low.addr() + guard, high: low.addr() + size })
}
