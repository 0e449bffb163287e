//! Values and keys as bytes, for caches that processes share.
//!
//! A value is one tagged item: `None`, a number, a string, or a container of items, all of exact built-in types; or the bytes
//! that pickle (protocol 5) or the user's serializer has made of the whole value. Numbers are in the machine's own byte order:
//! a region is of one machine. Decoding trusts nothing: see `decode.rs`. A key is a list of items that are equal bytes where
//! Python's `==` holds: see `keys.rs`.

pub mod decode;
pub mod encode;
pub mod functions;
pub mod keys;
pub mod pickled;

use std::mem::MaybeUninit;

/// How deep containers may nest before pickle takes the value.
const MOST_DEPTH: u32 = 64;

/// What an item is: its first byte.
mod tag {
    pub const NONE: u8 = 0;
    pub const FALSE: u8 = 1;
    pub const TRUE: u8 = 2;
    /// Integers of 1, 2, 4 and 8 bytes, with a sign.
    pub const INT_1: u8 = 3;
    pub const INT_2: u8 = 4;
    pub const INT_4: u8 = 5;
    pub const INT_8: u8 = 6;
    /// A magnitude: its length, and its bytes from the lowest on.
    pub const NATURAL: u8 = 7;
    pub const NEGATIVE: u8 = 8;
    /// 8 bytes.
    pub const FLOAT: u8 = 9;
    /// 16 bytes.
    pub const COMPLEX: u8 = 10;
    /// A length in bytes, and characters of 1, 1, 2 or 4 bytes.
    pub const ASCII: u8 = 11;
    pub const STR_1: u8 = 12;
    pub const STR_2: u8 = 13;
    pub const STR_4: u8 = 14;
    /// A length, and bytes.
    pub const BYTES: u8 = 15;
    pub const BYTEARRAY: u8 = 16;
    /// A count, and items.
    pub const TUPLE: u8 = 17;
    pub const LIST: u8 = 18;
    pub const SET: u8 = 19;
    pub const FROZENSET: u8 = 20;
    /// A count, and a key and a value for each.
    pub const DICT: u8 = 21;
    /// All bytes that follow.
    pub const PICKLE: u8 = 22;
    pub const SERIALIZED: u8 = 23;
    /// In keys: a type, a length, and what pickle or the serializer made of an object.
    pub const OTHER: u8 = 24;
    /// In keys: the name of a type.
    pub const TYPE: u8 = 25;
    /// Strings of up to 63 ASCII characters, whose number is in the tag.
    pub const SHORT_ASCII: u8 = 0x40;
    pub const SHORT_ASCII_MOST: usize = 0x3F;
    /// Integers from 0 to 127, in the tag.
    pub const SMALL_INT: u8 = 0x80;
}

/// What has made a value's bytes, by the first of them.
pub fn maker(first: Option<u8>) -> &'static str {
    match first {
        Some(tag::PICKLE) => "pickle",
        Some(tag::SERIALIZED) => "serializer",
        _ => "codec",
    }
}

/// There is no room for so many bytes.
pub struct TooLarge;

/// Bytes that are being written, of which there may be so many.
struct Out<'a> {
    bytes: &'a mut Vec<u8>,
    most: usize,
}

