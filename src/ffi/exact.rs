//! Hashes and comparisons of CPython's own types, in place, without running any Python code.
//!
//! Each hash here is CPython's own hash of that object, whatever its version and its string hash seed: equal arguments
//! of different types must meet. Where a short way is not at hand, the type's own slot is asked.

use super::compat::str_state::{ASCII, COMPACT, KIND_SHIFT, in_place};
use super::compat::{self, Int};
use super::object::{self, Borrowed, Owned};
use super::sync::FREE_THREADED;
use super::{Raised, Result};
use pyo3_ffi as py;
use std::sync::atomic::{AtomicIsize, AtomicU32, Ordering};

pub use crate::core::view::Verdict;

/// The modulus of numeric hashes is 2^61 - 1 (Include/cpython/pyhash.h).
const HASH_BITS: u32 = 61;
const HASH_MODULUS: u64 = (1 << HASH_BITS) - 1;
/// `sys.int_info.bits_per_digit`; [`int_layout_holds`] checks it.
const DIGIT_BITS: u32 = 30;
// Hashes are 61 bits wide where pointers have 64.
const _: () = assert!(usize::BITS == 64, "tamis is for 64-bit platforms");
/// By how many bits the first field of `PyASCIIObject.state` is longer than usual.
const INTERNED_IS_LONGER: u32 = if FREE_THREADED && compat::FREE_THREADED_INTERNED_IS_A_BYTE { 6 } else { 0 };
/// How deep tuples in tuples are compared in place.
const TUPLE_DEPTH: u32 = 4;

/// Whether this interpreter lays its strings out as this file reads them.
pub fn str_layout_holds() -> Result<bool> {
    let ascii = object::string("tamis")?;
    let (wide, widest) = (object::string("\u{0167}amis")?, object::string("\u{1F5DC}")?);
    let reads = |string: &Owned, bytes: &[u8], width: u8, ascii: bool| {
        characters(string.borrow()).is_some_and(|it| it.bytes == bytes && it.width == width && it.ascii == ascii)
    };
    let two_bytes: Vec<u8> = "\u{0167}amis".encode_utf16().flat_map(u16::to_ne_bytes).collect();
    Ok(reads(&ascii, b"tamis", 1, true)
        && reads(&wide, &two_bytes, 2, false)
        && reads(&widest, &0x1F5DC_u32.to_ne_bytes(), 4, false))
}

/// Whether this interpreter lays its integers out as this file reads them.
pub fn int_layout_holds() -> Result<bool> {
    // SAFETY: an attached thread.
    let info = unsafe { py::PyLong_GetInfo() };
    // SAFETY: a new reference, or null with an exception set.
    let info = unsafe { Owned::from_call(info) }?;
    let bits = info.borrow().attr(object::interned(c"bits_per_digit")?.borrow())?;
    // SAFETY: a live object; -1 with an exception set is not 30 either, and can't come of an int.
    Ok(unsafe { py::PyLong_AsLong(bits.as_ptr()) } == DIGIT_BITS as std::ffi::c_long)
}

macro_rules! type_checks {
    ($($(#[$doc:meta])* $name:ident: $type:ident;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name(object: Borrowed<'_>) -> bool {
            object.type_ptr() == &raw mut py::$type
        }
    )*};
}

type_checks! {
    /// `type(object) is int`
    is_int: PyLong_Type;
    /// `type(object) is str`
    is_str: PyUnicode_Type;
    /// `type(object) is float`
    is_float: PyFloat_Type;
    /// `type(object) is bytes`
    is_bytes: PyBytes_Type;
    /// `type(object) is bool`
    is_bool: PyBool_Type;
    /// `type(object) is tuple`
    is_tuple: PyTuple_Type;
    /// `type(object) is complex`
    is_complex: PyComplex_Type;
    /// `type(object) is bytearray`
    is_bytearray: PyByteArray_Type;
    /// `type(object) is list`
    is_list: PyList_Type;
    /// `type(object) is dict`
    is_dict: PyDict_Type;
    /// `type(object) is set`
    is_set: PySet_Type;
    /// `type(object) is frozenset`
    is_frozenset: PyFrozenSet_Type;
}

macro_rules! instance_checks {
    ($($(#[$doc:meta])* $name:ident: $check:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(object: Borrowed<'_>) -> bool {
            // SAFETY: a live object.
            unsafe { py::$check(object.as_ptr()) != 0 }
        }
    )*};
}

instance_checks! {
    /// `isinstance(object, int)`
    is_int_instance: PyLong_Check;
    /// `isinstance(object, float)`
    is_float_instance: PyFloat_Check;
    /// `isinstance(object, str)`
    is_str_instance: PyUnicode_Check;
    /// Whether the object's type has `__index__`.
    has_index: PyIndex_Check;
}

