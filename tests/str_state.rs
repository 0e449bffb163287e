//! The state of a `str`, read as compilers for machines of both byte orders lay it out.

#![allow(missing_docs, dead_code, reason = "one of the two is part of the library")]

#[path = "../src/ffi/compat/str_state_big.rs"]
mod big;
#[path = "../src/ffi/compat/str_state_little.rs"]
mod little;

/// Bit fields of these lengths, one after the other: from the lowest bit up, or from the highest down.
fn word(fields: &[(u32, u32)], from_lowest: bool) -> u32 {
    let mut used = 0;
    fields.iter().fold(0, |word, &(length, value)| {
        let at = if from_lowest { used } else { 32 - used - length };
        used += length;
        word | value << at
    })
}

#[test]
fn kind_compact_and_ascii_are_read_in_both_byte_orders_and_with_both_lengths_of_the_first_field() {
    for (first, longer) in [(2, 0), (8, 6)] {
        for interned in 0..=3 {
            for (kind, compact, ascii) in [(1, 1, 1), (1, 1, 0), (2, 1, 0), (4, 1, 0), (1, 0, 0), (4, 0, 0)] {
                // Include/cpython/unicodeobject.h; the last one is `ready` or `statically_allocated`.
                let fields = [(first, interned), (3, kind), (1, compact), (1, ascii), (1, 1)];
                let state = little::in_place(word(&fields, true), longer);
                assert_eq!(state >> little::KIND_SHIFT & 7, kind);
                assert_eq!(state & little::COMPACT != 0, compact == 1);
                assert_eq!(state & little::ASCII != 0, ascii == 1);
                let state = big::in_place(word(&fields, false), longer);
                assert_eq!(state >> big::KIND_SHIFT & 7, kind);
                assert_eq!(state & big::COMPACT != 0, compact == 1);
                assert_eq!(state & big::ASCII != 0, ascii == 1);
            }
        }
    }
}
