//! One computation that tasks wait for, of asyncio's loops in any threads.
//!
//! The leader's task computes inline. Who finds its flight waits for a future of their own loop, which is done when the flight
//! lands.

use crate::ffi::{Borrowed, Owned, Raised, Result, build, call, raise, thread, types};
use crate::py::flight::deadlock::Wait;
use crate::py::flight::outcome::Outcome;
use crate::py::flight::policy::{Flight, Leader};
use crate::py::flight::task_deadlock::{FlightNode, leave_context, locked};
use crate::state::State;
use crate::state::threads::Thread;
use pyo3_ffi as py;
use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex};

/// One computation.
#[repr(C)]
struct TaskFlight {
    _ob_base: py::PyObject,
    /// None, which is zero, before it is written, in what the collector sees.
    fields: Option<Box<Fields>>,
}

struct Fields {
    leader: Thread,
    node: Arc<FlightNode>,
    landing: Mutex<Landing>,
}

#[derive(Default)]
struct Landing {
    outcome: Option<Outcome>,
    waiters: Vec<Waiter>,
}

/// A task that waits: its loop, and the future that wakes it.
struct Waiter {
    event_loop: Owned,
    future: Owned,
}

/// A reference to a flight of tasks.
#[derive(Clone)]
pub struct TaskFlightRef(Owned);

/// A flight that the running task leads, until [`Leader::land`].
pub struct TaskLeader {
    flight: TaskFlightRef,
    /// What gives the context back what it had before.
    token: Owned,
}

/// A task's wait for a flight, until it is dropped.
pub struct TaskWait {
    flight: TaskFlightRef,
    future: Owned,
    /// The flights that wait with it.
    own: Vec<Arc<FlightNode>>,
    /// That of this thread, where the leader is a task of another one. It ends with this.
    over_threads: Option<Wait>,
}

/// What is to be done about a flight that another task leads.
pub enum Follow {
    /// Wait for it, by awaiting this future.
    Wait(TaskWait, Owned),
    /// It has landed.
    Landed(Outcome),
    /// Compute without it: it waits for this task, or another process may wait for this one.
    Alone,
}

impl Flight for TaskFlightRef {
    /// A flight that a task of this thread is to lead. Reenters: where threads are greenlets, their library.
    fn create(state: &State) -> Result<Self> {
        let node = FlightNode::new(state)?;
        let fields = Fields { leader: state.threads.current()?, node, landing: Mutex::default() };
        let offset = std::mem::offset_of!(TaskFlight, fields);
        // SAFETY: the type that `make_type` has made, and the field of its instances.
        unsafe { types::plain_instance(state.types.task_flight.borrow(), Some(Box::new(fields)), offset) }.map(Self)
    }

    fn from_object(state: &State, object: Owned) -> Option<Self> {
        (object.borrow().type_ptr().cast() == state.types.task_flight.as_ptr()).then_some(Self(object))
    }

    fn as_object(&self) -> Borrowed<'_> {
        self.0.borrow()
    }

    fn leader(&self) -> Thread {
        self.fields().leader
    }
}

impl TaskFlightRef {
    fn fields(&self) -> &Fields {
        // SAFETY: `create` and `from_object` make these, of objects of this type. The reference holds it.
        let fields = unsafe { &(*self.0.as_ptr().cast::<TaskFlight>()).fields };
        let Some(fields) = fields else { unreachable!("written before anybody knows the object") };
        fields
    }

    /// Begins to wait for a flight, on this loop. Reenters: the loop's `create_future`.
    pub fn follow(self, state: &State, event_loop: &Owned) -> Result<Follow> {
        let create = event_loop.borrow().attr(build::interned(c"create_future")?.borrow())?;
        let future = call::with(create.borrow(), &[])?;
        let own = FlightNode::running(state)?;
        // Another thread may sleep until this one is through with something else.
        let (who, whom) = (state.threads.current()?, self.fields().leader);
        let over_threads = (who != whom).then_some(Wait { who, whom, sleeps: false });
        if over_threads.is_some_and(|wait| !wait.begin()) {
            return Ok(Follow::Alone);
        }
        let mut wait = TaskWait { flight: self.clone(), future: future.clone(), own: Vec::new(), over_threads };
        let fields = self.fields();
        let ring = locked(&state.task_waits);
        if !own.is_empty() && (FlightNode::is_one_leased(&own) || fields.node.waits_for_one_of(&own)) {
            drop(ring);
            return Ok(Follow::Alone);
        }
        let mut landing = locked(&fields.landing);
        if let Some(outcome) = landing.outcome.clone() {
            drop((landing, ring));
            return Ok(Follow::Landed(outcome));
        }
        own.iter().for_each(|node| node.begin_wait(&fields.node));
        wait.own = own;
        landing.waiters.push(Waiter { event_loop: event_loop.clone(), future: future.clone() });
        drop((landing, ring));
        Ok(Follow::Wait(wait, future))
    }