/// Whether the object's type has `__float__`.
pub fn has_float(object: Borrowed<'_>) -> bool {
    // SAFETY: a live object's type is live.
    let numbers = unsafe { (*object.type_ptr()).tp_as_number };
    // SAFETY: the type's own table, or null.
    unsafe { numbers.as_ref() }.is_some_and(|numbers| numbers.nb_float.is_some())
}

/// Whether the object is of a type whose instances keep their type, and whose hash and equality run no Python code.
#[inline]
pub fn is_plain(object: Borrowed<'_>) -> bool {
    is_int(object) || is_str(object) || is_float(object) || is_bytes(object) || is_bool(object) || object.is_none()
}

/// `hash(object)`. Reenters: `__hash__`, but not for exact built-in types.
#[inline(always)]
pub fn hash(object: Borrowed<'_>) -> Result<u64> {
    match hash_in_place(object) {
        Some(hash) => Ok(hash),
        None => hash_by_slot(object),
    }
}

/// `hash(object)` where it takes no call: small natural numbers, strings that know their hash, ordinary floats, and objects
/// of classes without a hash of their own.
#[inline(always)]
pub fn hash_in_place(object: Borrowed<'_>) -> Option<u64> {
    if is_int(object) {
        // SAFETY: the type has just been seen.
        return compat::small_natural(unsafe { as_int(object) }).map(u64::from);
    }
    if is_str(object) {
        // SAFETY: the type has just been seen.
        return unsafe { str_hash(object) };
    }
    if is_float(object) {
        // SAFETY: the type has just been seen.
        return float_hash(unsafe { float_value(object) });
    }
    // SAFETY: a live object's type is live; a type that is not ready yet has no slot.
    let slot = unsafe { (*object.type_ptr()).tp_hash }.map(|slot| slot as usize);
    // SAFETY: a field of a static, whose address alone is taken.
    let place = unsafe { &raw const py::PyBaseObject_Type.tp_hash };
    // Volatile keeps the compiler from reading it ahead of the types above.
    // SAFETY: `object` is ready before any extension is imported.
    let by_address = unsafe { place.read_volatile() }.map(|slot| slot as usize);
    // The low bits of addresses are alike, so they are moved to the top (Python/pyhash.c).
    (slot == by_address && slot.is_some()).then(|| object.as_ptr().addr().rotate_right(4) as u64)
}

/// `hash(object)` of an exact `int` of up to 60 bits.
#[inline(always)]
pub fn hash_of_int(object: Borrowed<'_>) -> Option<u64> {
    if !is_int(object) {
        return None;
    }
    // SAFETY: the type has just been seen.
    value_of_two_digits(unsafe { as_int(object) }).map(hash_of_value)
}

/// `hash(object)` where [`hash_in_place`] has none. Reenters: `__hash__`. `RecursionError` where the stack has no room for that.
#[inline(never)]
fn hash_by_slot(object: Borrowed<'_>) -> Result<u64> {
    if let Some(hash) = hash_of_int(object) {
        return Ok(hash);
    }
    // SAFETY: a live object's type is live.
    let Some(tp_hash) = (unsafe { (*object.type_ptr()).tp_hash }) else {
        // A type that is not ready yet.
        return object.hash().map(|hash| hash as u64);
    };
    compat::recursion::check_stack()?;
    // SAFETY: the slot of the object's own type.
    match unsafe { tp_hash(object.as_ptr()) } {
        -1 => Err(Raised::by_callee()),
        hash => Ok(hash as u64),
    }
}

/// # Safety
/// The object is an exact `int`.
#[inline(always)]
pub unsafe fn as_int(object: Borrowed<'_>) -> &Int {
    // SAFETY: `Int` is the layout of exact ints, which don't change.
    unsafe { &*object.as_ptr().cast::<Int>() }
}

/// The value of an integer of at most 60 bits.
#[inline(always)]
fn value_of_two_digits(int: &Int) -> Option<i64> {
    let magnitude = match int.digits() {
        0 => 0,
        // SAFETY: one digit.
        1 => u64::from(unsafe { *int.digit() }),
        2 => {
            // SAFETY: two digits.
            let [low, high] = unsafe { *int.digit().cast::<[u32; 2]>() };
            u64::from(low) | u64::from(high) << DIGIT_BITS
        }
        _ => return None,
    };
    Some(magnitude as i64 * int.sign())
}

/// How many bits, beside the sign, an integer may have for [`telling_value`].
pub const TELLING_BITS: u32 = 2 * DIGIT_BITS;

