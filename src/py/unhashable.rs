//! The note on the exception of an argument that can't be hashed (PEP 678): which argument it is, and what can be done.

use crate::core::hash::Hash;
use crate::ffi::exact::Exact;
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call, compat};
use crate::py::key;
use crate::py::key::KeyKind;

/// The hash of what makes a call's key. If an argument can't be hashed, the `TypeError` gets a note that names it, by what `function`
/// calls it where that is known. Reenters: `__hash__`.
#[inline(always)]
pub fn hash(
    function: Option<Borrowed<'_>>,
    args: &CallArgs<'_>,
    key_args: &CallArgs<'_>,
    kind: KeyKind,
) -> Result<Hash> {
    key::hash::hash(key_args, kind).map_err(|raised| match kind {
        // What is looked up in a mapping, which has no such options.
        KeyKind::Item => raised,
        _ => explained(raised, function, args, key_args),
    })
}

/// The exception that hashing has raised, with the note. Reenters: an import, attributes of types.
#[cold]
#[inline(never)]
pub fn explained(
    raised: Raised,
    function: Option<Borrowed<'_>>,
    args: &CallArgs<'_>,
    key_args: &CallArgs<'_>,
) -> Raised {
    if !compat::NOTES || !raised.is(Kind::Type) {
        return raised;
    }
    let error = raised.take();
    match add_note(error.borrow(), function, args, key_args).or_else(|raised| raised.unless(Kind::Ordinary)) {
        // With or without a note it is what the caller is to get.
        Ok(()) => Raised::again(error.borrow()),
        Err(interrupt) => interrupt,
    }
}

fn add_note(
    error: Borrowed<'_>,
    function: Option<Borrowed<'_>>,
    args: &CallArgs<'_>,
    key_args: &CallArgs<'_>,
) -> Result<()> {
    let none = build::none();
    let values = build::tuple(args.values())?;
    let positional = build::count(args.positional().len() as u64)?;
    let key_values = build::tuple(key_args.values())?;
    let helper = call::import(c"tamis._errors", c"explain_unhashable")?;
    let arguments: [Borrowed<'_>; 6] = [
        error,
        function.unwrap_or(none.borrow()),
        values.borrow(),
        positional.borrow(),
        args.kwnames().map_or(none.borrow(), Exact::object),
        key_values.borrow(),
    ];
    call::with(helper.borrow(), &arguments).map(|_none: Owned| ())
}
