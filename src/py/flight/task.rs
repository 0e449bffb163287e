//! One computation that tasks wait for, of asyncio's loops in any threads.
//!
//! The leader's task computes inline. Who finds its flight waits for a future of their own loop, which is done when the flight
//! lands. A task never waits where it would close a ring of tasks that wait for each other: the flights that a task leads lie in its
//! context, so that tasks which it starts, and waits for by other means, are known to belong to it.

use crate::ffi::{Borrowed, Owned, Raised, Result, err, object, thread};
use crate::py::flight::{Outcome, begin_task_wait, end_task_wait};
use crate::state::State as ModuleState;
use crate::state::threads::Thread;
use pyo3_ffi as py;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What contexts remember of a flight. They may outlive it by far, and are not to keep its outcome.
pub struct Led {
    landed: AtomicBool,
    /// Whether other processes may wait for it.
    leased: AtomicBool,
    /// One for each task that waits, so that one may stop while others go on. Changed under `State::task_waits`.
    waits_for: Mutex<Vec<Arc<Led>>>,
    /// The flight under which it began, if that had not landed by then.
    under: Option<Arc<Led>>,
}

impl Led {
    /// This one, or the nearest above that has not landed.
    fn in_flight(this: Arc<Self>) -> Option<Arc<Self>> {
        let mut next = Some(this);
        while let Some(led) = next {
            // Relaxed, here and below: a task sees what it has done itself, and of others it may hear late.
            if !led.landed.load(Ordering::Relaxed) {
                return Some(led);
            }
            next = led.under.clone();
        }
        None
    }

    /// This one and those above, as far as they have not landed.
    fn all_in_flight(this: Option<Arc<Self>>) -> Vec<Arc<Self>> {
        let first = this.and_then(Self::in_flight);
        std::iter::successors(first, |led| led.under.clone().and_then(Self::in_flight)).collect()
    }

    /// Whether the flight waits, over however many others, for one of these.
    fn waits_for_one_of(self: &Arc<Self>, own: &[Arc<Self>]) -> bool {
        let is_in = |all: &[Arc<Self>], led: &Arc<Self>| all.iter().any(|other| Arc::ptr_eq(other, led));
        let mut reached = vec![Arc::clone(self)];
        let mut at = 0;
        while let Some(led) = reached.get(at).cloned() {
            if is_in(own, &led) {
                return true;
            }
            for other in locked(&led.waits_for).iter() {
                if !is_in(&reached, other) {
                    reached.push(Arc::clone(other));
                }
            }
            at += 1;
        }
        false
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        // One after the other: as many may lie above each other as coroutines await each other.
        let mut next = self.under.take();
        while let Some(led) = next {
            next = Arc::into_inner(led).and_then(|mut led| led.under.take());
        }
    }
}

/// A [`Led`] in a context.
#[repr(C)]
struct Remembered {
    _ob_base: py::PyObject,
    /// None, which is zero, before it is written.
    led: Option<Arc<Led>>,
}

/// The flights that the running task leads, and those that it was started under. Reenters on first use: an import.
fn own(state: &ModuleState) -> Result<Option<Arc<Led>>> {
    let mut found = ptr::null_mut();
    // SAFETY: a context variable with a default, and a place for its value.
    if unsafe { py::PyContextVar_Get(state.leading.get()?.as_ptr(), ptr::null_mut(), &raw mut found) } != 0 {
        return Err(Raised::by_callee());
    }
    let Some(found) = ptr::NonNull::new(found) else { return Ok(None) };
    // SAFETY: a new reference.
    let found = unsafe { Owned::from_ptr(found.as_ptr()) };
    if found.borrow().type_ptr().cast() != state.types.led.as_ptr() {
        return Ok(None);
    }
    // SAFETY: the type has just been seen, and the reference holds it.
    Ok(unsafe { &*found.as_ptr().cast::<Remembered>() }.led.clone())
}