/// The value of an exact `int` of at most 60 bits.
#[inline(always)]
pub fn short_int(object: Borrowed<'_>) -> Option<i64> {
    if !is_int(object) {
        return None;
    }
    // SAFETY: the type has just been seen.
    value_of_two_digits(unsafe { as_int(object) })
}

/// The value of an exact `int` that its hash tells: it is of at most 60 bits, and not -1 or -2, which share a hash.
#[inline(always)]
pub fn telling_value(object: Borrowed<'_>) -> Option<i64> {
    if !is_int(object) {
        return None;
    }
    // SAFETY: the type has just been seen.
    value_of_two_digits(unsafe { as_int(object) }).filter(|&value| value != -1 && value != -2)
}

/// The hash of an integer of at most 60 bits is itself, but -1 means an error in C.
#[inline(always)]
const fn hash_of_value(value: i64) -> u64 {
    (value - (value == -1) as i64) as u64
}

/// The hash that a string keeps, if it was asked for it before.
///
/// # Safety
/// The object is an exact `str`.
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

/// # Safety
/// The object is an exact `float`.
#[inline(always)]
pub(super) unsafe fn float_value(object: Borrowed<'_>) -> f64 {
    // SAFETY: the object is a float, as the caller says.
    unsafe { (*object.as_ptr().cast::<py::PyFloatObject>()).ob_fval }
}

/// The hash of a finite number, neither zero nor subnormal: its residue modulo 2^61 - 1, where multiplying by a power of
/// two is a rotation of 61 bits. The result is that of `_Py_HashDouble` (Python/pyhash.c), which loops over chunks of 28
/// bits.
#[inline(always)]
fn float_hash(value: f64) -> Option<u64> {
    const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = value.to_bits();
    let biased = bits >> FRACTION_BITS & 0x7FF;
    if biased.wrapping_sub(1) >= 0x7FE {
        return None;
    }
    let mantissa = bits & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS;
    let turn = TURNS[biased as usize & 0x7FF];
    let residue = (mantissa << turn & HASH_MODULUS) | mantissa >> (HASH_BITS - u32::from(turn));
    Some(match bits >> 63 {
        0 => residue,
        // As in `hash_of_value`.
        _ if residue == 1 => 1u64.wrapping_neg() - 1,
        _ => residue.wrapping_neg(),
    })
}

/// The exponent of a float's mantissa as an integer, `biased - 1075`, modulo 61. A table, since a division takes longer
/// than all the rest.
static TURNS: [u8; 0x800] = {
    let mut turns = [0; 0x800];
    let mut biased = 0;
    while biased < turns.len() {
        turns[biased] = ((biased as u32 + 18 * HASH_BITS - 1075) % HASH_BITS) as u8;
        biased += 1;
    }
    turns
};

/// Whether `stored` equals `asked`, as far as it can be told without running Python code.
#[inline(always)]
pub fn compare(stored: Borrowed<'_>, asked: Borrowed<'_>) -> Verdict {
    if stored.is(asked) { Verdict::Same } else { compare_others(stored, asked) }
}

/// [`compare`] for objects that are not one.
#[inline(never)]
pub fn compare_others(stored: Borrowed<'_>, asked: Borrowed<'_>) -> Verdict {
    compare_contents(stored, asked, TUPLE_DEPTH)
}

#[inline(always)]
fn compare_contents(stored: Borrowed<'_>, asked: Borrowed<'_>, depth: u32) -> Verdict {
    if stored.type_ptr() != asked.type_ptr() {
        return Verdict::Ask;
    }
    if is_int(stored) {
        // SAFETY: both are exact ints.
        let (a, b) = (unsafe { as_int(stored) }, unsafe { as_int(asked) });
        compare_ints(a, b)
    } else if is_str(stored) {
        // SAFETY: both are exact strings.
        unsafe { compare_strs(stored, asked) }
    } else if is_float(stored) {
        // SAFETY: both are exact floats.
        let (a, b) = (unsafe { float_value(stored) }, unsafe { float_value(asked) });
        Verdict::of(a == b)
    } else if is_bytes(stored) {
        // SAFETY: both are exact bytes.
        let (a, b) = (unsafe { bytes_of(stored) }, unsafe { bytes_of(asked) });
        Verdict::of(a == b)
    } else if is_tuple(stored) {
        compare_tuples(stored, asked, depth)
    } else {
        Verdict::Ask
    }
}

