//! What comes of a flight, for all who wait for it.

use crate::ffi::{Owned, Result, raise};

/// What has come of a flight.
#[derive(Clone)]
pub enum Outcome {
    /// The function's result.
    Value(Owned),
    /// The exception that it raised, and the traceback that it had then: a traceback or None.
    Error(Owned, Owned),
    /// Nothing: whoever needs a result is to compute one.
    Abandoned,
}

impl Outcome {
    /// The objects that it holds, for the collector.
    pub fn held(&self) -> impl Iterator<Item = &Owned> {
        let (first, second) = match self {
            Self::Value(value) => (Some(value), None),
            Self::Error(error, traceback) => (Some(error), Some(traceback)),
            Self::Abandoned => (None, None),
        };
        first.into_iter().chain(second)
    }

    /// That of a computation with this result, and the result. Reenters: nothing but the class of an exception.
    pub fn of(result: Result<Owned>) -> (Self, std::result::Result<Owned, Owned>) {
        match result {
            Ok(value) => (Self::Value(value.clone()), Ok(value)),
            Err(raised) => {
                let error = raised.take();
                // Others concern the leader's thread or task alone.
                let outcome = match raise::is_ordinary(error.borrow()) {
                    true => Self::Error(error.clone(), raise::traceback_of(error.borrow())),
                    false => Self::Abandoned,
                };
                (outcome, Err(error))
            }
        }
    }
}
