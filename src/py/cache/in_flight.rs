//! Single flight: concurrent misses of one key compute once, and the others wait for that result.

use crate::core::OutOfMemory;
use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::ffi::sync::Store;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result};
use crate::py::cache::Cache;
use crate::py::cache::expiring_ops::Peek;
use crate::py::cache::lookup::{Action, Entries};
use crate::py::cache::policy::Policy;
use crate::py::flight::{Flight, Outcome};
use crate::py::function::Wrapper;
use crate::py::key::Key;
use crate::state::State;

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
        Ok(Self { store: Some(store), kind: state.types.flight.clone() })
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
    while let Some((entry, cursor)) = candidate {
        if entry.value().borrow().is(flight) {
            return Some(entry.id());
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

    fn undecided(&mut self) -> Role {
        Role::Alone
    }
}

/// Takes a flight out.
struct Detach;

impl Action for Detach {
    /// The flight, if it can be dropped now.
    type Outcome = Option<(Key, Owned)>;

    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Self::Outcome {
        store.remove(id)
    }

    fn absent(&mut self, _store: &mut Store<Key, Owned>) -> Self::Outcome {
        None
    }

    fn undecided(&mut self) -> Self::Outcome {
        None
    }
}

/// What a flight is made for: a result that is found, computed or shared.
pub trait Errand {
    /// The stored result itself, if it has come to be there since the caller looked. Counts a hit then. Reenters: as a hit does,
    /// but for `copy`.
    fn look_again(&self) -> Result<Option<Owned>>;
    /// What is there by now for the one who leads: another flight may have landed after this caller's look, and before its own flight
    /// began. Reenters: as [`Errand::look_again`].
    fn look_as_leader(&self) -> Result<Option<Owned>> {
        self.look_again()
    }
    /// What this caller gets of a result that it found. Reenters: `copy`.
    fn hand_out(&self, value: Owned) -> Result<Owned>;
    /// What this caller gets of the result that another one computed. Reenters: `copy`.
    fn share(&self, value: Owned) -> Result<Owned>;
    /// Counts a call that waited.
    fn count(&self, hit: bool);
    /// Counts a call that another one's computation has answered.
    fn count_coalesced(&self);
}

/// What a call does about a flight.
pub enum Boarded {
    /// It leads this one, and computes: [`land`] is called in the end.
    Lead(Owned),
    /// It computes without one.
    Alone,
    /// This is its result.
    Answer(Owned),
}

impl Cache {
    /// The flight for a key that is there already, or None if this one is now, or if there is no telling. Reenters: `__eq__`
    /// of keys.
    pub fn join_flight(
        &self,
        flights: &Flights,
        key_args: &CallArgs<'_>,
        hash: Hash,
        flight: Borrowed<'_>,
    ) -> Result<Option<Owned>> {
        let mut join = Join { hash, new: Some((Key::new(key_args, self.kind)?, flight.to_owned())) };
        match self.locate_in(flights.store(), hash, key_args, &mut join)? {
            Role::Lead | Role::Alone => Ok(None),
            Role::Follow(other) => Ok(Some(other)),
            Role::NoMemory => Err(Raised::no_memory()),
        }
    }

    /// The flight for a key that is there. Reenters: `__eq__` of keys.
    pub fn find_flight(&self, flights: &Flights, key_args: &CallArgs<'_>, hash: Hash) -> Result<Option<Owned>> {
        match self.locate_in(flights.store(), hash, key_args, &mut Join { hash, new: None })? {
            Role::Follow(other) => Ok(Some(other)),
            Role::Lead | Role::Alone | Role::NoMemory => Ok(None),
        }
    }

    /// Takes the flight for a key out, if there is one: who calls from now on is not to get what is being computed now.
    /// Reenters: `__eq__` of keys.
    pub fn detach_flight(&self, flights: Option<&Flights>, key_args: &CallArgs<'_>, hash: Hash) -> Result<()> {
        let Some(flights) = flights else { return Ok(()) };
        self.locate_in(flights.store(), hash, key_args, &mut Detach).map(drop)
    }

    /// Begins a flight, or waits for who computes. Counts nothing where this call is to compute. Reenters: as the errand does, `__eq__`
    /// of keys, signal handlers.
    pub fn board(
        &self,
        flights: &Flights,
        key_args: &CallArgs<'_>,
        hash: Hash,
        errand: &impl Errand,
    ) -> Result<Boarded> {
        loop {
            let flight = Flight::create(flights.kind.borrow())?;
            let Some(other) = self.join_flight(flights, key_args, hash, flight.borrow())? else {
                let found = match errand.look_as_leader() {
                    Ok(None) => return Ok(Boarded::Lead(flight)),
                    Ok(Some(value)) => Ok(value),
                    Err(raised) => Err(raised),
                };
                // When the flight has landed, so that nobody waits for a copy that is not theirs.
                return land(flights, &flight, hash, found)
                    .and_then(|value| errand.hand_out(value))
                    .map(Boarded::Answer);
            };
            // SAFETY: the objects in this store are flights.
            let leading = unsafe { Flight::of(&other) };
            if leading.is_of_another_process() {
                flights.remove(hash, &other);
                continue;
            }
            let waited = leading.wait().inspect_err(|_raised| errand.count(false));
            match waited? {
                None => return Ok(Boarded::Alone),
                Some(Outcome::Value(value)) => {
                    errand.count(true);
                    errand.count_coalesced();
                    return errand.share(value).map(Boarded::Answer);
                }
                Some(Outcome::Error(error, traceback)) => {
                    errand.count(false);
                    errand.count_coalesced();
                    return Err(Raised::again_with(error.borrow(), traceback.borrow()));
                }
                // Its leader was called off: one of those who waited leads now.
                Some(Outcome::Abandoned) => {}
            }
        }
    }
}

/// Ends a flight that this call leads, with a result that all get who wait for it. Reenters: where greenlets wait, their library.
pub fn land(flights: &Flights, flight: &Owned, hash: Hash, result: Result<Owned>) -> Result<Owned> {
    let (outcome, result) = Outcome::of(result);
    // First, so that nobody joins who comes after the outcome.
    flights.remove(hash, flight);
    // SAFETY: a flight.
    unsafe { Flight::of(flight) }.land(outcome);
    result.map_err(|error| Raised::again(error.borrow()))
}

/// A call of a cached function.
pub struct Call<'a> {
    /// What is called.
    pub wrapper: &'a Wrapper,
    /// Its options.
    pub policy: &'a Policy,
    /// The arguments that make the key.
    pub key_args: &'a CallArgs<'a>,
    /// Of the key.
    pub hash: Hash,
}

impl Errand for Call<'_> {
    fn look_again(&self) -> Result<Option<Owned>> {
        let now = self.policy.options.now()?;
        match self.wrapper.locate(self.hash, self.key_args, &mut Peek(now))? {
            Some(value) => {
                self.wrapper.store.count_hit();
                Ok(Some(value))
            }
            None => Ok(None),
        }
    }

    fn hand_out(&self, value: Owned) -> Result<Owned> {
        self.policy.copied(value)
    }

    fn share(&self, value: Owned) -> Result<Owned> {
        self.policy.copied(value)
    }

    fn count(&self, hit: bool) {
        if hit { self.wrapper.store.count_hit() } else { self.wrapper.store.count_miss() }
    }

    fn count_coalesced(&self) {
        self.policy.count_coalesced();
    }
}
