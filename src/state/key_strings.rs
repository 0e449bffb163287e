//! The keys of decoded dicts, kept for the next dict: most have the names that others had, and a `str` that is there already
//! needs neither memory nor a hash.

use crate::ffi::build::Ascii;
use crate::ffi::exact::{Exact, Str};
use crate::ffi::sync::FREE_THREADED;
use crate::ffi::{Owned, Result, build};
use std::cell::Cell;

/// How many are kept.
const COUNT: usize = 512;
/// Longer ones are made anew each time.
const LONGEST: usize = 32;

/// Short ASCII strings of one interpreter. Where there is no GIL nothing is kept.
pub struct KeyStrings(Box<[Cell<Option<Owned>>]>);

impl KeyStrings {
    /// None so far.
    pub fn new() -> Self {
        let count = if FREE_THREADED { 0 } else { COUNT };
        Self(std::iter::repeat_with(|| Cell::new(None)).take(count).collect())
    }

    /// A `str` of these characters. Runs no Python code.
    #[inline]
    pub fn name(&self, ascii: Ascii<'_>) -> Result<Owned> {
        let characters = ascii.bytes();
        let place = if characters.len() <= LONGEST { self.0.get(hash(characters) % COUNT) } else { None };
        let Some(place) = place else { return build::ascii_str(ascii) };
        let kept = place.take();
        let name = match kept {
            Some(name) if is(&name, characters) => name,
            _ => build::ascii_str(ascii)?,
        };
        place.set(Some(name.clone()));
        Ok(name)
    }
}

#[inline(always)]
fn is(name: &Owned, characters: &[u8]) -> bool {
    Exact::<Str>::of(name.borrow()).and_then(Exact::characters).is_some_and(|kept| kept.bytes == characters)
}

/// Any function of the characters will do, as long as it is fast.
#[inline(always)]
fn hash(characters: &[u8]) -> usize {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = characters.len() as u64;
    let mut chunks = characters.chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        hash = (hash ^ word).wrapping_mul(FACTOR).rotate_left(29);
    }
    let word = chunks.remainder().iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    (((hash ^ word).wrapping_mul(FACTOR)) >> 48) as usize
}
