//! Bytes that are being written.

use crate::ffi::exact::Characters;
use crate::py::codec::format::tag;
use std::mem::MaybeUninit;

/// There is no room for so many bytes.
pub struct TooLarge;

/// Bytes that are being written, of which there may be so many.
pub struct Out<'a> {
    pub bytes: &'a mut Vec<u8>,
    pub most: usize,
}

impl Out<'_> {
    /// Sees to it that there is room for so many bytes more.
    #[inline(always)]
    pub fn reserve(&mut self, count: usize) -> Result<(), TooLarge> {
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
    pub fn byte(&mut self, byte: u8) -> Result<(), TooLarge> {
        self.reserve(1)?;
        self.bytes.push(byte);
        Ok(())
    }

    #[inline(always)]
    pub fn slice(&mut self, slice: &[u8]) -> Result<(), TooLarge> {
        self.reserve(slice.len())?;
        self.bytes.extend_from_slice(slice);
        Ok(())
    }

    /// A tag and bytes of a fixed number.
    #[inline(always)]
    pub fn fixed<const N: usize>(&mut self, tag: u8, bytes: [u8; N]) -> Result<(), TooLarge> {
        self.reserve(1 + N)?;
        self.bytes.push(tag);
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    /// A tag and a number, seven bits a byte, the lowest first; the highest bit says that there are more (LEB128).
    #[inline(always)]
    pub fn counted(&mut self, tag: u8, count: usize) -> Result<(), TooLarge> {
        self.byte(tag)?;
        self.number(count)
    }

    #[inline(always)]
    pub fn number(&mut self, mut count: usize) -> Result<(), TooLarge> {
        while count >= 0x80 {
            self.byte(count as u8 | 0x80)?;
            count >>= 7;
        }
        self.byte(count as u8)
    }

    /// A tag, a length and so many bytes.
    #[inline(always)]
    pub fn sized(&mut self, tag: u8, bytes: &[u8]) -> Result<(), TooLarge> {
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
    pub fn int(&mut self, value: i64) -> Result<(), TooLarge> {
        self.int_behind::<0>([], value)
    }

    /// Some bytes, up to three, and an integer.
    #[inline(always)]
    pub fn int_behind<const N: usize>(&mut self, before: [u8; N], value: i64) -> Result<(), TooLarge> {
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
    pub fn long_int(&mut self, magnitude: &[u8], negative: bool) -> Result<(), TooLarge> {
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
    pub fn digits(&mut self, digits: &[u32], negative: bool) -> Result<(), TooLarge> {
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
    pub fn characters(&mut self, characters: Characters<'_>) -> Result<(), TooLarge> {
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
