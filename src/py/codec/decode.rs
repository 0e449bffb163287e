//! Bytes to values.
//!
//! The bytes may be damaged, or have been made to do harm. Each length is held against the bytes that are there before anything
//! is made of it; all counts of items together against their number, since an item takes a byte at least, so that no more than
//! some ten times their size is ever allocated; the depth against [`MOST_DEPTH`].

use crate::ffi::{Owned, Raised, Result, build};
use crate::py::codec::format::{MOST_DEPTH, parts, tag};
use crate::py::codec::pickled;
use crate::state::{KeyStrings, Serializer, State};

/// What has come of decoding.
pub enum Decoded {
    /// The value, and whether it is immutable through and through.
    Value(Owned, bool),
    /// These bytes are of no value, or pickle or the serializer would not have them.
    Damaged,
}

/// The value of these bytes. Reenters: pickle or the serializer, where they have made them.
pub fn decode(state: &State, serializer: Option<&Serializer>, bytes: &[u8]) -> Result<Decoded> {
    if let Some((&tag @ (tag::PICKLE | tag::SERIALIZED), content)) = bytes.split_first() {
        // A region may have been used with other options.
        if (tag == tag::SERIALIZED) != serializer.is_some() {
            return Ok(Decoded::Damaged);
        }
        return Ok(match pickled::deserialize(state, serializer, content)? {
            Some(value) => Decoded::Value(value, false),
            None => Decoded::Damaged,
        });
    }
    if serializer.is_some() {
        return Ok(Decoded::Damaged);
    }
    Ok(decode_built_in(state, bytes))
}

/// As [`decode`], of values of exact built-in types alone: the bytes of others are damaged. Runs no Python code.
pub fn decode_built_in(state: &State, bytes: &[u8]) -> Decoded {
    let mut decoder =
        Decoder { rest: bytes, items: bytes.len(), immutable: true, of_key: false, names: Some(&state.key_strings) };
    match decoder.item(0) {
        Ok(value) if decoder.rest.is_empty() => Decoded::Value(value, decoder.immutable),
        Ok(_) | Err(DecodeError::Damaged) => Decoded::Damaged,
        Err(DecodeError::Raised(raised)) => {
            // An unhashable key, a character beyond Unicode: damage. Want of memory is nobody's fault either.
            drop(raised.take());
            Decoded::Damaged
        }
    }
}

/// What a key's bytes say of the call, as `_core._call` has it. None if they are damaged. Runs no Python code.
pub fn decode_call(bytes: &[u8]) -> Option<Owned> {
    let mut decoder = Decoder { rest: bytes, items: bytes.len(), immutable: true, of_key: true, names: None };
    match decoder.call() {
        Ok(call) => Some(call),
        Err(DecodeError::Damaged) => None,
        Err(DecodeError::Raised(raised)) => {
            drop(raised.take());
            None
        }
    }
}

enum DecodeError {
    Damaged,
    Raised(Raised),
}

impl From<Raised> for DecodeError {
    fn from(raised: Raised) -> Self {
        Self::Raised(raised)
    }
}

type DecodeResult<T> = std::result::Result<T, DecodeError>;

struct Decoder<'a> {
    rest: &'a [u8],
    /// How many items there may still be.
    items: usize,
    immutable: bool,
    of_key: bool,
    names: Option<&'a KeyStrings>,
}

impl<'a> Decoder<'a> {
    #[inline(always)]
    fn byte(&mut self) -> DecodeResult<u8> {
        let (&first, rest) = self.rest.split_first().ok_or(DecodeError::Damaged)?;
        self.rest = rest;
        Ok(first)
    }

