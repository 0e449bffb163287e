//! Hashes of CPython's own types, in place, without running any Python code.
//!
//! Each hash here is CPython's own hash of that object, whatever its version and its string hash seed: equal arguments
//! of different types must meet. Where a short way is not at hand, the type's own slot is asked.

use super::compat::DIGIT_BITS;
use super::compat::recursion::check_stack;
use super::exact::{Exact, Float, Int, Str};
use super::known::hashed_name_of_member;
use super::{Borrowed, Raised, Result};
use pyo3_ffi as py;

/// The modulus of numeric hashes is 2^61 - 1 (Include/cpython/pyhash.h).
const HASH_BITS: u32 = 61;
const HASH_MODULUS: u64 = (1 << HASH_BITS) - 1;
// Hashes are 61 bits wide where pointers have 64.
const _: () = assert!(usize::BITS == 64, "tamis is for 64-bit platforms");

/// `hash(object)`. Reenters: `__hash__`, but not for exact built-in types.
#[inline(always)]
pub fn of(object: Borrowed<'_>) -> Result<u64> {
    match in_place(object) {
        Some(hash) => Ok(hash),
        None => hash_by_slot(object),
    }
}

/// `hash(object)` where it takes no call: small natural numbers, strings that know their hash, ordinary floats, and objects
/// of classes without a hash of their own.
#[inline(always)]
pub fn in_place(object: Borrowed<'_>) -> Option<u64> {
    if let Some(int) = Exact::<Int>::of(object) {
        return int.small_natural().map(u64::from);
    }
    if let Some(string) = Exact::<Str>::of(object) {
        return string.kept_hash();
    }
    if let Some(float) = Exact::<Float>::of(object) {
        return float_hash(float.value());
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

/// `hash(object)` where [`in_place`] has none. Reenters: `__hash__`. `RecursionError` where the stack has no room for that.
#[inline(never)]
pub fn hash_by_slot(object: Borrowed<'_>) -> Result<u64> {
    if let Some(int) = Exact::<Int>::of(object) {
        return Ok(hash_of_digits(int));
    }
    if let Some(name) = hashed_name_of_member(object)
        && let Some(hash) = Exact::<Str>::of(name.borrow()).and_then(Exact::kept_hash)
    {
        return Ok(hash);
    }
    // SAFETY: a live object's type is live.
    let Some(tp_hash) = (unsafe { (*object.type_ptr()).tp_hash }) else {
        // A type that is not ready yet.
        return object.hash().map(|hash| hash as u64);
    };
    check_stack()?;
    // SAFETY: the slot of the object's own type.
    match unsafe { tp_hash(object.as_ptr()) } {
        -1 => Err(Raised::by_callee()),
        hash => Ok(hash as u64),
    }
}

/// `hash(object)` of an exact `int`: its residue modulo 2^61 - 1, with its sign (`long_hash` of Objects/longobject.c).
fn hash_of_digits(int: Exact<'_, Int>) -> u64 {
    let residue = int.digits().iter().rev().fold(0, |residue, &digit| {
        let turned = residue << DIGIT_BITS & HASH_MODULUS | residue >> (HASH_BITS - DIGIT_BITS);
        let sum = turned + u64::from(digit);
        if sum >= HASH_MODULUS { sum - HASH_MODULUS } else { sum }
    });
    hash_of_value(residue as i64 * int.sign())
}

/// The hash of an integer of at most 60 bits is itself, but -1 means an error in C.
#[inline(always)]
const fn hash_of_value(value: i64) -> u64 {
    (value - (value == -1) as i64) as u64
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
}