/// One computation.
#[repr(C)]
pub struct TaskFlight {
    _ob_base: py::PyObject,
    /// None, which is zero, before it is written, in what the collector sees.
    fields: Option<Box<Fields>>,
}

struct Fields {
    leader: Thread,
    led: Arc<Led>,
    state: Mutex<State>,
}

struct State {
    outcome: Option<Outcome>,
    waiters: Vec<Waiter>,
}

/// A task that waits: its loop, and the future that wakes it.
struct Waiter {
    event_loop: Owned,
    future: Owned,
}

/// A flight that the running task leads, until [`Leading::land`].
pub struct Leading {
    /// The flight.
    pub flight: Owned,
    /// What gives the context back what it had before.
    token: Owned,
}

/// A task's wait for a flight, until it is dropped.
pub struct Waiting {
    flight: Owned,
    future: Owned,
    own: Vec<Arc<Led>>,
    /// This thread, where the leader is a task of another one.
    over_threads: Option<Thread>,
}

/// What is to be done about a flight that another task leads.
pub enum Follow {
    /// Wait for it, by awaiting this future.
    Wait(Waiting, Owned),
    /// It has landed.
    Landed(Outcome),
    /// Compute without it: it waits for this task, or another process may wait for this one.
    Alone,
}

impl TaskFlight {
    /// A flight that a task of this thread is to lead. Reenters: where threads are greenlets, their library.
    pub fn create(state: &ModuleState) -> Result<Owned> {
        let led = Led {
            landed: AtomicBool::new(false),
            leased: AtomicBool::new(false),
            waits_for: Mutex::default(),
            under: own(state)?.and_then(Led::in_flight),
        };
        let waiting = State { outcome: None, waiters: Vec::new() };
        let fields = Fields { leader: state.threads.current()?, led: Arc::new(led), state: Mutex::new(waiting) };
        let offset = std::mem::offset_of!(Self, fields);
        // SAFETY: the field of a fresh flight.
        unsafe { object::plain_instance(state.types.task_flight.borrow(), Some(Box::new(fields)), offset) }
    }

    /// The flight that this object is.
    ///
    /// # Safety
    /// It was made by [`TaskFlight::create`].
    unsafe fn of(object: &Owned) -> &Fields {
        // SAFETY: as the caller says; the reference holds it.
        let fields = unsafe { &(*object.as_ptr().cast::<Self>()).fields };
        let Some(fields) = fields else { unreachable!("written before anybody knows the object") };
        fields
    }

    /// Whether its leader was left behind by a fork.
    ///
    /// # Safety
    /// As [`TaskFlight::of`].
    pub unsafe fn is_of_another_process(object: &Owned) -> bool {
        // SAFETY: as the caller says.
        unsafe { Self::of(object) }.leader.is_of_another_process()
    }

    /// Begins to wait for a flight, on this loop. Reenters: the loop's `create_future`.
    ///
    /// # Safety
    /// As [`TaskFlight::of`].
    pub unsafe fn follow(state: &ModuleState, flight: Owned, event_loop: &Owned) -> Result<Follow> {
        // SAFETY: as the caller says.
        let fields = unsafe { Self::of(&flight) };
        let create = event_loop.borrow().attr(object::interned(c"create_future")?.borrow())?;
        let future = object::call_with(create.borrow(), &[])?;
        let own = Led::all_in_flight(own(state)?);
        // Another thread may sleep until this one is through with something else.
        let over_threads = Some(state.threads.current()?).filter(|&who| who != fields.leader);
        if over_threads.is_some_and(|who| !begin_task_wait(who, fields.leader)) {
            return Ok(Follow::Alone);
        }
        let mut wait = Waiting { flight: flight.clone(), future: future.clone(), own: Vec::new(), over_threads };
        let ring = locked(&state.task_waits);
        // Others wait for this process without seeing what it waits for, so that it waits for nobody then.
        let is_awaited_elsewhere = own.iter().any(|led| led.leased.load(Ordering::Relaxed));
        if !own.is_empty() && (is_awaited_elsewhere || fields.led.waits_for_one_of(&own)) {
            drop(ring);
            return Ok(Follow::Alone);
        }
        let mut landing = locked(&fields.state);
        if let Some(outcome) = landing.outcome.clone() {
            drop((landing, ring));
            return Ok(Follow::Landed(outcome));
        }
        for led in &own {
            locked(&led.waits_for).push(Arc::clone(&fields.led));
        }
        wait.own = own;
        landing.waiters.push(Waiter { event_loop: event_loop.clone(), future: future.clone() });
        drop((landing, ring));
        Ok(Follow::Wait(wait, future))
    }
}