#[inline(always)]
fn compare_ints(a: &Int, b: &Int) -> Verdict {
    let digits = a.digits();
    if a.sign() != b.sign() || digits != b.digits() {
        return Verdict::Different;
    }
    // SAFETY: so many digits.
    let of_a = unsafe { std::slice::from_raw_parts(a.digit(), digits) };
    // SAFETY: as many.
    let of_b = unsafe { std::slice::from_raw_parts(b.digit(), digits) };
    Verdict::of(of_a == of_b)
}

/// # Safety
/// Both objects are exact `str`.
#[inline(always)]
pub unsafe fn compare_strs(stored: Borrowed<'_>, asked: Borrowed<'_>) -> Verdict {
    // SAFETY: an exact str, as the caller says.
    let length = unsafe { str_length(stored) };
    // SAFETY: as above.
    if length != unsafe { str_length(asked) } {
        return Verdict::Different;
    }
    // SAFETY: as above.
    let layout = unsafe { str_layout(stored) };
    // SAFETY: as above.
    let other = unsafe { str_layout(asked) };
    if layout & COMPACT == 0 || other & COMPACT == 0 {
        return Verdict::Ask;
    }
    if layout != other {
        // Equal strings have characters of one width, and are both ASCII or neither.
        return Verdict::Different;
    }
    let head = if layout & ASCII == 0 { compat::COMPACT_STR_HEAD } else { size_of::<py::PyASCIIObject>() };
    let size = length * (layout >> KIND_SHIFT & KIND_MASK) as usize;
    // SAFETY: a compact string's characters follow its head.
    let of_a = unsafe { bytes_behind(stored, head, size) };
    // SAFETY: as above.
    let of_b = unsafe { bytes_behind(asked, head, size) };
    Verdict::of(same_bytes(of_a, of_b))
}

/// Whether both objects are exact `str` of the same few ASCII characters. False if that takes longer to find out.
#[inline(always)]
pub fn same_short_ascii(stored: Borrowed<'_>, asked: Borrowed<'_>) -> bool {
    let Some(stored) = short_ascii(stored) else {
        return false;
    };
    short_ascii(asked).is_some_and(|asked| stored.len() == asked.len() && same_few_bytes(stored, asked))
}

#[inline(always)]
fn short_ascii(object: Borrowed<'_>) -> Option<&[u8]> {
    const LAYOUT: u32 = 1 << KIND_SHIFT | COMPACT | ASCII;
    if !is_str(object) {
        return None;
    }
    // SAFETY: the type has just been seen.
    let length = unsafe { str_length(object) };
    // SAFETY: as above.
    if unsafe { str_layout(object) } != LAYOUT || length > FEW {
        return None;
    }
    // SAFETY: a compact ASCII string's characters, of one byte each, follow its head.
    Some(unsafe { bytes_behind(object, size_of::<py::PyASCIIObject>(), length) })
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

/// The characters of an exact `str`, and how they lie.
#[derive(Clone, Copy)]
pub struct Characters<'a> {
    /// The bytes of the characters.
    pub bytes: &'a [u8],
    /// How many bytes a character takes: the fewest that suffice for all of them.
    pub width: u8,
    /// Whether all are ASCII.
    pub ascii: bool,
}

/// The characters of an exact `str`. None if they lie elsewhere, as in strings that some old C code has made.
#[inline(always)]
pub fn characters(string: Borrowed<'_>) -> Option<Characters<'_>> {
    debug_assert!(is_str(string));
    // SAFETY: an exact str, as the caller has seen.
    let layout = unsafe { str_layout(string) };
    if layout & COMPACT == 0 {
        return None;
    }
    let ascii = layout & ASCII != 0;
    let head = if ascii { size_of::<py::PyASCIIObject>() } else { compat::COMPACT_STR_HEAD };
    let width = (layout >> KIND_SHIFT & KIND_MASK) as u8;
    // SAFETY: as above.
    let size = unsafe { str_length(string) } * usize::from(width);
    // SAFETY: a compact string's characters follow its head.
    Some(Characters { bytes: unsafe { bytes_behind(string, head, size) }, width, ascii })
}

/// The width of the characters in bytes takes three bits.
const KIND_MASK: u32 = 7;

/// The bits of `PyASCIIObject.state` that tell where the characters are and how wide.
///
/// # Safety
/// The object is an exact `str`.
#[inline(always)]
unsafe fn str_layout(object: Borrowed<'_>) -> u32 {
    let string = object.as_ptr().cast::<py::PyASCIIObject>();
    // SAFETY: the object is a str, as the caller says.
    let field = unsafe { &raw mut (*string).state };
    // SAFETY: the field lives as long as the object. Other threads may intern the string meanwhile, which other bits say.
    let state = unsafe { AtomicU32::from_ptr(field) };
    // Relaxed: these bits never change.
    in_place(state.load(Ordering::Relaxed), INTERNED_IS_LONGER) & (KIND_MASK << KIND_SHIFT | COMPACT | ASCII)
}

/// # Safety
/// The object is an exact `str`.
#[inline(always)]
unsafe fn str_length(object: Borrowed<'_>) -> usize {
    // SAFETY: the object is a str, as the caller says.
    unsafe { (*object.as_ptr().cast::<py::PyASCIIObject>()).length as usize }
}

/// So many bytes are compared by two loads each.
const FEW: usize = 16;

/// `a == b` for slices of one length, up to [`FEW`], without a call.
#[inline(always)]
fn same_few_bytes(a: &[u8], b: &[u8]) -> bool {
    fn ends<const N: usize>(bytes: &[u8]) -> Option<([u8; N], [u8; N])> {
        Some((*bytes.first_chunk()?, *bytes.last_chunk()?))
    }
    match a.len() {
        8.. => ends::<8>(a) == ends::<8>(b),
        4..8 => ends::<4>(a) == ends::<4>(b),
        2..4 => ends::<2>(a) == ends::<2>(b),
        1 => a[0] == b[0],
        0 => true,
    }
}

#[inline(always)]
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    if a.len() <= FEW { same_few_bytes(a, b) } else { a == b }
}

