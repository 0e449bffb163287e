//! Single flight: concurrent misses of one key compute once, and the others wait for that result.

use super::Wrapper;
use super::actions::Peek;
use super::extra::Extra;
use super::lookup::{Action, Entries};
use crate::core::OutOfMemory;
use crate::core::hash::Hash;
use crate::core::view::SlotId;
use crate::ffi::sync::Store;
use crate::ffi::err;
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



impl Wrapper {
    /// The flight for a key that is there already, or None if this one is now. Reenters: `__eq__` of keys.
    pub fn join_flight(
        &self,
        flights: &Flights,
        key_args: &CallArgs<'_>,
        hash: Hash,
        flight: Borrowed<'_>,
    ) -> Result<Option<Owned>> {
        let mut join = Join { hash, new: Some((Key::new(key_args, self.typed)?, flight.to_owned())) };
        match self.locate_in(flights.store(), hash, key_args, &mut join)? {
            Role::Lead | Role::Alone => Ok(None),
            Role::Follow(other) => Ok(Some(other)),
            Role::NoMemory => Err(Raised::no_memory()),
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
            let new = Some((Key::new(key_args, self.typed)?, flight.clone()));
            let mut join = Join { hash, new };
            let role = self.locate_in(flights.store(), hash, key_args, &mut join)?;
            drop(join);
            match role {
                Role::Lead => return self.lead(extra, flights, &flight, args, key_args, hash),
                Role::Alone => return self.compute_alone(extra, args, key_args, hash),
                Role::NoMemory => return Err(Raised::no_memory()),
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
                        Some(Outcome::Error(error)) => {
                            self.cache.count_miss();
                            extra.count_coalesced();
                            return Err(Raised::again(error.borrow()));
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
        let result = self.compute_unless_there(extra, args, key_args, hash);
        let (outcome, result) = match result {
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

    /// Another flight may have landed after this caller's look at the cache, and before this one began.
    fn compute_unless_there(
        &self,
        extra: &Extra,
        args: &CallArgs<'_>,
        key_args: &CallArgs<'_>,
        hash: Hash,
    ) -> Result<Owned> {
        let now = extra.options.now()?;
        if let Some(value) = self.locate(hash, key_args, &mut Peek(now))? {
            self.cache.count_hit();
            return extra.copied(value);
        }
        self.compute_alone(extra, args, key_args, hash)
    }
}
