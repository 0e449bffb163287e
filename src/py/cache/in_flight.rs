//! Single flight: concurrent misses of one key compute once, and the others wait for that result.

use crate::core::OutOfMemory;
use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::ffi::{CallArgs, Owned, Raised, Result};
use crate::py::cache::Cache;
use crate::py::cache::entry_store::Store;
use crate::py::cache::flights::Flights;
use crate::py::cache::lookup::Action;
use crate::py::flight::outcome::Outcome;
use crate::py::flight::policy;
use crate::py::flight::policy::{Computation, Flight, Leader, Role};
use crate::py::flight::thread::ThreadFlightRef;
use crate::py::key::Key;
use crate::state::State;

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
    type Output = Place;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Place {
        Place::Of(store.value(id).clone())
    }

    fn absent(&mut self, store: &mut Store) -> Place {
        let Some((key, flight)) = self.new.take() else { return Place::Unknown };
        match store.insert(self.hash, key, flight) {
            Ok(_none) => Place::Own,
            Err((key, flight, OutOfMemory)) => {
                self.new = Some((key, flight));
                Place::NoMemory
            }
        }
    }

    fn nothing(&mut self) -> Place {
        Place::Unknown
    }
}

/// Takes a flight out.
struct Detach;

impl Action for Detach {
    /// The flight, if it can be dropped now.
    type Output = Option<(Key, Owned)>;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Self::Output {
        store.remove(id)
    }

    fn nothing(&mut self) -> Self::Output {
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
