//! What a call is remembered by where processes share the entries: bytes that are equal where the arguments are.
//!
//! They say the same in every process, whatever its string hash seed. Numbers that are equal are written alike: an integral
//! float or complex number as the integer, -0.0 as 0. A NaN equals nothing in Python, and finds itself by identity; here NaNs
//! meet where their bits are the same. The items of a frozenset are sorted by their bytes. What is not of these exact
//! types is told by its type's name and the bytes that the serializer makes of it; without one, by those of the codec, with the
//! items of sets sorted, or of `tamis/_pickled.py`.

use crate::ffi::err::{self, Kind};
use crate::ffi::{Borrowed, CallArgs, Raised, Result, exact, object, plain};
use crate::py::codec::encode::encode_canonical;
use crate::py::codec::pickled::Serialized;
use crate::py::codec::{MOST_DEPTH, Out, TooLarge, pickled, tag};
use crate::py::key::KeyKind;
use crate::state::{Serializer, State};

/// The layout of a key begins with a byte that says which parts it has.
pub(in crate::py) const HAS_KEYWORDS: u8 = 1;
pub(in crate::py) const HAS_TYPES: u8 = 2;
/// One positional argument alone, of an untyped call, that is neither exactly an `int` nor exactly a `str`: see [`KeyKind::Call`].
const IS_ALONE: u8 = 4;

/// Appends the bytes of a call's key to `out`, which may become `most` bytes long. False if they take more.
///
/// The positional arguments in order; behind a mark the keyword arguments in call order, each with its name; with `typed` the
/// types of all values. Reenters: pickle or the serializer, for arguments of other than the types above.
#[inline(always)]
pub fn encode_call(
    state: &State,
    serializer: Option<&Serializer>,
    args: &CallArgs<'_>,
    kind: KeyKind,
    out: &mut Vec<u8>,
    most: usize,
) -> Result<bool> {
    if let ([value], None, false) = (args.values(), args.kwnames(), kind.is_typed())
        && exact::is_int(*value)
        && let Some(value) = exact::short_int(*value)
    {
        return Ok((Out { bytes: out, most }).int_behind([0, 1], value).is_ok());
    }
    encode_any(Encoder { state, serializer, out: Out { bytes: out, most } }, args, kind)
}

#[inline(never)]
fn encode_any(mut encoder: Encoder<'_>, args: &CallArgs<'_>, kind: KeyKind) -> Result<bool> {
    match encoder.call(args, kind) {
        Ok(()) => Ok(true),
        Err(Stop::TooLarge) => Ok(false),
        Err(Stop::Raised(raised)) => Err(raised),
    }
}

enum Stop {
    TooLarge,
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
    state: &'a State,
    serializer: Option<&'a Serializer>,
    out: Out<'a>,
}

