//! Single flight: concurrent misses of one key compute once, and the others wait for that result.

use super::Wrapper;
use super::actions::Peek;
use super::extra::Extra;
use super::lookup::{Action, Entries};
use crate::core::OutOfMemory;
use crate::core::hash::Hash;
use crate::core::view::SlotId;
use crate::ffi::sync::Store;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, err};
use crate::module::State;
use crate::py::flight::{Flight, Outcome};
use crate::py::key::Key;
use pyo3_ffi as py;

/// What is being computed, under its key.
pub struct Flights {
    /// None once it is dropped.
    store: Option<Entries>,
    kind: Owned,
}

impl Flights {
    /// Nothing so far.
    pub fn new(state: &State) -> Result<Self> {
        let store = Entries::new(usize::MAX).map_err(|OutOfMemory| Raised::no_memory())?;
        Ok(Self { store: Some(store), kind: state.flight_type.clone() })
    }

    fn store(&self) -> &Entries {
        let Some(store) = &self.store else { unreachable!("taken by drop alone") };
        store
    }

    /// Takes all flights out. Those who wait go on waiting. Reenters: finalizers of keys.
    pub fn forget(&self) {
        // Without memory they stay.
        self.store().clear(|_| ()).into_iter().flatten().for_each(drop);
    }

    /// Takes a flight out. Runs no Python code.
    pub fn remove(&self, hash: Hash, flight: &Owned) {
        let gone = self.store().change(|store| place_of(store, hash, flight.borrow()).and_then(|id| store.remove(id)));
        drop(gone);
    }

    /// Whether a flight is still there: not after its key was invalidated or put, or the cache was cleared. Runs no Python code.
    pub fn has(&self, hash: Hash, flight: Borrowed<'_>) -> bool {
        self.store().change(|store| place_of(store, hash, flight).is_some())
    }
}

fn place_of(store: &Store<Key, Owned>, hash: Hash, flight: Borrowed<'_>) -> Option<SlotId> {
    let mut candidate = store.first_candidate(hash);
    while let Some((id, cursor)) = candidate {
        if store.value(id).borrow().is(flight) {
            return Some(id);
        }
        candidate = store.next_candidate(hash, cursor);
    }
    None
}

impl Drop for Flights {
    fn drop(&mut self) {
        // A call holds its wrapper, so there is no flight any more.
        self.store.take().into_iter().flat_map(Entries::into_contents).for_each(drop);
    }
}

/// Takes the flight for a key out.
struct Forget;

impl Action for Forget {
    type Outcome = Option<(Key, Owned)>;

    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Self::Outcome {
        store.remove(id)
    }

    fn absent(&mut self, _store: &mut Store<Key, Owned>) -> Self::Outcome {
        None
    }

    fn unsettled(&mut self) -> Self::Outcome {
        None
    }
}

/// Joins the flight for a key, or adds one.
struct Join {
    hash: Hash,
    new: Option<(Key, Owned)>,
}

enum Role {
    /// Others wait for this caller.
    Lead,
    /// This caller waits for that flight.
    Follow(Owned),
    /// There is no telling.
    Alone,
    NoMemory,
}

impl Action for Join {
    type Outcome = Role;

    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Role {
        Role::Follow(store.value(id).clone())
    }

    fn absent(&mut self, store: &mut Store<Key, Owned>) -> Role {
        let Some((key, flight)) = self.new.take() else { return Role::Alone };
        match store.insert(self.hash, key, flight) {
            Ok(_none) => Role::Lead,
            Err((key, flight, OutOfMemory)) => {
                self.new = Some((key, flight));
                Role::NoMemory
            }
        }
    }

    fn unsettled(&mut self) -> Role {
        Role::Alone
    }
}

/// Whether it is an error that concerns all who wait for the result, and not the leader's thread or task alone.
fn is_shared_with_all(exception: Borrowed<'_>) -> bool {
    // SAFETY: set up before any extension is imported.
    let class = unsafe { py::PyExc_Exception };
    // SAFETY: two live objects.
    unsafe { py::PyErr_GivenExceptionMatches(exception.as_ptr(), class) != 0 }
}

impl Wrapper {
    /// Reenters: `__eq__` of keys.
    fn join(&self, flights: &Flights, key_args: &CallArgs<'_>, hash: Hash, flight: Borrowed<'_>) -> Result<Role> {
        let mut join = Join { hash, new: Some((Key::new(key_args, self.typed)?, flight.to_owned())) };
        match self.locate_in(flights.store(), hash, key_args, &mut join)? {
            Role::NoMemory => Err(Raised::no_memory()),
            role => Ok(role),
        }
    }