impl Waiting {
    /// What has come of the flight, if it has landed.
    pub fn outcome(&self) -> Option<Outcome> {
        // SAFETY: made with a flight.
        locked(&unsafe { TaskFlight::of(&self.flight) }.state).outcome.clone()
    }

    /// The objects that it holds, for the collector.
    pub fn held(&self) -> [&Owned; 2] {
        [&self.flight, &self.future]
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // SAFETY: made with a flight.
        let fields = unsafe { TaskFlight::of(&self.flight) };
        for led in &self.own {
            let mut waits_for = locked(&led.waits_for);
            if let Some(at) = waits_for.iter().position(|other| Arc::ptr_eq(other, &fields.led)) {
                waits_for.swap_remove(at);
            }
        }
        let mut landing = locked(&fields.state);
        let at = landing.waiters.iter().position(|waiter| waiter.future.borrow().is(self.future.borrow()));
        let left = at.map(|at| landing.waiters.remove(at));
        drop(landing);
        drop(left);
        if let Some(who) = self.over_threads {
            end_task_wait(who, fields.leader);
        }
    }
}

impl Leading {
    /// The running task leads this flight now.
    ///
    /// # Safety
    /// As [`TaskFlight::of`].
    pub unsafe fn begin(state: &ModuleState, flight: Owned) -> Result<Self> {
        // SAFETY: as the caller says.
        let led = Some(Arc::clone(&unsafe { TaskFlight::of(&flight) }.led));
        let offset = std::mem::offset_of!(Remembered, led);
        // SAFETY: the field of a fresh object.
        let remembered = unsafe { object::plain_instance(state.types.led.borrow(), led, offset) }?;
        // SAFETY: a context variable and a live object.
        let token = unsafe { py::PyContextVar_Set(state.leading.get()?.as_ptr(), remembered.as_ptr()) };
        // SAFETY: a new reference, or null with an exception set.
        Ok(Self { flight, token: unsafe { Owned::from_call(token) }? })
    }

    /// Other processes may wait for it now.
    pub fn is_leased(&self) {
        // SAFETY: made with a flight.
        unsafe { TaskFlight::of(&self.flight) }.led.leased.store(true, Ordering::Relaxed);
    }

    /// Whether other processes may wait for one of the flights that it began under.
    pub fn is_awaited_elsewhere(&self) -> bool {
        // SAFETY: made with a flight.
        let under = unsafe { TaskFlight::of(&self.flight) }.led.under.clone();
        Led::all_in_flight(under).iter().any(|led| led.leased.load(Ordering::Relaxed))
    }

    /// Tells everybody who waits what has come of it, and everybody who comes later. Reenters: methods of loops and their futures.
    pub fn land(self, state: &ModuleState, outcome: Outcome) -> Result<()> {
        // SAFETY: made with a flight.
        let fields = unsafe { TaskFlight::of(&self.flight) };
        let mut landing = locked(&fields.state);
        let before = landing.outcome.replace(outcome);
        let waiters = std::mem::take(&mut landing.waiters);
        fields.led.landed.store(true, Ordering::Relaxed);
        drop(landing);
        drop(before);
        let woken = if waiters.is_empty() { Ok(()) } else { wake(state, waiters) };
        let reset = state.leading.get().and_then(|variable| {
            // SAFETY: the variable and a token of its.
            match unsafe { py::PyContextVar_Reset(variable.as_ptr(), self.token.as_ptr()) } {
                0 => Ok(()),
                _ => Err(Raised::by_callee()),
            }
        });
        if let Err(raised) = reset {
            // Closed from another context.
            drop(raised.take());
        }
        woken
    }

