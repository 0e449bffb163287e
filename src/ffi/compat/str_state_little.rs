//! `PyASCIIObject.state` where the first bit field is the lowest, as compilers have it on little-endian machines
//! (Include/cpython/unicodeobject.h).

/// Where the width of the characters in bytes stands.
pub const KIND_SHIFT: u32 = 2;
/// The characters follow the head.
pub const COMPACT: u32 = 1 << 5;
/// All of them are ASCII.
pub const ASCII: u32 = 1 << 6;

/// The state with its fields at the places above, where the first field is so many bits longer than two.
#[inline(always)]
pub const fn in_place(state: u32, longer: u32) -> u32 {
    state >> longer
}
