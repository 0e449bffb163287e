//! What a process knows of its regions: one map for each file, and all of them told when it forks.

use super::mapped::Region;
use crate::core::forks::{self, Lock, Locked};
use crate::shm::identity;
use std::mem::ManuallyDrop;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Weak};

/// A place for a region. Never freed, but used again.
///
/// A fork may happen at any moment, and the child begins with what stands here: each change is one store.
struct KnownPlace {
    /// Null, or what [`Weak::into_raw`] gave. Changes under the lock.
    region: AtomicPtr<Region>,
    next: *mut KnownPlace,
}

static FIRST: AtomicPtr<KnownPlace> = AtomicPtr::new(null_mut());
static KNOWN: Lock<()> = Lock::new(());
static PREPARED: AtomicBool = AtomicBool::new(false);

fn places() -> impl Iterator<Item = &'static KnownPlace> {
    // Acquire: pairs with the Release in `Known::add`.
    // SAFETY: places are never freed.
    let mut place = unsafe { FIRST.load(Ordering::Acquire).as_ref() };
    std::iter::from_fn(move || {
        let this = place?;
        // SAFETY: as above. Written before the place was put in.
        place = unsafe { this.next.as_ref() };
        Some(this)
    })
}

/// From now on, children of forks look who they are, and then after the regions that they have.
fn prepare() {
    // First: handlers run in the order in which they were registered.
    identity::prepare();
    forks::in_children(&PREPARED, after_fork_in_child);
}

/// There is one thread, which knows by now which process it is in. Nothing here waits for a lock or allocates.
///
/// # Safety
/// No other thread runs.
unsafe extern "C" fn after_fork_in_child() {
    for place in places() {
        // Acquire: pairs with the Release in `Known::add`.
        // SAFETY: a region leaves its place before anything of it goes; a thread that was about to do so is not there.
        if let Some(region) = unsafe { place.region.load(Ordering::Acquire).as_ref() } {
            region.after_fork_in_child();
        }
    }
}

/// The regions that this process has, held so that none comes to be mapped twice. No reference to a region is dropped meanwhile:
/// the last one would wait for this.
pub struct Known(Locked<'static, ()>);

impl Known {
    /// Waits for it.
    pub fn lock() -> Self {
        Self(KNOWN.lock())
    }

    fn regions(&self) -> impl Iterator<Item = ManuallyDrop<Weak<Region>>> {
        let Self(_locked) = self;
        // Relaxed: the lock orders it.
        let pointers = places().map(|place| place.region.load(Ordering::Relaxed).cast_const());
        // SAFETY: made by `Weak::into_raw` in `add`, and given back under the lock alone.
        pointers.filter(|region| !region.is_null()).map(|region| ManuallyDrop::new(unsafe { Weak::from_raw(region) }))
    }

    /// What fits, looked at where it lies.
    fn fitting(&self, fits: impl Fn(&Region) -> bool) -> impl Iterator<Item = ManuallyDrop<Weak<Region>>> {
        // SAFETY: it stands as long as it has its place, which it leaves under the lock, first of all when it is dropped.
        self.regions().filter(move |region| fits(unsafe { &*region.as_ptr() }))
    }

    /// The one that fits.
    pub fn find(&self, fits: impl Fn(&Region) -> bool) -> Option<Arc<Region>> {
        self.fitting(fits).find_map(|region| region.upgrade())
    }

    /// Whether there is one that fits.
    pub fn has(&self, fits: impl Fn(&Region) -> bool) -> bool {
        self.fitting(fits).any(|region| region.strong_count() > 0)
    }

    /// Adds one. From now on, children of forks look after it.
    pub fn add(&self, region: &Arc<Region>) {
        prepare();
        let pointer = Weak::into_raw(Arc::downgrade(region)).cast_mut();
        // Relaxed: the lock orders it.
        let free = places().find(|place| place.region.load(Ordering::Relaxed).is_null());
        if let Some(place) = free {
            // Release: pairs with the Acquire in `after_fork_in_child`, for tools that know no fork.
            place.region.store(pointer, Ordering::Release);
            return;
        }
        let next = FIRST.load(Ordering::Relaxed);
        let place = Box::into_raw(Box::new(KnownPlace { region: AtomicPtr::new(pointer), next }));
        // Release: pairs with the Acquire in `places`.
        FIRST.store(place, Ordering::Release);
    }

    /// Takes one out, before anything of it goes.
    pub fn remove(&self, region: *const Region) {
        for place in places() {
            // Relaxed: the lock orders it.
            if place.region.load(Ordering::Relaxed).cast_const() == region {
                place.region.store(null_mut(), Ordering::Relaxed);
                // SAFETY: made by `Weak::into_raw` in `add`, and out of its place. What is being dropped holds the memory.
                drop(unsafe { Weak::from_raw(region) });
            }
        }
    }
}
