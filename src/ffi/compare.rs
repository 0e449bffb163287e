//! Comparisons of CPython's own types, in place, without running any Python code.

use super::Borrowed;
use super::exact::{Both, BuiltIn, Bytes, Exact, Float, Int, Str, Tuple};

pub use crate::core::view::Verdict;

/// How deep tuples in tuples are compared in place.
const TUPLE_DEPTH: u32 = 4;

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
    if let Some((a, b)) = both::<Int>(stored, asked) {
        Verdict::of(a.sign() == b.sign() && a.digits() == b.digits())
    } else if let Some((a, b)) = both::<Str>(stored, asked) {
        compare_strs(a, b)
    } else if let Some((a, b)) = both::<Float>(stored, asked) {
        Verdict::of(a.value() == b.value())
    } else if let Some((a, b)) = both::<Bytes>(stored, asked) {
        Verdict::of(a.content() == b.content())
    } else if let Some((a, b)) = both::<Tuple>(stored, asked) {
        compare_tuples(a, b, depth)
    } else {
        Verdict::Ask
    }
}

/// Both objects, if they are of this type.
#[inline(always)]
fn both<'a, 'b, T: BuiltIn>(a: Borrowed<'a>, b: Borrowed<'b>) -> Option<(Exact<'a, T>, Exact<'b, T>)> {
    Some((Exact::of(a)?, Exact::of(b)?))
}

#[inline(always)]
fn compare_strs(stored: Exact<'_, Str>, asked: Exact<'_, Str>) -> Verdict {
    match stored.beside(asked) {
        Both::Alike(a, b) => Verdict::of(same_bytes(a, b)),
        Both::Different => Verdict::Different,
        Both::Elsewhere => Verdict::Ask,
    }
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
    Exact::<Str>::of(object)?.short_ascii(FEW)
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

fn compare_tuples(stored: Exact<'_, Tuple>, asked: Exact<'_, Tuple>, depth: u32) -> Verdict {
    let (a, b) = (stored.items(), asked.items());
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

#[cfg(test)]
mod tests {
    use super::*;

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