    /// The objects that it holds, for the collector.
    pub fn held(&self) -> [&Owned; 2] {
        [&self.flight, &self.token]
    }
}

/// Wakes all these tasks. Where that fails, above all where calls nest too deep for it, another thread tries once more. Reenters:
/// methods of loops and futures.
#[cold]
fn wake(state: &ModuleState, waiters: Vec<Waiter>) -> Result<()> {
    let wake = state.wake.get()?.to_owned();
    let Err(raised) = call_with_all(&wake, &waiters) else { return Ok(()) };
    let error = raised.take();
    let again = move || {
        if let Err(raised) = call_with_all(&wake, &waiters) {
            let error = raised.take();
            drop(Raised::again(error.borrow()));
            // SAFETY: an attached thread with an exception set, and a live object.
            unsafe { py::PyErr_WriteUnraisable(wake.as_ptr()) };
        }
    };
    let begun = thread::in_new_thread(again);
    if begun && err::is_ordinary(error.borrow()) { Ok(()) } else { Err(Raised::again(error.borrow())) }
}

fn call_with_all(wake: &Owned, waiters: &[Waiter]) -> Result<()> {
    let pair = |waiter: &Waiter| object::tuple(&[waiter.event_loop.borrow(), waiter.future.borrow()]);
    let pairs = waiters.iter().map(pair).collect::<Result<Vec<_>>>()?;
    let pairs: Vec<_> = pairs.iter().map(Owned::borrow).collect();
    object::call_with(wake.borrow(), &[object::tuple(&pairs)?.borrow()]).map(drop)
}

unsafe extern "C" fn flight_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: an object of this type.
    let fields = unsafe { &(*object.cast::<TaskFlight>()).fields };
    // Nobody is inside the lock while the collector runs.
    let state = fields.as_ref().and_then(|fields| fields.state.try_lock().ok());
    let held: Vec<_> = state
        .iter()
        .flat_map(|state| {
            let waiters = state.waiters.iter().flat_map(|waiter| [&waiter.event_loop, &waiter.future]);
            waiters.chain(state.outcome.iter().flat_map(Outcome::held))
        })
        .map(Owned::as_ptr)
        .collect();
    // SAFETY: live objects, and the collector's own function and argument.
    unsafe { object::traverse_plain(object, &held, visit, arg) }
}

unsafe extern "C" fn flight_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<TaskFlight>()).fields };
    // SAFETY: no reference is left.
    unsafe { object::dealloc_plain(object, place) };
}

/// Makes the type of flights, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let slots = [(py::Py_tp_traverse, flight_tp_traverse as *mut c_void)];
    object::plain_type_with(module, c"tamis._core.task_flight", size_of::<TaskFlight>(), flight_tp_dealloc, &slots)
}

unsafe extern "C" fn led_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<Remembered>()).led };
    // SAFETY: no reference is left.
    unsafe { object::dealloc_plain(object, place) };
}

/// How many flights there are in the air, for tests.
unsafe extern "C" fn led_sq_length(object: *mut py::PyObject) -> py::Py_ssize_t {
    // SAFETY: an object of this type.
    let led = unsafe { &(*object.cast::<Remembered>()).led };
    Led::all_in_flight(led.clone()).len() as py::Py_ssize_t
}

/// Makes the type of what contexts remember, for one interpreter.
pub fn make_led_type(module: Borrowed<'_>) -> Result<Owned> {
    let slots = [(py::Py_sq_length, led_sq_length as *mut c_void)];
    object::plain_type_with(module, c"tamis._core.led", size_of::<Remembered>(), led_tp_dealloc, &slots)
}
