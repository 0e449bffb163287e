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
use crate::py::flight::outcome::Outcome;
use crate::py::flight::policy::{self, Computation, Flight, Leader, Role};
use crate::py::flight::thread::ThreadFlightRef;
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
    pub fn remove(&self, hash: Hash, flight: &impl Flight) {
        let flight = flight.as_object();
        let gone = self.store().change(|store| place_of(store, hash, flight).and_then(|id| store.remove(id)));
        drop(gone);
    }

    /// Whether a flight is still there: not after its key was invalidated or put, or the cache was cleared. Runs no Python code.
    pub fn has(&self, hash: Hash, flight: &impl Flight) -> bool {
        let flight = flight.as_object();
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
    /// None once it is in the store.
    new: Option<(Key, Owned)>,
}

/// Whose the place under the key is.
enum Place {
    /// The new flight's.
    Own,
    /// This flight's, which was there.
    Of(Owned),
    /// There is no telling.
    Unknown,
    NoMemory,
}

impl Action for Join {
    type Outcome = Place;

    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Place {
        Place::Of(store.value(id).clone())
    }

    fn absent(&mut self, store: &mut Store<Key, Owned>) -> Place {
        let Some((key, flight)) = self.new.take() else { return Place::Unknown };
        match store.insert(self.hash, key, flight) {
            Ok(_none) => Place::Own,
            Err((key, flight, OutOfMemory)) => {
                self.new = Some((key, flight));
                Place::NoMemory
            }
        }
    }

    fn undecided(&mut self) -> Place {
        Place::Unknown
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

/// A flight that a call of this thread leads.
pub struct LedFlight {
    /// Of the key, in the store of flights.
    hash: Hash,
    flight: ThreadFlightRef,
}

impl LedFlight {
    /// Whether the result may be stored: invalidating, putting and clearing take a flight out, whose result is of before that.
    pub fn may_store(&self, flights: &Flights) -> bool {
        flights.has(self.hash, &self.flight)
    }

    /// Ends the flight: see [`land`].
    pub fn land(self, flights: &Flights, result: Result<Owned>) -> Result<Owned> {
        land(Some(flights), self.hash, self.flight, result)
    }
}

/// Ends a flight with a result that all get who wait for it. Reenters: as [`Leader::land`].
pub fn land(flights: Option<&Flights>, hash: Hash, leader: impl Leader, result: Result<Owned>) -> Result<Owned> {
    let (outcome, result) = Outcome::of(result);
    // First, so that nobody joins who comes after the outcome.
    if let Some(flights) = flights {
        flights.remove(hash, leader.flight());
    }
    // An exception such as KeyboardInterrupt, raised where others are told, goes before what the function raised.
    leader.land(outcome)?;
    result.map_err(|error| Raised::again(error.borrow()))
}

/// The flight that a call has to do with.
pub enum Joined<F> {
    /// This new one, which it leads. Others don't find it where there is no telling whether its key is there.
    Leads(F),
    /// One that another one leads.
    Follows(F),
}

impl Cache {
    /// Joins the flight for a key, or begins one. Reenters: `__eq__` of keys, and as [`Flight::create`].
    pub fn join<F: Flight>(
        &self,
        flights: &Flights,
        state: &State,
        key_args: &CallArgs<'_>,
        hash: Hash,
    ) -> Result<Joined<F>> {
        loop {
            let flight = F::create(state)?;
            let mut join = Join { hash, new: Some((Key::new(key_args, self.kind)?, flight.as_object().to_owned())) };
            let other = match self.locate_in(flights.store(), hash, key_args, &mut join)? {
                Place::Own | Place::Unknown => return Ok(Joined::Leads(flight)),
                Place::Of(other) => other,
                Place::NoMemory => return Err(Raised::no_memory()),
            };
            let Some(other) = F::from_object(state, other) else {
                unreachable!("a cache's flights are of one kind, and of its interpreter")
            };
            if !other.leader().is_of_another_process() {
                return Ok(Joined::Follows(other));
            }
            flights.remove(hash, &other);
        }
    }

    /// Takes the flight for a key out, if there is one: who calls from now on is not to get what is being computed now.
    /// Reenters: `__eq__` of keys.
    pub fn detach_flight(&self, flights: Option<&Flights>, key_args: &CallArgs<'_>, hash: Hash) -> Result<()> {
        let Some(flights) = flights else { return Ok(()) };
        self.locate_in(flights.store(), hash, key_args, &mut Detach).map(drop)
    }

    /// Begins a flight of threads, or waits for who computes. Counts nothing where this call is to compute. Reenters: as the computation
    /// does, `__eq__` of keys, signal handlers.
    pub fn fly(
        &self,
        flights: &Flights,
        key_args: &CallArgs<'_>,
        hash: Hash,
        computation: &impl Computation,
    ) -> Result<Role<LedFlight>> {
        let state = State::of_type(flights.kind.borrow())?;
        loop {
            let flight = match self.join(flights, state, key_args, hash)? {
                Joined::Leads(flight) => {
                    let leader = LedFlight { hash, flight };
                    let land = |leader: LedFlight, result| leader.land(flights, result);
                    return policy::lead(computation, leader, computation.look_as_leader(), land);
                }
                Joined::Follows(flight) => flight,
            };
            let flight: ThreadFlightRef = flight;
            let Some(outcome) = policy::or_missed(computation, flight.wait())? else { return Ok(Role::Alone) };
            if let Some(value) = policy::answer(computation, outcome)? {
                return Ok(Role::Answered(value));
            }
        }
    }
}

/// What a call of a cached function computes, in a cache in memory.
pub struct CallComputation<'a> {
    /// Where it is stored.
    pub cache: &'a Cache,
    /// Its options.
    pub policy: &'a Policy,
    /// The arguments that make the key.
    pub key_args: &'a CallArgs<'a>,
    /// Of the key.
    pub hash: Hash,
}

impl Computation for CallComputation<'_> {
    fn look_again(&self) -> Result<Option<Owned>> {
        let now = self.policy.options.now()?;
        match self.cache.locate(self.hash, self.key_args, &mut Peek(now))? {
            Some(value) => {
                self.cache.store.count_hit();
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
        if hit { self.cache.store.count_hit() } else { self.cache.store.count_miss() }
    }

    fn count_coalesced(&self) {
        self.policy.count_coalesced();
    }
}
