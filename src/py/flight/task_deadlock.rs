//! Which flights of tasks wait for which: a task may not wait, over however many others, for itself.
//!
//! The flights that a task leads lie in its context, so that tasks which it starts, and waits for by other means, are known to belong
//! to it.

use crate::ffi::{Borrowed, Owned, Raised, Result, types};
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Locks what no panic leaves half changed.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A flight as a node of the graph of waits. Contexts hold it, and may outlive the flight by far: so it does not hold the outcome.
pub struct FlightNode {
    landed: AtomicBool,
    /// Whether other processes may wait for it.
    leased: AtomicBool,
    /// One for each task that waits, so that one may stop while others go on. Changed under `State::task_waits`.
    waits_for: Mutex<Vec<Arc<FlightNode>>>,
    /// The flight under which it began, if that had not landed by then.
    under: Option<Arc<FlightNode>>,
}

impl FlightNode {
    /// Of a flight that the running task is to lead. Reenters on first use: an import.
    pub fn new(state: &State) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            landed: AtomicBool::new(false),
            leased: AtomicBool::new(false),
            waits_for: Mutex::default(),
            under: in_context(state)?.and_then(Self::in_flight),
        }))
    }

    /// Those that the running task leads, and those that it was started under, as far as they have not landed. Reenters on first
    /// use: an import.
    pub fn running(state: &State) -> Result<Vec<Arc<Self>>> {
        Ok(Self::all_in_flight(in_context(state)?))
    }

    /// This one, or the nearest above that has not landed.
    fn in_flight(this: Arc<Self>) -> Option<Arc<Self>> {
        let mut next = Some(this);
        while let Some(node) = next {
            // Relaxed, here and below: a task sees what it has done itself, and of others it may hear late.
            if !node.landed.load(Ordering::Relaxed) {
                return Some(node);
            }
            next = node.under.clone();
        }
        None
    }

    /// This one and those above, as far as they have not landed.
    fn all_in_flight(this: Option<Arc<Self>>) -> Vec<Arc<Self>> {
        let first = this.and_then(Self::in_flight);
        std::iter::successors(first, |node| node.under.clone().and_then(Self::in_flight)).collect()
    }

    /// Whether the flight waits, over however many others, for one of these.
    pub fn waits_for_one_of(self: &Arc<Self>, own: &[Arc<Self>]) -> bool {
        let is_in = |all: &[Arc<Self>], node: &Arc<Self>| all.iter().any(|other| Arc::ptr_eq(other, node));
        let mut reached = vec![Arc::clone(self)];
        let mut at = 0;
        while let Some(node) = reached.get(at).cloned() {
            if is_in(own, &node) {
                return true;
            }
            for other in locked(&node.waits_for).iter() {
                if !is_in(&reached, other) {
                    reached.push(Arc::clone(other));
                }
            }
            at += 1;
        }
        false
    }

    /// It waits for this one too, until [`FlightNode::end_wait`]. Under `State::task_waits`.
    pub fn begin_wait(&self, whom: &Arc<Self>) {
        locked(&self.waits_for).push(Arc::clone(whom));
    }

    /// Ends what [`FlightNode::begin_wait`] has begun, once.
    pub fn end_wait(&self, whom: &Arc<Self>) {
        let mut waits_for = locked(&self.waits_for);
        if let Some(at) = waits_for.iter().position(|other| Arc::ptr_eq(other, whom)) {
            waits_for.swap_remove(at);
        }
    }

    /// It has landed.
    pub fn land(&self) {
        self.landed.store(true, Ordering::Relaxed);
    }

    /// Other processes may wait for it now.
    pub fn lease(&self) {
        self.leased.store(true, Ordering::Relaxed);
    }

    /// Whether other processes may wait for one of these: they don't see what this process waits for, so it waits for nobody then.
    pub fn is_one_leased(nodes: &[Arc<Self>]) -> bool {
        nodes.iter().any(|node| node.leased.load(Ordering::Relaxed))
    }

    /// Those that it began under, as far as they have not landed.
    pub fn above(&self) -> Vec<Arc<Self>> {
        Self::all_in_flight(self.under.clone())
    }

    /// Puts it into the running context, and returns the token for [`leave_context`].
    pub fn enter_context(self: &Arc<Self>, state: &State) -> Result<Owned> {
        let node = Some(Arc::clone(self));
        let offset = std::mem::offset_of!(NodeObject, node);
        // SAFETY: the type that `make_type` has made, and the field of its instances.
        let object = unsafe { types::plain_instance(state.types.led.borrow(), node, offset) }?;
        // SAFETY: a context variable and a live object.
        let token = unsafe { py::PyContextVar_Set(state.leading.get()?.as_ptr(), object.as_ptr()) };
        // SAFETY: a new reference, or null with an exception set.
        unsafe { Owned::from_call(token) }
    }
}

impl Drop for FlightNode {
    fn drop(&mut self) {
        // One after the other: as many may lie above each other as coroutines await each other.
        let mut next = self.under.take();
        while let Some(node) = next {
            next = Arc::into_inner(node).and_then(|mut node| node.under.take());
        }
    }
}

/// Gives the running context back what it had before [`FlightNode::enter_context`].
pub fn leave_context(state: &State, token: &Owned) {
    let reset = state.leading.get().and_then(|variable| {
        // SAFETY: the variable and a token of its.
        match unsafe { py::PyContextVar_Reset(variable.as_ptr(), token.as_ptr()) } {
            0 => Ok(()),
            _ => Err(Raised::by_callee()),
        }
    });
    if let Err(raised) = reset {
        // Closed from another context.
        drop(raised.take());
    }
}

/// A [`FlightNode`] in a context.
#[repr(C)]
struct NodeObject {
    _ob_base: py::PyObject,
    /// None, which is zero, before it is written.
    node: Option<Arc<FlightNode>>,
}

/// The last of the running context, whether it has landed or not. Reenters on first use: an import.
fn in_context(state: &State) -> Result<Option<Arc<FlightNode>>> {
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
    Ok(unsafe { &*found.as_ptr().cast::<NodeObject>() }.node.clone())
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn node_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<NodeObject>()).node };
    // SAFETY: no reference is left.
    unsafe { types::dealloc_plain(object, place) };
}

/// How many flights there are in the air, for tests.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn node_sq_length(object: *mut py::PyObject) -> py::Py_ssize_t {
    // SAFETY: an object of this type.
    let node = unsafe { &(*object.cast::<NodeObject>()).node };
    FlightNode::all_in_flight(node.clone()).len() as py::Py_ssize_t
}

/// Makes the type of what contexts hold, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let slots = [(py::Py_sq_length, node_sq_length as *mut c_void)];
    types::plain_type_with(module, c"tamis._core.led", size_of::<NodeObject>(), node_tp_dealloc, &slots)
}
