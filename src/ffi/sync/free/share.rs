//! An object that many threads call must not have them fight over its reference count, which every call takes and gives
//! back.
//!
//! From 3.14 on CPython counts such objects lazily, on request. 3.13 has no such request, and makes functions immortal
//! when the first thread starts; there a cache becomes immortal, but not before a second thread calls it.

use super::barrier;
use crate::ffi::compat::LAZY_COUNTS;
use crate::ffi::reference::Borrowed;
use crate::ffi::sync::biased::{self as count, PyUnstable_Object_EnableDeferredRefcount};
use std::sync::atomic::Ordering;

/// References that are never given back: more than a program can give back by mistake of the count below.
const HELD_FOR_EVER: isize = 1 << 40;
const TRIES: u32 = 4;

/// Tells CPython that threads share this object. Called once for each.
pub fn share(object: Borrowed<'_>) {
    if LAZY_COUNTS {
        // SAFETY: a live object that the collector knows.
        unsafe { PyUnstable_Object_EnableDeferredRefcount(object.as_ptr()) };
    } else {
        make_immortal(object);
    }
}

/// The owning thread may be counting at this moment: it reads its count and writes it, and what is written here in
/// between is lost. Some references are counted by one side only then. So the object first gets more references than
/// can ever be lost, and a write that was lost is repeated; if all are, the object is shared as any other.
fn make_immortal(object: Borrowed<'_>) {
    // SAFETY: a live object.
    let local = unsafe { count::local(object.as_ptr()) };
    // SAFETY: as above.
    let shared = unsafe { count::shared(object.as_ptr()) };
    // SeqCst: nobody who sees the next write may miss this one.
    shared.fetch_add(HELD_FOR_EVER << count::SHARED_SHIFT, Ordering::SeqCst);
    for _ in 0..TRIES {
        local.store(count::IMMORTAL, Ordering::SeqCst);
        barrier::heavy();
        if local.load(Ordering::SeqCst) == count::IMMORTAL {
            break;
        }
    }
}
