//! Values to bytes.

use crate::ffi::{Borrowed, Owned, Raised, Result, exact, object, plain};
use crate::py::codec::pickled::Serialized;
use crate::py::codec::{MOST_DEPTH, Out, TooLarge, pickled, tag};
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
) -> Result<Encoded> {
    if serializer.is_none()
        && exact::is_int(value)
        && let Some(value) = exact::short_int(value)
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
) -> Result<Encoded> {
    let start = out.len();
    if serializer.is_none() {
        let mut encoder = Encoder { out: Out { bytes: out, most }, seen: Seen::default(), canonical: false };
        match encoder.item(value, 0) {
            Ok(()) => return Ok(Encoded::Done),
            Err(Stop::TooLarge) => return Ok(Encoded::TooLarge),
            // None of the exceptions that may be set is the caller's: pickle will say what is wrong.
            Err(Stop::Raised(raised)) => drop(raised.take()),
            Err(Stop::Other) => {}
        }
        out.truncate(start);
    }
    let tag = if serializer.is_some() { tag::SERIALIZED } else { tag::PICKLE };
    let bytes = match pickled::serialize(state, serializer, value)? {
        Serialized::Bytes(bytes) => bytes,
        Serialized::Refused(exception) => return Ok(Encoded::Unserializable(exception)),
    };
    let mut out = Out { bytes: out, most };
    let written = out.byte(tag).and_then(|()| out.slice(bytes.content()));
    object::with_exception_aside(|| drop(bytes));
    Ok(if written.is_ok() { Encoded::Done } else { Encoded::TooLarge })
}

/// Appends bytes that are the same in every process, and the same for no two values that differ by more than the order of a set.
///
/// False, with `out` as it was, where the value is not of exact built-in types alone, or holds a mutable object twice, or nests
/// deeper than [`MOST_DEPTH`], or takes more bytes than `out` may become long. Runs no Python code.
pub fn encode_canonical(value: Borrowed<'_>, out: &mut Vec<u8>, most: usize) -> bool {
    let start = out.len();
    let mut encoder = Encoder { out: Out { bytes: out, most }, seen: Seen::default(), canonical: true };
    match encoder.item(value, 0) {
        Ok(()) => return true,
        Err(Stop::Raised(raised)) => drop(raised.take()),
        Err(Stop::TooLarge | Stop::Other) => {}
    }
    out.truncate(start);
    false
}

/// Why the compact form ends here.
enum Stop {
    TooLarge,
    /// This is for pickle.
    Other,
    /// As [`Stop::Other`], and an exception is set.
    Raised(Raised),
}

impl From<TooLarge> for Stop {
    fn from(_: TooLarge) -> Self {
        Self::TooLarge
    }
}

impl From<Raised> for Stop {
    fn from(raised: Raised) -> Self {
        Self::Raised(raised)
    }
}

type Step = std::result::Result<(), Stop>;

struct Encoder<'a> {
    out: Out<'a>,
    seen: Seen,
    /// Whether the items of sets are sorted by their bytes: their own order differs with the hash seed.
    canonical: bool,
}

