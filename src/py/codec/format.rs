//! The layout of values and keys as bytes.

/// How deep containers may nest before pickle takes the value.
pub const MOST_DEPTH: u32 = 64;

/// What an item is: its first byte.
pub mod tag {
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

/// What a key is made of: its first byte.
pub mod parts {
    pub const HAS_KEYWORDS: u8 = 1;
    pub const HAS_TYPES: u8 = 2;
    /// One positional argument alone, of an untyped call, that is neither exactly an `int` nor exactly a `str`: see `KeyKind::Call`.
    pub const IS_ALONE: u8 = 4;
}
