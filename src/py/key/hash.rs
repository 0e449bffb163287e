//! The hashes of calls.

use crate::core::hash::{Combine, Hash, SCATTER};
use crate::ffi::exact::{Exact, Str};
use crate::ffi::{Borrowed, CallArgs, Result, hash};
use crate::py::key::kind::KeyKind;
use crate::py::key::shape::Shape;

/// The hash of a call without arguments.
pub const EMPTY_HASH: Hash = Hash::of(SCATTER);

/// The hash of a call's arguments. Each is hashed once. Reenters: `__hash__`.
#[inline]
pub fn hash(args: &CallArgs<'_>, kind: KeyKind) -> Result<Hash> {
    if let Some(object) = args.single()
        && !kind.needs_block(object)
    {
        return hash::of(object).map(Hash::of);
    }
    if args.values().is_empty() {
        return Ok(EMPTY_HASH);
    }
    let mut combined = Combine::new(Shape::of(args).word());
    for &value in args.values() {
        combined = combined.with(hash::of(value)?);
    }
    for &name in args.names() {
        combined = combined.with(hash::of(name)?);
    }
    Ok(combined.finish())
}

/// [`hash`] of a call with so many positional arguments, more than one, and no others, where that takes no call.
#[inline(always)]
pub fn hash_in_place<const N: usize>(args: &[Borrowed<'_>; N]) -> Option<Hash> {
    const { assert!(N > 1) };
    let mut combined = Combine::new(Shape::new(N, 0).word());
    for &value in args {
        combined = combined.with(hash::in_place(value)?);
    }
    Some(combined.finish())
}

/// [`hash`] of a call with keyword arguments, where that takes no call.
#[inline(always)]
pub fn hash_keywords_in_place(values: &[Borrowed<'_>], positional: usize, names: &[Borrowed<'_>]) -> Option<Hash> {
    let mut combined = Combine::new(Shape::new(positional, names.len()).word());
    for &value in values {
        combined = combined.with(hash::in_place(value)?);
    }
    for &name in names {
        combined = combined.with(Exact::<Str>::of(name)?.kept_hash()?);
    }
    Some(combined.finish())
}