    /// The running task leads this flight now.
    pub fn lead(self, state: &State) -> Result<TaskLeader> {
        let token = self.fields().node.enter_context(state)?;
        Ok(TaskLeader { flight: self, token })
    }
}

impl TaskWait {
    /// What has come of the flight, if it has landed.
    pub fn outcome(&self) -> Option<Outcome> {
        locked(&self.flight.fields().landing).outcome.clone()
    }

    /// The objects that it holds, for the collector.
    pub fn held(&self) -> [&Owned; 2] {
        [&self.flight.0, &self.future]
    }
}

impl Drop for TaskWait {
    fn drop(&mut self) {
        let fields = self.flight.fields();
        self.own.iter().for_each(|node| node.end_wait(&fields.node));
        let mut landing = locked(&fields.landing);
        let at = landing.waiters.iter().position(|waiter| waiter.future.borrow().is(self.future.borrow()));
        let left = at.map(|at| landing.waiters.remove(at));
        drop(landing);
        drop(left);
        if let Some(wait) = self.over_threads {
            wait.end();
        }
    }
}

impl Leader for TaskLeader {
    type Flight = TaskFlightRef;

    fn flight(&self) -> &TaskFlightRef {
        &self.flight
    }

    /// Reenters: methods of loops and their futures.
    fn land(self, outcome: Outcome) -> Result<()> {
        let state = State::of_instance(self.flight.as_object())?;
        let fields = self.flight.fields();
        let mut landing = locked(&fields.landing);
        let before = landing.outcome.replace(outcome);
        let waiters = std::mem::take(&mut landing.waiters);
        fields.node.land();
        drop(landing);
        drop(before);
        let woken = if waiters.is_empty() { Ok(()) } else { wake(state, waiters) };
        leave_context(state, &self.token);
        woken
    }
}

impl TaskLeader {
    /// Other processes may wait for it now.
    pub fn lease(&self) {
        self.flight.fields().node.lease();
    }

    /// Whether other processes may wait for one of the flights that it began under.
    pub fn is_awaited_elsewhere(&self) -> bool {
        FlightNode::is_one_leased(&self.flight.fields().node.above())
    }

    /// The objects that it holds, for the collector.
    pub fn held(&self) -> [&Owned; 2] {
        [&self.flight.0, &self.token]
    }
}

/// Wakes all these tasks. Where that fails, above all where calls nest too deep for it, another thread tries once more. Reenters:
/// methods of loops and futures.
#[cold]
fn wake(state: &State, waiters: Vec<Waiter>) -> Result<()> {
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
    if begun && raise::is_ordinary(error.borrow()) { Ok(()) } else { Err(Raised::again(error.borrow())) }
}

fn call_with_all(wake: &Owned, waiters: &[Waiter]) -> Result<()> {
    let pair = |waiter: &Waiter| build::tuple(&[waiter.event_loop.borrow(), waiter.future.borrow()]);
    let pairs = waiters.iter().map(pair).collect::<Result<Vec<_>>>()?;
    let pairs: Vec<_> = pairs.iter().map(Owned::borrow).collect();
    call::with(wake.borrow(), &[build::tuple(&pairs)?.borrow()]).map(drop)
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn flight_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: an object of this type.
    let fields = unsafe { &(*object.cast::<TaskFlight>()).fields };
    // Nobody is inside the lock while the collector runs.
    let landing = fields.as_ref().and_then(|fields| fields.landing.try_lock().ok());
    let held: Vec<_> = landing
        .iter()
        .flat_map(|landing| {
            let waiters = landing.waiters.iter().flat_map(|waiter| [&waiter.event_loop, &waiter.future]);
            waiters.chain(landing.outcome.iter().flat_map(Outcome::held))
        })
        .map(Owned::as_ptr)
        .collect();
    // SAFETY: live objects, and the collector's own function and argument.
    unsafe { types::traverse_plain(object, &held, visit, arg) }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn flight_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<TaskFlight>()).fields };
    // SAFETY: no reference is left.
    unsafe { types::dealloc_plain(object, place) };
}

/// Makes the type of flights, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let slots = [(py::Py_tp_traverse, flight_tp_traverse as *mut c_void)];
    types::plain_type_with(module, c"tamis._core.task_flight", size_of::<TaskFlight>(), flight_tp_dealloc, &slots)
}