/// # Safety
/// The object is an exact `bytes`.
#[inline(always)]
pub(super) unsafe fn bytes_of(object: Borrowed<'_>) -> &[u8] {
    // SAFETY: the object is bytes, as the caller says.
    let size = unsafe { py::Py_SIZE(object.as_ptr()) };
    // SAFETY: as above.
    let data = unsafe { py::PyBytes_AS_STRING(object.as_ptr()) };
    // SAFETY: so many bytes, which don't change while the object lives.
    unsafe { std::slice::from_raw_parts(data.cast(), size as usize) }
}

fn compare_tuples(stored: Borrowed<'_>, asked: Borrowed<'_>, depth: u32) -> Verdict {
    let (a, b) = (tuple_items(stored), tuple_items(asked));
    if a.len() != b.len() {
        return Verdict::Different;
    }
    if depth == 0 {
        return Verdict::Ask;
    }
    all_of(a.iter().zip(b).map(|(&a, &b)| if a.is(b) { Verdict::Same } else { compare_contents(a, b, depth - 1) }))
}

/// The verdict on sequences from those on their items.
#[inline(always)]
pub fn all_of(items: impl Iterator<Item = Verdict>) -> Verdict {
    let mut all = Verdict::Same;
    for verdict in items {
        match verdict {
            Verdict::Same => {}
            Verdict::Different => return Verdict::Different,
            Verdict::Ask => all = Verdict::Ask,
        }
    }
    all
}

/// The items of an exact tuple.
#[inline(always)]
pub fn tuple_items(tuple: Borrowed<'_>) -> &[Borrowed<'_>] {
    debug_assert!(is_tuple(tuple));
    // SAFETY: the object is a tuple, whose size and items are fixed.
    let size = unsafe { py::PyTuple_GET_SIZE(tuple.as_ptr()) };
    let object = tuple.as_ptr().cast::<py::PyTupleObject>();
    // SAFETY: as above.
    let items = unsafe { &raw const (*object).ob_item };
    // SAFETY: so many items, none of them null; `Borrowed` is a pointer in all but name, and the tuple holds them.
    unsafe { std::slice::from_raw_parts(items.cast(), size as usize) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float_hashes_of_integers_are_those_of_the_integers() {
        for value in [1i64, 2, -2, 3, 1 << 30, -(1 << 40), (1 << 53) - 1, 1 << 59] {
            assert_eq!(float_hash(value as f64), Some(hash_of_value(value)), "{value}");
        }
        assert_eq!(float_hash(-1.0), Some(-2i64 as u64));
        assert_eq!(float_hash(0.5), Some(1 << 60));
        assert_eq!(float_hash(-0.0), None);
        assert_eq!(float_hash(f64::MIN_POSITIVE / 2.0), None);
        assert_eq!(float_hash(f64::INFINITY), None);
        assert_eq!(float_hash(f64::NAN), None);
    }

    #[test]
    fn bytes_of_every_short_length_differ_by_any_one_byte() {
        for len in 0..40 {
            let a: Vec<u8> = (0..len).collect();
            assert!(same_bytes(&a, &a.clone()));
            for at in 0..a.len() {
                let mut b = a.clone();
                b[at] ^= 0x80;
                assert!(!same_bytes(&a, &b), "length {len}, byte {at}");
            }
        }
    }
}
