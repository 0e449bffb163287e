//! What is not of exact built-in types: pickle, or the user's serializer.

use crate::ffi::{Borrowed, Owned, Raised, Result, build, call, exact, raise};
use crate::state::{Serializer, State};

/// What a serializer made of an object.
pub enum Serialized {
    Bytes(Content),
    /// The exception that says why not.
    Refused(Owned),
}

/// A `bytes` object.
pub struct Content(Owned);

impl Content {
    pub fn content(&self) -> &[u8] {
        exact::bytes_of_instance(self.0.borrow()).unwrap_or(&[])
    }
}

/// The bytes of an object. Reenters: pickle or the serializer, and what they call.
pub fn serialize(state: &State, serializer: Option<&Serializer>, value: Borrowed<'_>) -> Result<Serialized> {
    let answer = match serializer {
        Some(serializer) => call::with(serializer.dumps.borrow(), &[value]),
        None => {
            // Protocol 5 is there since Python 3.8 (PEP 574).
            let protocol = build::int(5)?;
            call::with(state.pickle()?.dumps.borrow(), &[value, protocol.borrow()])
        }
    };
    serialized(answer)
}

/// As [`serialize`], by bytes that are the same in every process, and that nothing has to load.
pub fn serialize_key(state: &State, serializer: Option<&Serializer>, value: Borrowed<'_>) -> Result<Serialized> {
    match serializer {
        Some(_) => serialize(state, serializer, value),
        None => serialized(call::with(state.pickle_key.get()?, &[value])),
    }
}

fn serialized(answer: Result<Owned>) -> Result<Serialized> {
    match answer {
        Ok(bytes) if exact::bytes_of_instance(bytes.borrow()).is_some() => Ok(Serialized::Bytes(Content(bytes))),
        Ok(other) => Err(Raised::type_error_naming_type(
            c"serializer takes an object whose dumps(obj) returns bytes, not %.200s",
            other.borrow(),
        )),
        Err(raised) => Ok(Serialized::Refused(unless_it_leaves(raised)?)),
    }
}

/// The object of these bytes, or None if they are none's. Reenters: as [`serialize`].
pub fn deserialize(state: &State, serializer: Option<&Serializer>, content: &[u8]) -> Result<Option<Owned>> {
    let bytes = build::bytes(content)?;
    let loads = match serializer {
        Some(serializer) => &serializer.loads,
        None => &state.pickle()?.loads,
    };
    match call::with(loads.borrow(), &[bytes.borrow()]) {
        Ok(value) => Ok(Some(value)),
        Err(raised) => unless_it_leaves(raised).map(|_exception| None),
    }
}

/// The exception, if it is an `Exception`. Others (KeyboardInterrupt, SystemExit) concern the caller.
fn unless_it_leaves(raised: Raised) -> Result<Owned> {
    let exception = raised.take();
    if raise::is_ordinary(exception.borrow()) { Ok(exception) } else { Err(Raised::again(exception.borrow())) }
}
