//! Single flight: concurrent misses of one key compute once, and the others wait for that result.

use super::Wrapper;
use super::actions::Peek;
use super::extra::Extra;
use super::lookup::{Action, Entries};
use crate::core::OutOfMemory;
use crate::core::hash::Hash;
use crate::core::view::SlotId;
use crate::ffi::err;
use crate::ffi::sync::Store;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result};
use crate::module::State;
use crate::py::flight::{Flight, Outcome};
use crate::py::key::Key;

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
        let gone = self.store().change(|store| {
            let mut candidate = store.first_candidate(hash);
            while let Some((id, cursor)) = candidate {
                if store.value(id).borrow().is(flight.borrow()) {
                    return store.remove(id);
                }
                candidate = store.next_candidate(hash, cursor);
            }
            None
        });
        drop(gone);
    }
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

/// What a flight computes.
pub trait Computation {
    /// The result for all who wait. It may have been stored since the caller looked. Reenters: the function.
    fn lead(&self) -> Result<Owned>;
    /// The result for one caller who can't wait. Reenters: the function.
    fn alone(&self) -> Result<Owned>;
    /// Another caller's result, as this one is to get it.
    fn landed(&self, value: Owned) -> Result<Owned>;
    /// Counts one call that waited.
    fn count(&self, hit: bool);
    /// Counts one call that another one's computation has answered.
    fn count_coalesced(&self);
}

/// A call of a cache in this process's memory.
pub struct InMemory<'a> {
    /// Of this cache.
    pub wrapper: &'a Wrapper,
    /// Its options.
    pub extra: &'a Extra,
    /// The function's arguments.
    pub args: &'a CallArgs<'a>,
    /// Those that make the key.
    pub key_args: &'a CallArgs<'a>,
    /// Of the key.
    pub hash: Hash,
}

impl Computation for InMemory<'_> {
    fn lead(&self) -> Result<Owned> {
        let Self { wrapper, extra, .. } = *self;
        let now = extra.options.now()?;
        if let Some(value) = wrapper.locate(self.hash, self.key_args, &mut Peek(now))? {
            wrapper.cache.count_hit();
            return extra.copied(value);
        }
        self.alone()
    }

    fn alone(&self) -> Result<Owned> {
        self.wrapper.compute_alone(self.extra, self.args, self.key_args, self.hash)
    }

    fn landed(&self, value: Owned) -> Result<Owned> {
        self.extra.copied(value)
    }

    fn count(&self, hit: bool) {
        if hit { self.wrapper.cache.count_hit() } else { self.wrapper.cache.count_miss() }
    }

    fn count_coalesced(&self) {
        self.extra.count_coalesced();
    }
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
        flights: &Flights,
        key_args: &CallArgs<'_>,
        hash: Hash,
        computation: &impl Computation,
    ) -> Result<Owned> {
        loop {
            let flight = Flight::create(flights.kind.borrow())?;
            match self.join(flights, key_args, hash, flight.borrow())? {
                Role::Lead => return lead(flights, &flight, hash, computation),
                Role::Alone | Role::NoMemory => return computation.alone(),
                Role::Follow(other) => {
                    // SAFETY: the objects in this store are flights.
                    let leading = unsafe { Flight::of(&other) };
                    if leading.is_of_another_process() {
                        flights.remove(hash, &other);
                        continue;
                    }
                    let waited = leading.wait().inspect_err(|_raised| computation.count(false));
                    match waited? {
                        None => return computation.alone(),
                        Some(Outcome::Value(value)) => {
                            computation.count(true);
                            computation.count_coalesced();
                            return computation.landed(value);
                        }
                        Some(Outcome::Error(error)) => {
                            computation.count(false);
                            computation.count_coalesced();
                            return Err(Raised::again(error.borrow()));
                        }
                        // Its leader was called off: one of those who waited leads now.
                        Some(Outcome::Abandoned) => {}
                    }
                }
            }
        }
    }
}

/// Reenters: as [`Wrapper::fly`].
fn lead(flights: &Flights, flight: &Owned, hash: Hash, computation: &impl Computation) -> Result<Owned> {
    let (outcome, result) = match computation.lead() {
        Ok(value) => (Outcome::Value(value.clone()), Ok(value)),
        Err(raised) => {
            let error = raised.take();
            // Others concern the leader's thread or task alone.
            let outcome = match err::is_ordinary(error.borrow()) {
                true => Outcome::Error(error.clone()),
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
