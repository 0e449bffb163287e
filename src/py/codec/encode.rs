//! Values to bytes.

use crate::ffi::exact::{Exact, Int};
use crate::ffi::{Borrowed, Owned, thread};
use crate::py::codec::format::tag;
use crate::py::codec::out::{Out, TooLarge};
use crate::py::codec::pickled;
use crate::py::codec::pickled::Serialized;
use crate::py::codec::walk::{Encoder, Form, Step, Stop};
use crate::state::{Serializer, State};
use std::collections::HashSet;

/// What has come of encoding a value.
pub enum Encoded {
    /// The bytes are written.
    Done,
    /// It takes more bytes than there may be.
    TooLarge,
    /// This exception says why it has no bytes.
    Unserializable(Owned),
}

/// Appends a value's bytes to `out`, which may become `most` bytes long. With a serializer, that does it all.
///
/// Reenters: pickle or the serializer, where the value is not of exact built-in types alone.
#[inline(always)]
pub fn encode(
    state: &State,
    serializer: Option<&Serializer>,
    value: Borrowed<'_>,
    out: &mut Vec<u8>,
    most: usize,
) -> crate::ffi::Result<Encoded> {
    if serializer.is_none()
        && let Some(value) = Exact::<Int>::of(value).and_then(Exact::short)
    {
        return Ok(if (Out { bytes: out, most }).int(value).is_ok() { Encoded::Done } else { Encoded::TooLarge });
    }
    encode_any(state, serializer, value, out, most)
}

#[inline(never)]
fn encode_any(
    state: &State,
    serializer: Option<&Serializer>,
    value: Borrowed<'_>,
    out: &mut Vec<u8>,
    most: usize,
) -> crate::ffi::Result<Encoded> {
    if serializer.is_none()
        && let Some(encoded) = encode_built_in(value, out, most)
    {
        return Ok(encoded);
    }
    let tag = if serializer.is_some() { tag::SERIALIZED } else { tag::PICKLE };
    let bytes = match pickled::serialize(state, serializer, value)? {
        Serialized::Bytes(bytes) => bytes,
        Serialized::Refused(exception) => return Ok(Encoded::Unserializable(exception)),
    };
    let mut out = Out { bytes: out, most };
    let written = out.byte(tag).and_then(|()| out.slice(bytes.content()));
    thread::with_exception_aside(|| drop(bytes));
    Ok(if written.is_ok() { Encoded::Done } else { Encoded::TooLarge })
}

/// As [`encode`], for values of exact built-in types alone. None, with `out` as it was, for others. Runs no Python code.
pub fn encode_built_in(value: Borrowed<'_>, out: &mut Vec<u8>, most: usize) -> Option<Encoded> {
    let start = out.len();
    let mut encoder = Encoder { out: Out { bytes: out, most }, form: Values::<false>::default() };
    match encoder.item(value, 0) {
        Ok(()) => return Some(Encoded::Done),
        Err(Stop::TooLarge) => return Some(Encoded::TooLarge),
        // None of the exceptions that may be set is the caller's: pickle will say what is wrong.
        Err(Stop::Raised(raised)) => drop(raised.take()),
        Err(Stop::Other) => {}
    }
    out.truncate(start);
    None
}

/// Appends bytes that are the same in every process, and the same for no two values that differ by more than the order of a set.
///
/// False, with `out` as it was, where the value is not of exact built-in types alone, or holds a mutable object twice, or nests
/// deeper than `MOST_DEPTH`, or takes more bytes than `out` may become long. Runs no Python code.
pub fn encode_canonical(value: Borrowed<'_>, out: &mut Vec<u8>, most: usize) -> bool {
    let start = out.len();
    let mut encoder = Encoder { out: Out { bytes: out, most }, form: Values::<true>::default() };
    match encoder.item(value, 0) {
        Ok(()) => return true,
        Err(Stop::Raised(raised)) => drop(raised.take()),
        Err(Stop::TooLarge | Stop::Other) => {}
    }
    out.truncate(start);
    false
}

/// The bytes of values, or with `CANONICAL` those that are the same in every process.
#[derive(Default)]
struct Values<const CANONICAL: bool> {
    seen: Seen,
}

impl<const CANONICAL: bool> Form for Values<CANONICAL> {
    const SORTS_SETS: bool = CANONICAL;
    const WRITES_MUTABLE: bool = true;

    fn for_item_of_set(&self) -> Self {
        // What is hashable holds no mutable object of a built-in type.
        Self::default()
    }

    fn is_new(&mut self, object: Borrowed<'_>) -> bool {
        self.seen.is_new(object)
    }

    #[inline(always)]
    fn boolean(out: &mut Out<'_>, value: bool) -> Result<(), TooLarge> {
        out.byte(if value { tag::TRUE } else { tag::FALSE })
    }

    #[inline(always)]
    fn float(out: &mut Out<'_>, value: f64) -> Result<(), TooLarge> {
        out.fixed(tag::FLOAT, value.to_ne_bytes())
    }

    fn complex(out: &mut Out<'_>, real: f64, imaginary: f64) -> Result<(), TooLarge> {
        out.fixed(tag::COMPLEX, real.to_ne_bytes())?;
        out.slice(&imaginary.to_ne_bytes())
    }

    fn other(_encoder: &mut Encoder<'_, Self>, _value: Borrowed<'_>) -> Step {
        Err(Stop::Other)
    }
}

/// The mutable objects that were met.
#[derive(Default)]
struct Seen {
    few: [usize; Seen::FEW],
    count: usize,
    /// Made when there are more.
    many: Option<HashSet<usize>>,
}

impl Seen {
    /// So many are looked through one by one.
    const FEW: usize = 8;

    fn is_new(&mut self, object: Borrowed<'_>) -> bool {
        let address = object.as_ptr().addr();
        if self.few[..self.count].contains(&address) {
            return false;
        }
        if let Some(place) = self.few.get_mut(self.count) {
            *place = address;
            self.count += 1;
            return true;
        }
        self.many.get_or_insert_default().insert(address)
    }
}
