//! One computation that several threads wait for.
//!
//! A flight is a small object of ours in a store of its own, under the key that is being computed. Whoever finds one there
//! waits for its outcome, detached from the interpreter, in a lock of CPython's that a signal interrupts. A greenlet waits in a
//! lock of its library's (see `threads.rs`), and counts as a thread. A thread never waits where it would close a ring of threads
//! that wait for each other.

pub mod task;

use crate::core::forks::Lock;
use crate::ffi::{Borrowed, Owned, Raised, Result, compat, err, object};
use crate::state;
use crate::state::threads::{Holding, PatchedLock, Thread, Threads};
use pyo3_ffi as py;
use std::ffi::{c_int, c_void};

unsafe extern "C" {
    // Include/pythread.h
    fn PyThread_allocate_lock() -> *mut c_void;
    fn PyThread_free_lock(lock: *mut c_void);
    fn PyThread_acquire_lock_timed(lock: *mut c_void, microseconds: i64, interruptible: c_int) -> c_int;
    fn PyThread_release_lock(lock: *mut c_void);
}

/// `PY_LOCK_ACQUIRED`
const ACQUIRED: c_int = 1;
/// `PY_LOCK_INTR`
const INTERRUPTED: c_int = 2;

/// One computation.
#[repr(C)]
pub struct Flight {
    _ob_base: py::PyObject,
    fields: Fields,
}

struct Fields {
    /// The thread that computes.
    leader: Thread,
    state: Lock<State>,
}

/// Where a thread held the lock of it that a fork has left behind, it begins anew: nobody waits in the child who could be told.
#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    /// The locks that waiting threads sleep in.
    sleepers: Vec<Sleeper>,
    /// Those of greenlets.
    greenlets: Vec<PatchedLock>,
}

/// What has come of a flight.
#[derive(Clone)]
pub enum Outcome {
    /// The function's result.
    Value(Owned),
    /// The exception that it raised, and the traceback that it had then: a traceback or None.
    Error(Owned, Owned),
    /// Nothing: whoever needs a result is to compute one.
    Abandoned,
}

