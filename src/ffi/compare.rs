//! Comparisons of CPython's own types, in place, without running any Python code.

use super::Borrowed;
use super::compat::{SetTable, have_one_zone, times_have_one_zone};
use super::exact::{Both, BuiltIn, Bytes, Exact, Float, FrozenSet, Int, Str, Tuple, items_of_tuple};
use super::known::{self, richcompare_of};
use super::like::{Like, by_slot, compare_decimals, is_of};
use pyo3_ffi as py;

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

/// [`compare_others`], so many levels deep.
#[inline(always)]
fn compare_contents(stored: Borrowed<'_>, asked: Borrowed<'_>, depth: u32) -> Verdict {
    if known::PYTHON.is(richcompare_of(stored)) {
        return Verdict::Ask;
    }
    if stored.type_ptr() != asked.type_ptr() {
        return compare_alike(stored, asked, depth);
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
        compare_items(a.items(), b.items(), depth)
    } else {
        compare_alike(stored, asked, depth)
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

/// Whether `stored` equals `asked`, which are not one, and not both of one of the types that `compare.rs` knows.
#[inline(never)]
fn compare_alike(stored: Borrowed<'_>, asked: Borrowed<'_>, depth: u32) -> Verdict {
    let slot = richcompare_of(stored);
    if slot != richcompare_of(asked) {
        return Verdict::Ask;
    }
    match Like::of(slot, stored) {
        Like::Identity => Verdict::Different,
        Like::BySlot => by_slot(stored, asked),
        Like::Tuple if is_of(asked, py::Py_TPFLAGS_TUPLE_SUBCLASS) => {
            // SAFETY: a tuple, or of a subclass.
            let a = unsafe { items_of_tuple(stored) };
            // SAFETY: as above.
            let b = unsafe { items_of_tuple(asked) };
            compare_items(a, b, depth)
        }
        // Beside another time zone an offset is asked for, of Python code perhaps.
        // SAFETY: of types that have these types' own slot.
        Like::DateTime if unsafe { have_one_zone(stored, asked) } => by_slot(stored, asked),
        // SAFETY: as above.
        Like::Time if unsafe { times_have_one_zone(stored, asked) } => by_slot(stored, asked),
        Like::Decimal => compare_decimals(stored, asked),
        Like::FrozenSet if Exact::<FrozenSet>::of(asked).is_some() => compare_frozensets(stored, asked, depth),
        Like::Tuple | Like::FrozenSet | Like::DateTime | Like::Time | Like::Other => Verdict::Ask,
    }
}

/// The verdict on tuples.
fn compare_items(a: &[Borrowed<'_>], b: &[Borrowed<'_>], depth: u32) -> Verdict {
    if a.len() != b.len() {
        return Verdict::Different;
    }
    if depth == 0 {
        return Verdict::Ask;
    }
    all_of(a.iter().zip(b).map(|(&a, &b)| compare_item(a, b, depth - 1)))
}

#[inline(always)]
fn compare_item(a: Borrowed<'_>, b: Borrowed<'_>, depth: u32) -> Verdict {
    if a.is(b) { Verdict::Same } else { compare_contents(a, b, depth) }
}

/// Larger tables are not searched here.
const MOST_PLACES: usize = 128;

fn compare_frozensets(stored: Borrowed<'_>, asked: Borrowed<'_>, depth: u32) -> Verdict {
    // SAFETY: an exact frozenset.
    let a = unsafe { SetTable::of(stored) };
    // SAFETY: as above.
    let b = unsafe { SetTable::of(asked) };
    if a.len != b.len {
        return Verdict::Different;
    }
    if depth == 0 || a.places().max(b.places()) > MOST_PLACES {
        return Verdict::Ask;
    }
    let find = |place| {
        let Some(item) = a.at(place) else { return Verdict::Same };
        // Equal sets often have equal tables.
        let places = std::iter::once(place).chain(0..b.places());
        let mut verdict = Verdict::Different;
        for other in places.filter_map(|place| b.at(place)).filter(|other| other.hash == item.hash) {
            match compare_item(item.object, other.object, depth - 1) {
                Verdict::Same => return Verdict::Same,
                Verdict::Ask => verdict = Verdict::Ask,
                Verdict::Different => {}
            }
        }
        verdict
    };
    all_of((0..a.places()).map(find))
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
