//! `PyASCIIObject` (Include/cpython/unicodeobject.h): the head of every `str`, and the characters behind it.

use super::str_state::{ASCII, COMPACT, KIND_SHIFT, in_place};
use super::{COMPACT_STR_HEAD, FREE_THREADED_INTERNED_IS_A_BYTE};
use crate::ffi::reference::Borrowed;
use crate::ffi::sync::FREE_THREADED;
use pyo3_ffi as py;
use std::sync::atomic::{AtomicIsize, AtomicU32, Ordering};

/// The bytes before the characters of a compact ASCII string.
pub const ASCII_STR_HEAD: usize = size_of::<py::PyASCIIObject>();
/// By how many bits the first field of `PyASCIIObject.state` is longer than usual.
const INTERNED_IS_LONGER: u32 = if FREE_THREADED && FREE_THREADED_INTERNED_IS_A_BYTE { 6 } else { 0 };
/// The width of the characters in bytes takes three bits.
const KIND_MASK: u32 = 7;
/// Of compact ASCII strings.
const COMPACT_ASCII: u32 = 1 << KIND_SHIFT | COMPACT | ASCII;

/// The characters of a `str`, and how they lie.
#[derive(Clone, Copy)]
pub struct Characters<'a> {
    /// The bytes of the characters.
    pub bytes: &'a [u8],
    /// How many bytes a character takes: the fewest that suffice for all of them.
    pub width: u8,
    /// Whether all are ASCII.
    pub ascii: bool,
}

/// The hash that a string keeps, if it was asked for it before.
///
/// # Safety
/// The object is a `str`.
#[inline(always)]
pub unsafe fn str_hash(object: Borrowed<'_>) -> Option<u64> {
    let string = object.as_ptr().cast::<py::PyASCIIObject>();
    // SAFETY: the object is a str, as the caller says.
    let field = unsafe { &raw mut (*string).hash };
    // SAFETY: the field lives as long as the object. Other threads may fill it in meanwhile.
    let hash = unsafe { AtomicIsize::from_ptr(field) };
    // Relaxed: a number alone; it is -1 or final.
    match hash.load(Ordering::Relaxed) {
        -1 => None,
        hash => Some(hash as u64),
    }
}

/// How many characters.
///
/// # Safety
/// The object is a `str`.
#[inline(always)]
pub unsafe fn str_length(object: Borrowed<'_>) -> usize {
    // SAFETY: the object is a str, as the caller says.
    unsafe { (*object.as_ptr().cast::<py::PyASCIIObject>()).length as usize }
}

/// The characters. None if they don't follow the head.
///
/// # Safety
/// The object is an exact `str`, whose characters never change.
#[inline(always)]
pub unsafe fn characters(object: Borrowed<'_>) -> Option<Characters<'_>> {
    // SAFETY: a str, as the caller says.
    let state = unsafe { str_state(object) };
    if state & COMPACT == 0 {
        return None;
    }
    let ascii = state & ASCII != 0;
    let head = if ascii { ASCII_STR_HEAD } else { COMPACT_STR_HEAD };
    let width = (state >> KIND_SHIFT & KIND_MASK) as u8;
    // SAFETY: a str, as the caller says.
    let size = unsafe { str_length(object) } * usize::from(width);
    // SAFETY: a compact string's characters follow its head.
    Some(Characters { bytes: unsafe { bytes_behind(object, head, size) }, width, ascii })
}

/// The characters of two strings beside each other.
pub enum Both<'a> {
    /// Of one length, one width and one count of bytes.
    Alike(&'a [u8], &'a [u8]),
    /// Equal strings have one length and characters of one width, and are both ASCII or neither.
    Different,
    /// The characters of one of them don't follow the head.
    Elsewhere,
}

/// The characters of both.
///
/// # Safety
/// Two exact `str`, whose characters never change.
#[inline(always)]
pub unsafe fn both_characters<'a>(a: Borrowed<'a>, b: Borrowed<'a>) -> Both<'a> {
    // SAFETY: a str, as the caller says.
    let length = unsafe { str_length(a) };
    // SAFETY: as above.
    if length != unsafe { str_length(b) } {
        return Both::Different;
    }
    // SAFETY: as above.
    let state = unsafe { str_state(a) };
    // SAFETY: as above.
    let other = unsafe { str_state(b) };
    if state & COMPACT == 0 || other & COMPACT == 0 {
        return Both::Elsewhere;
    }
    if state != other {
        return Both::Different;
    }
    let head = if state & ASCII == 0 { COMPACT_STR_HEAD } else { ASCII_STR_HEAD };
    let size = length * (state >> KIND_SHIFT & KIND_MASK) as usize;
    // SAFETY: a compact string's characters follow its head.
    let of_a = unsafe { bytes_behind(a, head, size) };
    // SAFETY: as above.
    Both::Alike(of_a, unsafe { bytes_behind(b, head, size) })
}

/// The characters, if they are ASCII and no more than so many, and follow the head.
///
/// # Safety
/// The object is an exact `str`, whose characters never change.
#[inline(always)]
pub unsafe fn short_ascii(object: Borrowed<'_>, most: usize) -> Option<&[u8]> {
    // SAFETY: a str, as the caller says.
    let length = unsafe { str_length(object) };
    // SAFETY: as above.
    if unsafe { str_state(object) } != COMPACT_ASCII || length > most {
        return None;
    }
    // SAFETY: a compact ASCII string's characters, of one byte each, follow its head.
    Some(unsafe { bytes_behind(object, ASCII_STR_HEAD, length) })
}

/// The bits of `PyASCIIObject.state` that tell where the characters are and how wide.
///
/// # Safety
/// The object is a `str`.
#[inline(always)]
unsafe fn str_state(object: Borrowed<'_>) -> u32 {
    let string = object.as_ptr().cast::<py::PyASCIIObject>();
    // SAFETY: the object is a str, as the caller says.
    let field = unsafe { &raw mut (*string).state };
    // SAFETY: the field lives as long as the object. Other threads may intern the string meanwhile, which other bits say.
    let state = unsafe { AtomicU32::from_ptr(field) };
    // Relaxed: these bits never change.
    in_place(state.load(Ordering::Relaxed), INTERNED_IS_LONGER) & (KIND_MASK << KIND_SHIFT | COMPACT | ASCII)
}

/// # Safety
/// The object's memory holds `size` bytes that don't change, `head` bytes from its start.
#[inline(always)]
unsafe fn bytes_behind(object: Borrowed<'_>, head: usize, size: usize) -> &[u8] {
    // SAFETY: within the object, as the caller says.
    let first = unsafe { object.as_ptr().cast::<u8>().add(head) };
    // SAFETY: as above.
    unsafe { std::slice::from_raw_parts(first, size) }
}
