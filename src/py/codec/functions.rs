//! The codec as functions of the module, for tests and for looking into regions.

use crate::ffi::exact::{Bytes, Dict, Exact, Int, Tuple};
use crate::ffi::method_table::{methods, with_arguments};
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, read};
use crate::py::codec::decode::{Decoded, decode, decode_built_in, decode_call};
use crate::py::codec::encode::{Encoded, encode, encode_built_in, encode_canonical};
use crate::py::codec::keys::encode_call;
use crate::py::key::KeyKind;
use crate::state::State;
use pyo3_ffi as py;

const NO_BOUND: usize = usize::MAX;

/// `_dumps(value)`: a value's bytes. What pickle raises leaves.
fn dumps(module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    let [value] = *args.values() else { return Err(Raised::type_error(c"_dumps() takes one value")) };
    let mut bytes = Vec::new();
    match encode(State::of_module(module)?, None, value, &mut bytes, NO_BOUND)? {
        Encoded::Done => build::bytes(&bytes),
        Encoded::TooLarge => Err(Raised::no_memory()),
        Encoded::Unserializable(exception) => Err(Raised::again(exception.borrow())),
    }
}

/// `_canonical(value)`: bytes that are the same in every process, or None where it is not of exact built-in types alone.
fn canonical(_module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    let [value] = *args.values() else { return Err(Raised::type_error(c"_canonical() takes one value")) };
    let mut bytes = Vec::new();
    if encode_canonical(value, &mut bytes, NO_BOUND) { build::bytes(&bytes) } else { Ok(build::none()) }
}

/// `_loads(bytes)`: a tuple of the value and whether it is immutable, or None if the bytes are damaged.
fn loads(module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    match decode(State::of_module(module)?, None, content(args)?)? {
        Decoded::Value(value, immutable) => build::tuple(&[value.borrow(), build::boolean(immutable).borrow()]),
        Decoded::Damaged => Ok(build::none()),
    }
}

/// `_encode(value, most)`: see the table.
fn encode_plainly(args: &CallArgs<'_>) -> Result<Owned> {
    let &[value, most] = args.values() else {
        return Err(Raised::type_error(c"_encode() takes a value and a number of bytes"));
    };
    let most = Exact::<Int>::of(most).and_then(Exact::short).and_then(|most| usize::try_from(most).ok());
    let mut bytes = Vec::new();
    match encode_built_in(value, &mut bytes, most.unwrap_or(NO_BOUND)) {
        Some(Encoded::Done) => build::bytes(&bytes),
        Some(Encoded::TooLarge) => Ok(build::boolean(false)),
        Some(Encoded::Unserializable(_)) | None => Ok(build::none()),
    }
}

/// `_decode(bytes)`: see the table.
fn decode_plainly(module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    match decode_built_in(State::of_module(module)?, content(args)?) {
        Decoded::Value(value, _) => build::tuple(&[value.borrow()]),
        Decoded::Damaged => Ok(build::none()),
    }
}

/// `_key(args, kwargs, typed)`: the bytes of the key of such a call.
fn key(module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    let &[positional, named, typed] = args.values() else {
        return Err(Raised::type_error(c"_key() takes a tuple, a dict and a bool"));
    };
    let (Some(positional), Some(named)) = (Exact::<Tuple>::of(positional), Exact::<Dict>::of(named)) else {
        return Err(Raised::type_error(c"_key() takes a tuple, a dict and a bool"));
    };
    let own = read::own_dict(named)?;
    let (names, named): (Vec<_>, Vec<_>) = own.items().unzip();
    let names: Vec<_> = names.iter().map(Owned::borrow).collect();
    let positional = positional.items();
    let values: Vec<_> = positional.iter().copied().chain(named.iter().map(Owned::borrow)).collect();
    let kwnames = if names.is_empty() { None } else { Some(build::tuple(&names)?) };
    let call = CallArgs::of(&values, positional.len(), kwnames.as_ref().map(Owned::borrow));
    let mut bytes = Vec::new();
    if !encode_call(State::of_module(module)?, None, &call, KeyKind::of_calls(typed.is_true()?), &mut bytes, NO_BOUND)?
    {
        return Err(Raised::no_memory());
    }
    build::bytes(&bytes)
}

/// `_call(bytes)`: a tuple of the positional arguments and one of the keyword arguments as pairs, or None if the bytes are
/// damaged. An argument of other than built-in types is told by its type's name alone, as a str in angle brackets.
fn call(_module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    Ok(decode_call(content(args)?).unwrap_or_else(build::none))
}

fn content<'a>(args: &CallArgs<'a>) -> Result<&'a [u8]> {
    match *args.values() {
        [bytes] => Exact::<Bytes>::of(bytes).map(Exact::content),
        _ => None,
    }
    .ok_or_else(|| Raised::type_error(c"the function takes one bytes object"))
}

methods! {
    Borrowed<'_>:
    dumps_fastcall = |module, args| dumps(module, &args);
    canonical_fastcall = |module, args| canonical(module, &args);
    loads_fastcall = |module, args| loads(module, &args);
    key_fastcall = |module, args| key(module, &args);
    call_fastcall = |module, args| call(module, &args);
    encode_fastcall = |_module, args| encode_plainly(&args);
    decode_fastcall = |module, args| decode_plainly(module, &args);
}

/// The module's private functions.
pub const FUNCTIONS: [py::PyMethodDef; 7] = [
    with_arguments(c"_dumps", dumps_fastcall, c"The bytes of a value, as shared caches store it."),
    with_arguments(
        c"_canonical",
        canonical_fastcall,
        c"Bytes of a value that are the same in every process, or None where it is not of exact built-in types alone.",
    ),
    with_arguments(c"_loads", loads_fastcall, c"(value, immutable) of such bytes, or None where they are damaged."),
    with_arguments(c"_key", key_fastcall, c"The bytes of the key of a call with these args, kwargs and typed."),
    with_arguments(
        c"_call",
        call_fastcall,
        c"(args, ((name, value), ...)) of such bytes, or None where they are damaged.",
    ),
    with_arguments(
        c"_encode",
        encode_fastcall,
        c"The bytes of a value of exact built-in types, None of any other, or False where they are more than there may be.",
    ),
    with_arguments(
        c"_decode",
        decode_fastcall,
        c"(value,) of the bytes of a value of exact built-in types, or None where they are damaged.",
    ),
];
