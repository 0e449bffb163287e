//! What a process knows of its regions: one map for each file, and all of them told when it forks.

use super::identity::Identity;
use super::region::Region;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, TryLockError, Weak};

/// A place for a region that the child of a fork looks at. Never freed, but used again.
struct Place {
    region: AtomicPtr<Region>,
    next: *mut Place,
}

static FIRST: AtomicPtr<Place> = AtomicPtr::new(null_mut());
static KNOWN: Mutex<Vec<Weak<Region>>> = Mutex::new(Vec::new());
static PREPARED: Once = Once::new();

/// How often the list of regions is tried for: in the child of a fork, a thread may hold it that is not there.
const TRIES: u32 = 1000;

fn places() -> impl Iterator<Item = &'static Place> {
    // Acquire: pairs with the Release in `enter`.
    // SAFETY: places are never freed.
    let mut place = unsafe { FIRST.load(Ordering::Acquire).as_ref() };
    std::iter::from_fn(move || {
        let this = place?;
        // SAFETY: as above. Written before the place was put in.
        place = unsafe { this.next.as_ref() };
        Some(this)
    })
}

/// From now on, children of forks look after this region.
pub fn enter(region: &Arc<Region>) {
    PREPARED.call_once(|| {
        // SAFETY: a function of ours, which stays loaded, as extension modules do.
        unsafe { libc::pthread_atfork(None, None, Some(after_fork_in_child)) };
    });
    let pointer = Arc::as_ptr(region).cast_mut();
    // Release: pairs with the Acquire in `after_fork_in_child`, for tools that know no fork.
    let free = |place: &&Place| {
        place.region.compare_exchange(null_mut(), pointer, Ordering::Release, Ordering::Relaxed).is_ok()
    };
    if places().any(|place| free(&place)) {
        return;
    }
    let place = Box::into_raw(Box::new(Place { region: AtomicPtr::new(pointer), next: null_mut() }));
    let mut first = FIRST.load(Ordering::Relaxed);
    loop {
        // SAFETY: nobody else knows it yet.
        unsafe { (*place).next = first };
        // Release: pairs with the Acquire in `places`.
        match FIRST.compare_exchange(first, place, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => first = now,
        }
    }
}

/// Before a region's memory goes.
pub fn leave(region: *const Region) {
    for place in places() {
        let _ = place.region.compare_exchange(region.cast_mut(), null_mut(), Ordering::Release, Ordering::Relaxed);
    }
}

/// There is one thread. Nothing here takes a lock or allocates.
unsafe extern "C" fn after_fork_in_child() {
    Identity::find_out();
    for place in places() {
        // Acquire: pairs with the Release in `enter`.
        // SAFETY: a region leaves its place before its memory goes; a thread that was about to do so is not there.
        if let Some(region) = unsafe { place.region.load(Ordering::Acquire).as_ref() } {
            // SAFETY: a function of pthread_atfork(3), which the child's one thread runs.
            unsafe { region.after_fork_in_child() };
        }
    }
}

/// The regions that this process has, held so that none comes to be mapped twice. None: it is not to be had.
pub struct Known(MutexGuard<'static, Vec<Weak<Region>>>);

impl Known {
    /// Tries for it.
    pub fn lock() -> Option<Self> {
        for _ in 0..TRIES {
            match KNOWN.try_lock() {
                Ok(guard) => return Some(Self(guard)),
                Err(TryLockError::Poisoned(error)) => return Some(Self(error.into_inner())),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        None
    }

    /// The one that fits.
    pub fn find(&self, fits: impl Fn(&Region) -> bool) -> Option<Arc<Region>> {
        self.0.iter().find_map(|region| region.upgrade().filter(|region| fits(region)))
    }

    /// Adds one, and forgets those that are gone.
    pub fn add(&mut self, region: &Arc<Region>) {
        self.0.retain(|region| region.strong_count() > 0);
        self.0.push(Arc::downgrade(region));
    }
}