impl Encoder<'_> {
    /// One item. Runs no Python code, except where the collector may run inside of an allocation.
    #[inline]
    fn item(&mut self, value: Borrowed<'_>, depth: u32) -> Step {
        if exact::is_str(value) {
            return plain::with_characters(value, |characters| self.out.characters(characters))?.map_err(Stop::from);
        }
        if exact::is_int(value) {
            return self.int(value);
        }
        if value.is_none() {
            return Ok(self.out.byte(tag::NONE)?);
        }
        if exact::is_bool(value) {
            return Ok(self.out.byte(if value.is_true()? { tag::TRUE } else { tag::FALSE })?);
        }
        if exact::is_float(value) {
            return Ok(self.out.fixed(tag::FLOAT, plain::float_value(value).to_ne_bytes())?);
        }
        if exact::is_bytes(value) {
            return Ok(self.out.sized(tag::BYTES, plain::bytes_of(value))?);
        }
        self.container(value, depth)
    }

    fn int(&mut self, value: Borrowed<'_>) -> Step {
        if let Some(value) = exact::short_int(value) {
            return Ok(self.out.int(value)?);
        }
        let (sign, digits) = plain::int_digits(value);
        Ok(self.out.digits(digits, sign < 0)?)
    }

    #[inline(never)]
    fn container(&mut self, value: Borrowed<'_>, depth: u32) -> Step {
        if exact::is_complex(value) {
            let (real, imaginary) = plain::complex_parts(value);
            self.out.fixed(tag::COMPLEX, real.to_ne_bytes())?;
            return Ok(self.out.slice(&imaginary.to_ne_bytes())?);
        }
        if depth == MOST_DEPTH {
            return Err(Stop::Other);
        }
        if exact::is_tuple(value) {
            let items = exact::tuple_items(value);
            self.out.counted(tag::TUPLE, items.len())?;
            return items.iter().try_for_each(|&item| self.item(item, depth + 1));
        }
        if exact::is_frozenset(value) {
            return self.set(tag::FROZENSET, value, depth);
        }
        if !exact::is_list(value) && !exact::is_dict(value) && !exact::is_set(value) && !exact::is_bytearray(value) {
            return Err(Stop::Other);
        }
        if !self.seen.is_new(value) {
            // The copy is to have one object here too, or it is a ring.
            return Err(Stop::Other);
        }
        if exact::is_list(value) {
            self.list(value, depth)
        } else if exact::is_dict(value) {
            self.dict(value, depth)
        } else if exact::is_set(value) {
            self.set(tag::SET, value, depth)
        } else {
            self.bytearray(value)
        }
    }

    fn bytearray(&mut self, value: Borrowed<'_>) -> Step {
        let mut written = Ok(());
        let room = self.out.most.saturating_sub(self.out.bytes.len());
        let fits = plain::with_bytearray(value, room, |bytes| written = self.out.sized(tag::BYTEARRAY, bytes))?;
        written?;
        if fits { Ok(()) } else { Err(Stop::TooLarge) }
    }

    fn list(&mut self, value: Borrowed<'_>, depth: u32) -> Step {
        let items = plain::own_list(value)?;
        let count = items.len();
        self.out.counted(tag::LIST, count)?;
        for at in 0..count {
            let Some(item) = items.get(at) else { return Err(Stop::Other) };
            self.item(item.borrow(), depth + 1)?;
        }
        // Finalizers may have changed it.
        if items.len() == count { Ok(()) } else { Err(Stop::Other) }
    }

    fn dict(&mut self, value: Borrowed<'_>, depth: u32) -> Step {
        let own = plain::own_dict(value)?;
        let count = plain::size_of_dict(own.borrow());
        self.out.counted(tag::DICT, count)?;
        let mut seen = 0;
        for (key, value) in plain::dict_items(own.borrow()) {
            self.item(key.borrow(), depth + 1)?;
            self.item(value.borrow(), depth + 1)?;
            seen += 1;
        }
        if seen == count && plain::size_of_dict(own.borrow()) == count { Ok(()) } else { Err(Stop::Other) }
    }

    fn set(&mut self, tag: u8, value: Borrowed<'_>, depth: u32) -> Step {
        let count = plain::size_of_set(value);
        self.out.counted(tag, count)?;
        let mut seen = 0;
        let mut sorted = Vec::new();
        for item in plain::set_items(value)? {
            let item = item?;
            seen += 1;
            if !self.canonical {
                self.item(item.borrow(), depth + 1)?;
                continue;
            }
            // What is hashable holds no mutable object of a built-in type.
            let mut bytes = Vec::new();
            let out = Out { bytes: &mut bytes, most: self.out.most };
            Encoder { out, seen: Seen::default(), canonical: true }.item(item.borrow(), depth + 1)?;
            sorted.push(bytes);
        }
        sorted.sort_unstable();
        sorted.iter().try_for_each(|bytes| self.out.slice(bytes))?;
        if seen == count { Ok(()) } else { Err(Stop::Other) }
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