impl Out<'_> {
    /// Sees to it that there is room for so many bytes more.
    #[inline(always)]
    fn reserve(&mut self, count: usize) -> Result<(), TooLarge> {
        let len = self.bytes.len();
        if count > self.most.saturating_sub(len) {
            return Err(TooLarge);
        }
        if count <= self.bytes.capacity() - len { Ok(()) } else { self.grow(count) }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, count: usize) -> Result<(), TooLarge> {
        self.bytes.try_reserve(count).map_err(|_| TooLarge)
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) -> Result<(), TooLarge> {
        self.reserve(1)?;
        self.bytes.push(byte);
        Ok(())
    }

    #[inline(always)]
    fn slice(&mut self, slice: &[u8]) -> Result<(), TooLarge> {
        self.reserve(slice.len())?;
        self.bytes.extend_from_slice(slice);
        Ok(())
    }

    /// A tag and bytes of a fixed number.
    #[inline(always)]
    fn fixed<const N: usize>(&mut self, tag: u8, bytes: [u8; N]) -> Result<(), TooLarge> {
        self.reserve(1 + N)?;
        self.bytes.push(tag);
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    /// A tag and a number, seven bits a byte, the lowest first; the highest bit says that there are more (LEB128).
    #[inline(always)]
    fn counted(&mut self, tag: u8, count: usize) -> Result<(), TooLarge> {
        self.byte(tag)?;
        self.number(count)
    }

    #[inline(always)]
    fn number(&mut self, mut count: usize) -> Result<(), TooLarge> {
        while count >= 0x80 {
            self.byte(count as u8 | 0x80)?;
            count >>= 7;
        }
        self.byte(count as u8)
    }

    /// A tag, a length and so many bytes.
    #[inline(always)]
    fn sized(&mut self, tag: u8, bytes: &[u8]) -> Result<(), TooLarge> {
        self.counted(tag, bytes.len())?;
        self.slice(bytes)
    }

    /// The lowest bytes of a number, from the lowest on, in one store: whoever reads them at once need not wait for several.
    #[inline(always)]
    fn packed(&mut self, bytes: u64, count: usize) -> Result<(), TooLarge> {
        let len = self.bytes.len();
        if count > self.most.saturating_sub(len) {
            return Err(TooLarge);
        }
        let Some(place) = self.bytes.spare_capacity_mut().first_chunk_mut() else {
            self.grow(size_of::<u64>())?;
            return self.slice(&bytes.to_le_bytes()[..count]);
        };
        *place = bytes.to_le_bytes().map(MaybeUninit::new);
        // SAFETY: eight bytes more are there, and `count` of them count.
        unsafe { self.bytes.set_len(len + count.min(size_of::<u64>())) };
        Ok(())
    }

    /// An integer, in as few bytes as it takes.
    #[inline(always)]
    fn int(&mut self, value: i64) -> Result<(), TooLarge> {
        self.int_behind::<0>([], value)
    }

    /// Some bytes, up to three, and an integer.
    #[inline(always)]
    fn int_behind<const N: usize>(&mut self, before: [u8; N], value: i64) -> Result<(), TooLarge> {
        const { assert!(N <= 3) };
        let before = before.iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte));
        let with = |tag: u8, rest: u64| before | (u64::from(tag) | rest << 8) << (8 * N);
        if let Ok(value @ 0..0x80) = u8::try_from(value) {
            self.packed(with(tag::SMALL_INT | value, 0), N + 1)
        } else if let Ok(value) = i8::try_from(value) {
            self.packed(with(tag::INT_1, u8::from_le_bytes(value.to_ne_bytes()).into()), N + 2)
        } else if let Ok(value) = i16::try_from(value) {
            self.packed(with(tag::INT_2, u16::from_le_bytes(value.to_ne_bytes()).into()), N + 3)
        } else if let Ok(value) = i32::try_from(value) {
            self.packed(with(tag::INT_4, u32::from_le_bytes(value.to_ne_bytes()).into()), N + 5)
        } else {
            self.packed(before, N)?;
            self.fixed(tag::INT_8, value.to_ne_bytes())
        }
    }

    /// An integer of any size. `magnitude` holds its bytes from the lowest on, perhaps with zeros at the end.
    fn long_int(&mut self, magnitude: &[u8], negative: bool) -> Result<(), TooLarge> {
        let used = magnitude.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let magnitude = &magnitude[..used];
        if used <= size_of::<i64>() {
            let mut eight = [0; size_of::<i64>()];
            eight[..used].copy_from_slice(magnitude);
            let value = i128::from(u64::from_le_bytes(eight));
            if let Ok(value) = i64::try_from(if negative { -value } else { value }) {
                return self.int(value);
            }
        }
        self.sized(if negative { tag::NEGATIVE } else { tag::NATURAL }, magnitude)
    }

    /// An integer of any size, from its digits of 30 bits.
    fn digits(&mut self, digits: &[u32], negative: bool) -> Result<(), TooLarge> {
        const DIGIT_BITS: u32 = 30;
        self.reserve(digits.len() * 4)?;
        let mut magnitude = Vec::with_capacity(digits.len() * 4);
        let (mut pending, mut bits) = (0_u64, 0);
        for &digit in digits {
            pending |= u64::from(digit) << bits;
            bits += DIGIT_BITS;
            while bits >= u8::BITS {
                magnitude.push(pending as u8);
                pending >>= u8::BITS;
                bits -= u8::BITS;
            }
        }
        magnitude.push(pending as u8);
        self.long_int(&magnitude, negative)
    }

    /// A string of characters of `width` bytes.
    #[inline(always)]
    fn characters(&mut self, characters: crate::ffi::exact::Characters<'_>) -> Result<(), TooLarge> {
        let bytes = characters.bytes;
        if !characters.ascii {
            let tag = match characters.width {
                1 => tag::STR_1,
                2 => tag::STR_2,
                _ => tag::STR_4,
            };
            return self.sized(tag, bytes);
        }
        if bytes.len() <= tag::SHORT_ASCII_MOST {
            self.byte(tag::SHORT_ASCII | bytes.len() as u8)?;
            return self.slice(bytes);
        }
        self.sized(tag::ASCII, bytes)
    }
}