    #[inline(always)]
    fn slice(&mut self, count: usize) -> DecodeResult<&'a [u8]> {
        let (slice, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Damaged)?;
        self.rest = rest;
        Ok(slice)
    }

    #[inline(always)]
    fn fixed<const N: usize>(&mut self) -> DecodeResult<[u8; N]> {
        let (fixed, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Damaged)?;
        self.rest = rest;
        Ok(*fixed)
    }

    #[inline(always)]
    fn number(&mut self) -> DecodeResult<usize> {
        let (mut number, mut shift) = (0_usize, 0);
        loop {
            let byte = self.byte()?;
            if shift >= usize::BITS - 7 {
                return Err(DecodeError::Damaged);
            }
            number |= usize::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    /// A length, and so many bytes.
    #[inline(always)]
    fn sized(&mut self) -> DecodeResult<&'a [u8]> {
        let count = self.number()?;
        self.slice(count)
    }

    /// A count of items, each of `each` further ones.
    #[inline(always)]
    fn count(&mut self, each: usize) -> DecodeResult<usize> {
        let count = self.number()?;
        let items = count.checked_mul(each).ok_or(DecodeError::Damaged)?;
        self.items = self.items.checked_sub(items).ok_or(DecodeError::Damaged)?;
        Ok(count)
    }

    /// One item. Runs no Python code, except where the collector may run inside of an allocation.
    fn item(&mut self, depth: u32) -> DecodeResult<Owned> {
        let tag = self.byte()?;
        if tag & tag::SMALL_INT != 0 {
            return Ok(build::int(i64::from(tag & !tag::SMALL_INT))?);
        }
        if tag & tag::SHORT_ASCII != 0 {
            let characters = self.slice(usize::from(tag & !tag::SHORT_ASCII))?;
            return ascii(characters);
        }
        Ok(match tag {
            tag::NONE => build::none(),
            tag::FALSE => build::boolean(false),
            tag::TRUE => build::boolean(true),
            tag::INT_1 => build::int(i8::from_ne_bytes(self.fixed()?).into())?,
            tag::INT_2 => build::int(i16::from_ne_bytes(self.fixed()?).into())?,
            tag::INT_4 => build::int(i32::from_ne_bytes(self.fixed()?).into())?,
            tag::INT_8 => build::int(i64::from_ne_bytes(self.fixed()?))?,
            tag::NATURAL | tag::NEGATIVE => build::int_of_magnitude(self.sized()?, tag == tag::NEGATIVE)?,
            tag::FLOAT => build::float(f64::from_ne_bytes(self.fixed()?))?,
            tag::COMPLEX => {
                let real = f64::from_ne_bytes(self.fixed()?);
                build::complex(real, f64::from_ne_bytes(self.fixed()?))?
            }
            tag::ASCII => return ascii(self.sized()?),
            tag::STR_1 => build::str_of(self.sized()?, 1)?,
            tag::STR_2 => build::str_of(self.whole(2)?, 2)?,
            tag::STR_4 => build::str_of(self.whole(4)?, 4)?,
            tag::BYTES => build::bytes(self.sized()?)?,
            tag::BYTEARRAY => {
                self.immutable = false;
                build::bytearray(self.sized()?)?
            }
            tag::OTHER if self.of_key => {
                self.byte()?;
                return self.other();
            }
            tag::TUPLE | tag::LIST | tag::SET | tag::FROZENSET | tag::DICT if depth < MOST_DEPTH => {
                self.immutable &= matches!(tag, tag::TUPLE | tag::FROZENSET);
                return match tag {
                    tag::DICT => self.dict(depth + 1),
                    tag::SET | tag::FROZENSET => self.set(tag == tag::FROZENSET, depth + 1),
                    _ => self.sequence(tag == tag::LIST, depth + 1),
                };
            }
            _ => return Err(DecodeError::Damaged),
        })
    }

    /// What stands in a key for an object: its type's name, and bytes.
    fn other(&mut self) -> DecodeResult<Owned> {
        let names = [self.type_name()?, self.type_name()?];
        if self.byte()? != tag::BYTES {
            return Err(DecodeError::Damaged);
        }
        self.sized()?;
        Ok(build::str_of(format!("<{}.{}>", names[0], names[1]).as_bytes(), 1)?)
    }

    /// A part of a type's name, as far as it is ASCII.
    fn type_name(&mut self) -> DecodeResult<String> {
        let tag = self.byte()?;
        let characters = match tag {
            tag::SHORT_ASCII..tag::SMALL_INT => self.slice(usize::from(tag & !tag::SHORT_ASCII))?,
            tag::ASCII | tag::STR_1 | tag::STR_2 | tag::STR_4 => self.sized()?,
            _ => return Err(DecodeError::Damaged),
        };
        Ok(characters.iter().map(|&byte| if byte.is_ascii_graphic() { char::from(byte) } else { '?' }).collect())
    }

    fn call(&mut self) -> DecodeResult<Owned> {
        let which = self.byte()?;
        let count = self.count(1)?;
        let mut positional = build::Filling::new(count, false)?;
        for _ in 0..count {
            positional.push(self.item(0)?);
        }
        let count = if which & parts::HAS_KEYWORDS != 0 { self.count(2)? } else { 0 };
        let mut named = build::Filling::new(count, false)?;
        for _ in 0..count {
            let (name, value) = (self.item(0)?, self.item(0)?);
            named.push(build::tuple(&[name.borrow(), value.borrow()])?);
        }
        Ok(build::tuple(&[positional.done().borrow(), named.done().borrow()])?)
    }

    /// A length, and so many bytes, which are characters of `width` bytes.
    fn whole(&mut self, width: usize) -> DecodeResult<&'a [u8]> {
        let bytes = self.sized()?;
        if bytes.len().is_multiple_of(width) { Ok(bytes) } else { Err(DecodeError::Damaged) }
    }

    fn sequence(&mut self, is_list: bool, depth: u32) -> DecodeResult<Owned> {
        let count = self.count(1)?;
        let mut filling = build::Filling::new(count, is_list)?;
        for _ in 0..count {
            filling.push(self.item(depth)?);
        }
        Ok(filling.done())
    }

    fn set(&mut self, frozen: bool, depth: u32) -> DecodeResult<Owned> {
        let count = self.count(1)?;
        let set = build::set(frozen)?;
        for _ in 0..count {
            build::add(&set, self.item(depth)?.borrow())?;
        }
        Ok(set)
    }

    /// One key of a dict.
    #[inline(always)]
    fn key(&mut self, depth: u32) -> DecodeResult<Owned> {
        if let (Some(names), Some(&tag @ tag::SHORT_ASCII..tag::SMALL_INT)) = (self.names, self.rest.first()) {
            self.byte()?;
            let characters = self.slice(usize::from(tag & !tag::SHORT_ASCII))?;
            return Ok(names.name(build::Ascii::of(characters).ok_or(DecodeError::Damaged)?)?);
        }
        self.item(depth)
    }

    fn dict(&mut self, depth: u32) -> DecodeResult<Owned> {
        let count = self.count(2)?;
        let dict = build::dict()?;
        for _ in 0..count {
            let key = self.key(depth)?;
            let value = self.item(depth)?;
            build::set_item(&dict, key.borrow(), value.borrow())?;
        }
        Ok(dict)
    }
}

#[inline(always)]
fn ascii(characters: &[u8]) -> DecodeResult<Owned> {
    Ok(build::ascii_str(build::Ascii::of(characters).ok_or(DecodeError::Damaged)?)?)
}