impl Encoder<'_> {
    fn call(&mut self, args: &CallArgs<'_>, kind: KeyKind) -> Step {
        let names = args.kwnames().map_or(&[][..], exact::tuple_items);
        let (positional, named) = args.values().split_at(args.positional().len());
        let is_alone = args.single().is_some_and(|argument| kind.is_tuple_of(argument));
        let parts = if names.is_empty() { 0 } else { HAS_KEYWORDS }
            | if kind.is_typed() { HAS_TYPES } else { 0 }
            | if is_alone { IS_ALONE } else { 0 };
        self.out.counted(parts, positional.len())?;
        positional.iter().try_for_each(|&value| self.item(value, 0))?;
        if !names.is_empty() {
            self.out.number(names.len())?;
            for (&name, &value) in names.iter().zip(named) {
                self.item(name, 0)?;
                self.item(value, 0)?;
            }
        }
        if kind.is_typed() {
            args.values().iter().try_for_each(|&value| self.type_of(value))?;
        }
        Ok(())
    }

    #[inline]
    fn item(&mut self, value: Borrowed<'_>, depth: u32) -> Step {
        if exact::is_str(value) {
            return plain::with_characters(value, |characters| self.out.characters(characters))?.map_err(Stop::from);
        }
        if exact::is_int(value) {
            return match exact::short_int(value) {
                Some(value) => Ok(self.out.int(value)?),
                None => {
                    let (sign, digits) = plain::int_digits(value);
                    Ok(self.out.digits(digits, sign < 0)?)
                }
            };
        }
        if value.is_none() {
            return Ok(self.out.byte(tag::NONE)?);
        }
        if exact::is_bool(value) {
            return Ok(self.out.int(value.is_true()?.into())?);
        }
        if exact::is_float(value) {
            return self.float(plain::float_value(value));
        }
        if exact::is_bytes(value) {
            return Ok(self.out.sized(tag::BYTES, plain::bytes_of(value))?);
        }
        if exact::is_complex(value) {
            let (real, imaginary) = plain::complex_parts(value);
            // Of a complex number that is a NaN no float is the equal.
            if imaginary == 0.0 && !real.is_nan() {
                return self.float(real);
            }
            // Adding zero takes the sign of a zero away.
            self.out.fixed(tag::COMPLEX, (real + 0.0).to_ne_bytes())?;
            return Ok(self.out.slice(&imaginary.to_ne_bytes())?);
        }
        if depth < MOST_DEPTH {
            if exact::is_tuple(value) {
                let items = exact::tuple_items(value);
                self.out.counted(tag::TUPLE, items.len())?;
                return items.iter().try_for_each(|&item| self.item(item, depth + 1));
            }
            if exact::is_frozenset(value) {
                return self.frozenset(value, depth);
            }
        }
        self.other(value)
    }

    fn float(&mut self, value: f64) -> Step {
        // Between these all integral floats are exact as i64.
        const END: f64 = (1u64 << 63) as f64;
        if value != value.trunc() || value.is_infinite() {
            return Ok(self.out.fixed(tag::FLOAT, value.to_ne_bytes())?);
        }
        if (-END..END).contains(&value) {
            return Ok(self.out.int(value as i64)?);
        }
        // An integer: the mantissa with its leading bit, moved up by the exponent (IEEE 754 binary64).
        const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
        let bits = value.to_bits();
        let mantissa = bits & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS;
        let shift = (bits >> FRACTION_BITS & 0x7FF) as usize - 1075;
        let mut magnitude = [0; 1024 / 8 + size_of::<u128>()];
        let moved = u128::from(mantissa) << (shift % 8);
        magnitude[shift / 8..][..size_of::<u128>()].copy_from_slice(&moved.to_le_bytes());
        Ok(self.out.long_int(&magnitude, value < 0.0)?)
    }

    fn frozenset(&mut self, value: Borrowed<'_>, depth: u32) -> Step {
        let mut items = Vec::new();
        for item in plain::set_items(value)? {
            let mut bytes = Vec::new();
            let out = Out { bytes: &mut bytes, most: self.out.most };
            Encoder { out, ..*self }.item(item?.borrow(), depth + 1)?;
            items.push(bytes);
        }
        items.sort_unstable();
        self.out.counted(tag::FROZENSET, items.len())?;
        items.iter().try_for_each(|bytes| Ok(self.out.slice(bytes)?))
    }

    /// Reenters: pickle or the serializer.
    #[cold]
    fn other(&mut self, value: Borrowed<'_>) -> Step {
        if self.serializer.is_none() {
            let mut bytes = Vec::new();
            if encode_canonical(value, &mut bytes, self.out.most) {
                self.out.byte(tag::OTHER)?;
                self.type_of(value)?;
                return Ok(self.out.sized(tag::BYTES, &bytes)?);
            }
        }
        let bytes = match pickled::serialize_key(self.state, self.serializer, value)? {
            Serialized::Bytes(bytes) => bytes,
            Serialized::Refused(exception) if err::is_want_of_room(exception.borrow()) => {
                return Err(Raised::again(exception.borrow()).into());
            }
            Serialized::Refused(exception) => {
                let message = c"a shared cache remembers calls by bytes, and an argument of type %.200s has none";
                return Err(Raised::type_error_naming_type(message, value).caused_by(exception).into());
            }
        };
        self.out.byte(tag::OTHER)?;
        self.type_of(value)?;
        let written = self.out.sized(tag::BYTES, bytes.content());
        Ok(written?)
    }

    /// The name of a value's type, with that of its module. The program's main module has another one in processes that
    /// multiprocessing spawns.
    fn type_of(&mut self, value: Borrowed<'_>) -> Step {
        // SAFETY: a live object's type is live.
        let kind = unsafe { Borrowed::from_ptr(value.type_ptr().cast()) };
        self.out.byte(tag::TYPE)?;
        for name in [c"__module__", c"__qualname__"] {
            let name = kind.attr(object::interned(name)?.borrow())?;
            if !exact::is_str(name.borrow()) {
                return Err(Raised::with(Kind::Type, c"the type %R has no name", kind).into());
            }
            if exact::characters(name.borrow()).is_some_and(|name| name.bytes == b"__mp_main__") {
                self.item(object::interned(c"__main__")?.borrow(), 0)?;
            } else {
                self.item(name.borrow(), 0)?;
            }
        }
        Ok(())
    }
}
