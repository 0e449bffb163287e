//! What single flight does, once for threads and tasks.

use crate::ffi::{Borrowed, Owned, Raised, Result};
use crate::py::flight::outcome::Outcome;
use crate::state::State;
use crate::state::threads::Thread;

/// A reference to a flight.
pub trait Flight: Sized {
    /// A flight that the running thread or task is to lead. Reenters: as `Threads::current`.
    fn create(state: &State) -> Result<Self>;
    /// The flight that this object is, if it is one of this kind, of this interpreter.
    fn from_object(state: &State, object: Owned) -> Option<Self>;
    /// As an object.
    fn as_object(&self) -> Borrowed<'_>;
    /// The thread of its leader. If a fork has left that behind, nobody leads the flight.
    fn leader(&self) -> Thread;
}

/// What leads a flight.
pub trait Leader {
    /// Of its kind.
    type Flight: Flight;
    /// The flight.
    fn flight(&self) -> &Self::Flight;
    /// Tells everybody who waits what has come of it, and everybody who comes later. No exception is set. Reenters: what wakes
    /// greenlets or tasks.
    fn land(self, outcome: Outcome) -> Result<()>;
}

/// What a flight is made for: a result that is found, computed or shared.
pub trait Computation {
    /// The stored result itself, if it has come to be there since the caller looked. Counts a hit then. Reenters: as a hit does,
    /// but for `copy`.
    fn look_again(&self) -> Result<Option<Owned>>;
    /// What is there by now for the one who leads: another flight may have landed after this caller's look, and before its own flight
    /// began. Reenters: as [`Computation::look_again`].
    fn look_as_leader(&self) -> Result<Option<Owned>> {
        self.look_again()
    }
    /// What this caller gets of a result that it found or computed. Reenters: `copy`.
    fn hand_out(&self, value: Owned) -> Result<Owned>;
    /// What this caller gets of the result that another one computed. Reenters: `copy`, a serializer.
    fn share(&self, value: Owned) -> Result<Owned>;
    /// Counts a call that waited.
    fn count(&self, hit: bool);
    /// Counts a call that another one's computation has answered.
    fn count_coalesced(&self);
}

/// What a call does about a flight, where it does not wait.
pub enum Role<L> {
    /// It leads this one, and computes. It lands the flight in the end.
    Leader(L),
    /// It computes without one.
    Alone,
    /// This is its result.
    Answered(Owned),
}

/// What a leader does who has `found` this when it looked again: computes, or lands its flight. Reenters: as `land`, and as
/// [`Computation::hand_out`].
pub fn lead<L>(
    computation: &impl Computation,
    leader: L,
    found: Result<Option<Owned>>,
    land: impl FnOnce(L, Result<Owned>) -> Result<Owned>,
) -> Result<Role<L>> {
    let found = match found {
        Ok(None) => return Ok(Role::Leader(leader)),
        Ok(Some(value)) => Ok(value),
        Err(raised) => Err(raised),
    };
    // When the flight has landed, so that nobody waits for a copy that is not theirs.
    land(leader, found).and_then(|value| computation.hand_out(value)).map(Role::Answered)
}

/// What a follower gets of a flight that has landed. None if its leader was called off: one of those who waited leads now. Reenters:
/// as [`Computation::share`].
pub fn answer(computation: &impl Computation, outcome: Outcome) -> Result<Option<Owned>> {
    match outcome {
        Outcome::Value(value) => {
            computation.count(true);
            computation.count_coalesced();
            computation.share(value).map(Some)
        }
        Outcome::Error(error, traceback) => {
            computation.count(false);
            computation.count_coalesced();
            // As it left the leader: it does not grow with those who waited.
            Err(Raised::again_with(error.borrow(), traceback.borrow()))
        }
        Outcome::Abandoned => Ok(None),
    }
}

/// Counts a miss where a wait has ended in an exception, which is not the leader's: a signal handler raised it, or the task was
/// cancelled.
pub fn or_missed<T>(computation: &impl Computation, waited: Result<T>) -> Result<T> {
    waited.inspect_err(|_raised| computation.count(false))
}
