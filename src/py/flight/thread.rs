//! One computation that several threads wait for.
//!
//! Whoever finds such a flight waits for its outcome, detached from the interpreter, in a lock of CPython's that a signal interrupts. A greenlet waits in a
//! lock of its library's (see `threads.rs`), and counts as a thread. A thread never waits where it would close a ring of threads
//! that wait for each other.

use crate::core::forks::Lock;
use crate::ffi::compat::{
    PY_LOCK_ACQUIRED, PY_LOCK_INTR, PyThread_acquire_lock_timed, PyThread_allocate_lock, PyThread_free_lock,
    PyThread_release_lock,
};
use crate::ffi::{Borrowed, Owned, Raised, Result, compat, thread, types};
use crate::py::flight::deadlock::{LeaseHolder, Wait};
use crate::py::flight::outcome::Outcome;
use crate::py::flight::policy::{Flight, Leader};
use crate::state::State;
use crate::state::threads::{PatchedLock, Thread, Threads};
use pyo3_ffi as py;
use std::ffi::c_void;
use std::ops::Deref;

/// One computation.
#[repr(C)]
pub struct ThreadFlight {
    _ob_base: py::PyObject,
    fields: Fields,
}

struct Fields {
    /// The thread that computes.
    leader: Thread,
    waiters: Lock<Waiters>,
}

/// Where a thread held the lock of it that a fork has left behind, it begins anew: nobody waits in the child who could be told.
#[derive(Default)]
struct Waiters {
    outcome: Option<Outcome>,
    /// The locks that waiting threads sleep in.
    sleepers: Vec<Sleeper>,
    /// Those of greenlets.
    greenlets: Vec<PatchedLock>,
}

/// A lock of CPython's, held while its thread is to sleep.
#[derive(Clone, Copy, PartialEq)]
struct Sleeper(*mut c_void);

// SAFETY: such a lock may be released by any thread.
unsafe impl Send for Sleeper {}

/// A reference to a flight of threads.
pub struct ThreadFlightRef(Owned);

impl Deref for ThreadFlightRef {
    type Target = ThreadFlight;

    fn deref(&self) -> &ThreadFlight {
        // SAFETY: `create` and `from_object` make these, of objects of this type. The reference holds it.
        unsafe { &*self.0.as_ptr().cast() }
    }
}

impl Flight for ThreadFlightRef {
    /// A flight that this thread leads. Reenters: as [`Threads::current`].
    fn create(state: &State) -> Result<Self> {
        let fields = Fields { leader: state.threads.current()?, waiters: Lock::new(Waiters::default()) };
        let offset = std::mem::offset_of!(ThreadFlight, fields);
        // SAFETY: the type that `make_type` has made, and the fields of its instances.
        unsafe { types::plain_instance(state.types.flight.borrow(), fields, offset) }.map(Self)
    }

    fn from_object(state: &State, object: Owned) -> Option<Self> {
        (object.borrow().type_ptr().cast() == state.types.flight.as_ptr()).then_some(Self(object))
    }

    fn as_object(&self) -> Borrowed<'_> {
        self.0.borrow()
    }

    fn leader(&self) -> Thread {
        self.fields.leader
    }
}

impl Leader for ThreadFlightRef {
    type Flight = Self;

    fn flight(&self) -> &Self {
        self
    }

    /// Reenters: where greenlets wait, as [`PatchedLock::release`].
    fn land(self, outcome: Outcome) -> Result<()> {
        let mut waiters = self.fields.waiters.lock();
        let before = waiters.outcome.replace(outcome);
        let sleepers = std::mem::take(&mut waiters.sleepers);
        let greenlets = std::mem::take(&mut waiters.greenlets);
        drop(waiters);
        drop(before);
        for Sleeper(lock) in sleepers {
            // SAFETY: held by its thread, which frees it only after it has got it back.
            unsafe { PyThread_release_lock(lock) };
        }
        if !greenlets.is_empty() {
            let threads = self.threads()?;
            greenlets.iter().for_each(|lock| lock.release(threads));
        }
        Ok(())
    }
}

impl ThreadFlight {
    fn threads(&self) -> Result<&Threads> {
        // SAFETY: a live object, held by whoever holds the borrow.
        let this = unsafe { Borrowed::from_ptr(std::ptr::from_ref(self).cast_mut().cast()) };
        Ok(&State::of_instance(this)?.threads)
    }