    /// The flight for a key that is there already, or None if this one is now. Reenters: `__eq__` of keys.
    pub fn join_flight(
        &self,
        flights: &Flights,
        key_args: &CallArgs<'_>,
        hash: Hash,
        flight: Borrowed<'_>,
    ) -> Result<Option<Owned>> {
        match self.join(flights, key_args, hash, flight)? {
            Role::Follow(other) => Ok(Some(other)),
            Role::Lead | Role::Alone | Role::NoMemory => Ok(None),
        }
    }

    /// Who calls with this key from now on is not to get what is being computed for it now; those who wait already do. Reenters:
    /// `__eq__` of keys, finalizers.
    pub fn forget_flight(&self, extra: &Extra, key_args: &CallArgs<'_>, hash: Hash) -> Result<()> {
        let Some(flights) = &extra.flights else { return Ok(()) };
        self.locate_in(flights.store(), hash, key_args, &mut Forget).map(drop)
    }

    /// The flight for a key that is there. Reenters: `__eq__` of keys.
    pub fn find_flight(&self, flights: &Flights, key_args: &CallArgs<'_>, hash: Hash) -> Result<Option<Owned>> {
        match self.locate_in(flights.store(), hash, key_args, &mut Join { hash, new: None })? {
            Role::Follow(other) => Ok(Some(other)),
            Role::Lead | Role::Alone | Role::NoMemory => Ok(None),
        }
    }

    /// Computes, or waits for who computes. Reenters: the function, `__eq__` of keys, signal handlers, options.
    pub fn fly(
        &self,
        extra: &Extra,
        flights: &Flights,
        args: &CallArgs<'_>,
        key_args: &CallArgs<'_>,
        hash: Hash,
    ) -> Result<Owned> {
        loop {
            let flight = Flight::create(flights.kind.borrow())?;
            match self.join(flights, key_args, hash, flight.borrow())? {
                Role::Lead => return self.lead(extra, flights, &flight, args, key_args, hash),
                Role::Alone | Role::NoMemory => return self.compute_alone(extra, args, key_args, hash),
                Role::Follow(other) => {
                    // SAFETY: the objects in this store are flights.
                    let leading = unsafe { Flight::of(&other) };
                    if leading.is_of_another_process() {
                        flights.remove(hash, &other);
                        continue;
                    }
                    let waited = leading.wait().inspect_err(|_raised| self.cache.count_miss());
                    match waited? {
                        None => return self.compute_alone(extra, args, key_args, hash),
                        Some(Outcome::Value(value)) => {
                            self.cache.count_hit();
                            extra.count_coalesced();
                            return extra.copied(value);
                        }
                        Some(Outcome::Error(error, traceback)) => {
                            self.cache.count_miss();
                            extra.count_coalesced();
                            return Err(Raised::again_with(error.borrow(), traceback.borrow()));
                        }
                        // Its leader was called off: one of those who waited leads now.
                        Some(Outcome::Abandoned) => {}
                    }
                }
            }
        }
    }

    /// Reenters: as [`Wrapper::fly`].
    fn lead(
        &self,
        extra: &Extra,
        flights: &Flights,
        flight: &Owned,
        args: &CallArgs<'_>,
        key_args: &CallArgs<'_>,
        hash: Hash,
    ) -> Result<Owned> {
        let result = self.compute_unless_there(extra, flights, flight, args, key_args, hash);
        let (outcome, result) = match result {
            Ok(value) => (Outcome::Value(value.clone()), Ok(value)),
            Err(raised) => {
                let error = raised.take();
                let outcome = match is_shared_with_all(error.borrow()) {
                    true => Outcome::Error(error.clone(), err::traceback_of(error.borrow())),
                    false => Outcome::Abandoned,
                };
                (outcome, Err(error))
            }
        };
        // First, so that nobody joins who comes after the outcome.
        flights.remove(hash, flight);
        // SAFETY: a flight.
        unsafe { Flight::of(flight) }.land(outcome);
        result.map_err(|error| Raised::again(error.borrow()))
    }

    /// Another flight may have landed after this caller's look at the cache, and before this one began.
    fn compute_unless_there(
        &self,
        extra: &Extra,
        flights: &Flights,
        flight: &Owned,
        args: &CallArgs<'_>,
        key_args: &CallArgs<'_>,
        hash: Hash,
    ) -> Result<Owned> {
        let now = extra.options.now()?;
        if let Some(value) = self.locate(hash, key_args, &mut Peek(now))? {
            self.cache.count_hit();
            return extra.copied(value);
        }
        self.cache.count_miss();
        let value = self.call_function(args)?;
        // Invalidating, putting and clearing take a flight out, whose result is of before that.
        if flights.has(hash, flight.borrow()) {
            self.keep_optioned(extra, key_args, hash, &value, false)?;
        }
        Ok(value)
    }
}