impl Outcome {
    /// The objects that it holds, for the collector.
    pub fn held(&self) -> impl Iterator<Item = &Owned> {
        let (first, second) = match self {
            Self::Value(value) => (Some(value), None),
            Self::Error(error, traceback) => (Some(error), Some(traceback)),
            Self::Abandoned => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// That of a computation with this result, and the result. Reenters: nothing but the class of an exception.
    pub fn of(result: Result<Owned>) -> (Self, std::result::Result<Owned, Owned>) {
        match result {
            Ok(value) => (Self::Value(value.clone()), Ok(value)),
            Err(raised) => {
                let error = raised.take();
                // Others concern the leader's thread or task alone.
                let outcome = match err::is_ordinary(error.borrow()) {
                    true => Self::Error(error.clone(), err::traceback_of(error.borrow())),
                    false => Self::Abandoned,
                };
                (outcome, Err(error))
            }
        }
    }
}

/// A lock of CPython's, held while its thread is to sleep.
#[derive(Clone, Copy, PartialEq)]
struct Sleeper(*mut c_void);

// SAFETY: such a lock may be released by any thread.
unsafe impl Send for Sleeper {}

/// Which thread waits for which thread. Nothing in here runs Python code or waits while it is held.
///
/// All interpreters of the process have this one list, and one may fork while a thread of another has it locked.
static WAITING: Lock<Vec<Wait>> = Lock::new(Vec::new());

impl Flight {
    /// A flight that this thread leads. Reenters: as [`Threads::current`].
    pub fn create(kind: Borrowed<'_>) -> Result<Owned> {
        let leader = state::State::of_type(kind)?.threads.current()?;
        let fields = Fields { leader, state: Lock::new(State::default()) };
        // SAFETY: a field of a fresh flight.
        unsafe { object::plain_instance(kind, fields, std::mem::offset_of!(Self, fields)) }
    }

    /// The flight that this object is.
    ///
    /// # Safety
    /// It was made by [`Flight::create`].
    pub unsafe fn of(object: &Owned) -> &Self {
        // SAFETY: as the caller says; the reference holds it.
        unsafe { &*object.as_ptr().cast::<Self>() }
    }

    /// Whether its leader was left behind by a fork.
    pub fn is_of_another_process(&self) -> bool {
        self.fields.leader.is_of_another_process()
    }

    fn threads(&self) -> Result<&Threads> {
        // SAFETY: a live object, held by whoever holds the borrow.
        let this = unsafe { Borrowed::from_ptr(std::ptr::from_ref(self).cast_mut().cast()) };
        Ok(&state::State::of_instance(this)?.threads)
    }

    /// Tells everybody who waits what has come of it, and everybody who comes later. No exception is set. Reenters: where
    /// greenlets wait, as [`PatchedLock::release`].
    pub fn land(&self, outcome: Outcome) {
        let mut state = self.fields.state.lock();
        let before = state.outcome.replace(outcome);
        let sleepers = std::mem::take(&mut state.sleepers);
        let greenlets = std::mem::take(&mut state.greenlets);
        drop(state);
        drop(before);
        for Sleeper(lock) in sleepers {
            // SAFETY: held by its thread, which frees it only after it has got it back.
            unsafe { PyThread_release_lock(lock) };
        }
        let Ok(threads) = self.threads() else { unreachable!("its type has a module") };
        greenlets.iter().for_each(|lock| lock.release(threads));
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
        if compat::is_finalizing() || Holding::any(who) || !wait.begin() {
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
        let mut state = self.fields.state.lock();
        if let Some(outcome) = &state.outcome {
            return Ok(Some(outcome.clone()));
        }
        state.greenlets.push(lock.clone());
        drop(state);
        let waited = lock.wait(threads);
        let mut state = self.fields.state.lock();
        let own = state.greenlets.iter().position(|other| other.is(lock)).map(|at| state.greenlets.swap_remove(at));
        let outcome = state.outcome.clone();
        drop(state);
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
        let mut state = self.fields.state.lock();
        if let Some(outcome) = &state.outcome {
            return Ok(outcome.clone());
        }
        state.sleepers.push(sleeper);
        drop(state);
        loop {
            // SAFETY: this thread's lock, which `land` releases.
            let answer = object::detached(|| unsafe { PyThread_acquire_lock_timed(sleeper.0, -1, 1) });
            if answer == ACQUIRED {
                return Ok(self.fields.state.lock().outcome.clone().unwrap_or(Outcome::Abandoned));
            }
            debug_assert_eq!(answer, INTERRUPTED);
            let handled = object::check_signals();
            if self.is_of_another_process() {
                // A handler has forked, and the leader is not in this process.
                let mut state = self.fields.state.lock();
                state.sleepers.clear();
                return handled.map(|()| state.outcome.clone().unwrap_or(Outcome::Abandoned));
            }
            if let Err(raised) = handled {
                let mut state = self.fields.state.lock();
                let asleep = state.sleepers.len();
                state.sleepers.retain(|&other| other != sleeper);
                let woken = state.sleepers.len() == asleep;
                drop(state);
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

/// A thread that waits for another one.
#[derive(Clone, Copy, PartialEq)]
struct Wait {
    who: Thread,
    whom: Thread,
    /// Whether the thread sleeps. If not, one of its tasks waits, and its loop goes on, unless that runs inside of a flight.
    sleeps: bool,
}

impl Wait {
    /// Notes it, unless that would close a ring in which a thread sleeps.
    fn begin(self) -> bool {
        let mut waiting = WAITING.lock();
        // Of others than this process nobody is here.
        waiting.retain(|wait| wait.who.process == self.who.process);
        // A thread waits for several where signal handlers wait too, and where tasks do.
        let mut reached = vec![(self.whom, self.sleeps)];
        let mut at = 0;
        while let Some(&(thread, sleeps)) = reached.get(at) {
            if thread == self.who && sleeps {
                return false;
            }
            for wait in waiting.iter().filter(|wait| wait.who == thread) {
                let next = (wait.whom, sleeps || wait.sleeps);
                if !reached.contains(&next) {
                    reached.push(next);
                }
            }
            at += 1;
        }
        waiting.push(self);
        true
    }

    fn end(self) {
        let mut waiting = WAITING.lock();
        // A signal handler may have waited meanwhile: this is the last that began.
        if let Some(at) = waiting.iter().rposition(|&wait| wait == self) {
            waiting.remove(at);
        }
    }
}

/// A task of this thread is to wait for one of another thread, which may be asleep, waiting for this thread. False if it has to
/// compute for itself; otherwise [`end_task_wait`] is called in the end, for the same two.
pub fn begin_task_wait(who: Thread, whom: Thread) -> bool {
    Wait { who, whom, sleeps: false }.begin()
}

/// See [`begin_task_wait`].
pub fn end_task_wait(who: Thread, whom: Thread) {
    Wait { who, whom, sleeps: false }.end();
}

unsafe extern "C" fn flight_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<Flight>()).fields };
    // SAFETY: no reference is left.
    unsafe { object::dealloc_plain(object, place) };
}

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    object::plain_type(module, c"tamis._core.flight", size_of::<Flight>(), flight_tp_dealloc)
}