    /// Waits for the outcome. None where this thread must compute for itself: it leads this flight, or the leader waits, over
    /// however many others, for this thread; or another process may wait for it; or it is a greenlet that can't wait. Reenters:
    /// signal handlers and other greenlets, which may raise.
    pub fn wait(&self) -> Result<Option<Outcome>> {
        let threads = self.threads()?;
        let who = threads.current()?;
        let lock = threads.lock()?;
        let wait = Wait { who, whom: self.fields.leader, sleeps: true };
        // When the interpreter ends, leaders don't go on.
        if compat::is_finalizing() || LeaseHolder::is(who) || !wait.begin() {
            return Ok(None);
        }
        let outcome = match lock {
            Some(lock) => self.sleep_as_greenlet(threads, &lock),
            None => self.sleep().map(Some),
        };
        wait.end();
        outcome
    }

    fn sleep_as_greenlet(&self, threads: &Threads, lock: &PatchedLock) -> Result<Option<Outcome>> {
        let mut waiters = self.fields.waiters.lock();
        if let Some(outcome) = &waiters.outcome {
            return Ok(Some(outcome.clone()));
        }
        waiters.greenlets.push(lock.clone());
        drop(waiters);
        let waited = lock.wait(threads);
        let mut waiters = self.fields.waiters.lock();
        let own = waiters.greenlets.iter().position(|other| other.is(lock)).map(|at| waiters.greenlets.swap_remove(at));
        let outcome = waiters.outcome.clone();
        drop(waiters);
        drop(own);
        // It may have landed while this greenlet was told otherwise.
        Ok(if waited? { Some(outcome.unwrap_or(Outcome::Abandoned)) } else { outcome })
    }

    fn sleep(&self) -> Result<Outcome> {
        // SAFETY: has no conditions; null without memory.
        let lock = unsafe { PyThread_allocate_lock() };
        if lock.is_null() {
            return Err(Raised::no_memory());
        }
        // SAFETY: a new lock, which is free.
        unsafe { PyThread_acquire_lock_timed(lock, -1, 0) };
        let outcome = self.sleep_in(Sleeper(lock));
        // SAFETY: nobody knows it any more: `land` and `sleep_in` have taken it out of the list.
        unsafe { PyThread_release_lock(lock) };
        // SAFETY: as above, and it is free.
        unsafe { PyThread_free_lock(lock) };
        outcome
    }

    fn sleep_in(&self, sleeper: Sleeper) -> Result<Outcome> {
        let mut waiters = self.fields.waiters.lock();
        if let Some(outcome) = &waiters.outcome {
            return Ok(outcome.clone());
        }
        waiters.sleepers.push(sleeper);
        drop(waiters);
        loop {
            // SAFETY: this thread's lock, which `land` releases.
            let answer = thread::detached(|| unsafe { PyThread_acquire_lock_timed(sleeper.0, -1, 1) });
            if answer == PY_LOCK_ACQUIRED {
                return Ok(self.fields.waiters.lock().outcome.clone().unwrap_or(Outcome::Abandoned));
            }
            debug_assert_eq!(answer, PY_LOCK_INTR);
            let handled = thread::check_signals();
            if self.fields.leader.is_of_another_process() {
                // A handler has forked, and the leader is not in this process.
                let mut waiters = self.fields.waiters.lock();
                waiters.sleepers.clear();
                return handled.map(|()| waiters.outcome.clone().unwrap_or(Outcome::Abandoned));
            }
            if let Err(raised) = handled {
                let mut waiters = self.fields.waiters.lock();
                let asleep = waiters.sleepers.len();
                waiters.sleepers.retain(|&other| other != sleeper);
                let woken = waiters.sleepers.len() == asleep;
                drop(waiters);
                if woken {
                    // `land` is about to release it, or has done so.
                    // SAFETY: as above.
                    unsafe { PyThread_acquire_lock_timed(sleeper.0, -1, 0) };
                }
                return Err(raised);
            }
        }
    }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn flight_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<ThreadFlight>()).fields };
    // SAFETY: no reference is left.
    unsafe { types::dealloc_plain(object, place) };
}

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    types::plain_type(module, c"tamis._core.flight", size_of::<ThreadFlight>(), flight_tp_dealloc)
}
