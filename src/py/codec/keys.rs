//! What a call is remembered by where processes share the entries: bytes that are equal where the arguments are.
//!
//! They say the same in every process, whatever its string hash seed. Numbers that are equal are written alike: an integral
//! float or complex number as the integer, -0.0 as 0. A NaN equals nothing in Python, and finds itself by identity; here NaNs
//! are one key where their bits are the same. The items of a frozenset are sorted by their bytes. What is not of these exact
//! types is told by its type's name and the bytes that the serializer makes of it; without one, by those of the codec, with the
//! items of sets sorted, or of `tamis/_pickled.py`.

use crate::ffi::exact::{Exact, Int, Str};
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, CallArgs, Raised, build, exact, raise};
use crate::py::codec::encode::encode_canonical;
use crate::py::codec::format::{parts, tag};
use crate::py::codec::out::{Out, TooLarge};
use crate::py::codec::pickled;
use crate::py::codec::pickled::Serialized;
use crate::py::codec::walk::{Encoder, Form, Step, Stop};
use crate::py::key::KeyKind;
use crate::state::{Serializer, State};

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
) -> crate::ffi::Result<bool> {
    if let ([value], None, false) = (args.values(), args.kwnames(), kind.is_typed())
        && let Some(value) = Exact::<Int>::of(*value).and_then(Exact::short)
    {
        return Ok((Out { bytes: out, most }).int_behind([0, 1], value).is_ok());
    }
    encode_any(Encoder { out: Out { bytes: out, most }, form: Keys { state, serializer } }, args, kind)
}

#[inline(never)]
fn encode_any(mut encoder: Encoder<'_, Keys<'_>>, args: &CallArgs<'_>, kind: KeyKind) -> crate::ffi::Result<bool> {
    match encoder.call(args, kind) {
        Ok(()) => Ok(true),
        Err(Stop::TooLarge) => Ok(false),
        Err(Stop::Other) => Err(Raised::type_error(c"an argument has changed while it was read")),
        Err(Stop::Raised(raised)) => Err(raised),
    }
}

/// The bytes of keys: the same where Python's `==` holds.
#[derive(Clone, Copy)]
struct Keys<'a> {
    state: &'a State,
    serializer: Option<&'a Serializer>,
}

impl Form for Keys<'_> {
    const SORTS_SETS: bool = true;
    const WRITES_MUTABLE: bool = false;

    fn for_item_of_set(&self) -> Self {
        *self
    }

    fn is_new(&mut self, _object: Borrowed<'_>) -> bool {
        // None is written as such.
        true
    }

    #[inline(always)]
    fn boolean(out: &mut Out<'_>, value: bool) -> Result<(), TooLarge> {
        out.int(value.into())
    }

    fn float(out: &mut Out<'_>, value: f64) -> Result<(), TooLarge> {
        // Between these all integral floats are exact as i64.
        const END: f64 = (1u64 << 63) as f64;
        if value != value.trunc() || value.is_infinite() {
            return out.fixed(tag::FLOAT, value.to_ne_bytes());
        }
        if (-END..END).contains(&value) {
            return out.int(value as i64);
        }
        // An integer: the mantissa with its leading bit, moved up by the exponent (IEEE 754 binary64).
        const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
        let bits = value.to_bits();
        let mantissa = bits & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS;
        let shift = (bits >> FRACTION_BITS & 0x7FF) as usize - 1075;
        let mut magnitude = [0; 1024 / 8 + size_of::<u128>()];
        let moved = u128::from(mantissa) << (shift % 8);
        magnitude[shift / 8..][..size_of::<u128>()].copy_from_slice(&moved.to_le_bytes());
        out.long_int(&magnitude, value < 0.0)
    }

    fn complex(out: &mut Out<'_>, real: f64, imaginary: f64) -> Result<(), TooLarge> {
        // Of a complex number that is a NaN no float is the equal.
        if imaginary == 0.0 && !real.is_nan() {
            return Self::float(out, real);
        }
        // Adding zero takes the sign of a zero away.
        out.fixed(tag::COMPLEX, (real + 0.0).to_ne_bytes())?;
        out.slice(&imaginary.to_ne_bytes())
    }

    /// Reenters: pickle or the serializer.
    #[cold]
    fn other(encoder: &mut Encoder<'_, Self>, value: Borrowed<'_>) -> Step {
        if encoder.form.serializer.is_none() {
            let mut bytes = Vec::new();
            if encode_canonical(value, &mut bytes, encoder.out.most) {
                encoder.out.byte(tag::OTHER)?;
                encoder.type_of(value)?;
                return Ok(encoder.out.sized(tag::BYTES, &bytes)?);
            }
        }
        let bytes = match pickled::serialize_key(encoder.form.state, encoder.form.serializer, value)? {
            Serialized::Bytes(bytes) => bytes,
            Serialized::Refused(exception) if raise::is_want_of_room(exception.borrow()) => {
                return Err(Raised::again(exception.borrow()).into());
            }
            Serialized::Refused(exception) => {
                let message = c"a shared cache remembers calls by bytes, and an argument of type %.200s has none";
                return Err(Raised::type_error_naming_type(message, value).caused_by(exception).into());
            }
        };
        encoder.out.byte(tag::OTHER)?;
        encoder.type_of(value)?;
        let written = encoder.out.sized(tag::BYTES, bytes.content());
        Ok(written?)
    }
}

impl Encoder<'_, Keys<'_>> {
    fn call(&mut self, args: &CallArgs<'_>, kind: KeyKind) -> Step {
        let names = args.names();
        let (positional, named) = args.values().split_at(args.positional().len());
        let is_alone = args.single().is_some_and(|argument| kind.is_tuple_of(argument));
        let which = if names.is_empty() { 0 } else { parts::HAS_KEYWORDS }
            | if kind.is_typed() { parts::HAS_TYPES } else { 0 }
            | if is_alone { parts::IS_ALONE } else { 0 };
        self.out.counted(which, positional.len())?;
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

    /// The name of a value's type, with that of its module. The program's main module has another one in processes that
    /// multiprocessing spawns.
    fn type_of(&mut self, value: Borrowed<'_>) -> Step {
        // SAFETY: a live object's type is live.
        let kind = unsafe { Borrowed::from_ptr(value.type_ptr().cast()) };
        self.out.byte(tag::TYPE)?;
        for name in [c"__module__", c"__qualname__"] {
            let name = kind.attr(build::interned(name)?.borrow())?;
            if !exact::is_str(name.borrow()) {
                return Err(Raised::with(Kind::Type, c"the type %R has no name", kind).into());
            }
            if Exact::<Str>::of(name.borrow())
                .and_then(Exact::characters)
                .is_some_and(|name| name.bytes == b"__mp_main__")
            {
                self.item(build::interned(c"__main__")?.borrow(), 0)?;
            } else {
                self.item(name.borrow(), 0)?;
            }
        }
        Ok(())
    }
}
