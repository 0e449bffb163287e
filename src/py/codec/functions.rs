//! The codec as functions of the module, for tests and for looking into regions.

use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, exact, object, plain};
use crate::py::codec::decode::{Decoded, decode, decode_call};
use crate::py::codec::encode::{Encoded, encode, encode_canonical};
use crate::py::codec::keys::encode_call;
use crate::py::functions::{function, functions};
use crate::py::key::KeyKind;
use crate::state::State;
use pyo3_ffi as py;

const NO_BOUND: usize = usize::MAX;

/// `_dumps(value)`: a value's bytes. What pickle raises leaves.
fn dumps(module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    let [value] = *args.values() else { return Err(Raised::type_error(c"_dumps() takes one value")) };
    let mut bytes = Vec::new();
    match encode(State::of_module(module)?, None, value, &mut bytes, NO_BOUND)? {
        Encoded::Done => plain::bytes(&bytes),
        Encoded::TooLarge => Err(Raised::no_memory()),
        Encoded::Unserializable(exception) => Err(Raised::again(exception.borrow())),
    }
}

/// `_canonical(value)`: bytes that are the same in every process, or None where it is not of exact built-in types alone.
fn canonical(_module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    let [value] = *args.values() else { return Err(Raised::type_error(c"_canonical() takes one value")) };
    let mut bytes = Vec::new();
    if encode_canonical(value, &mut bytes, NO_BOUND) { plain::bytes(&bytes) } else { Ok(object::none()) }
}

/// `_loads(bytes)`: a tuple of the value and whether it is immutable, or None if the bytes are damaged.
fn loads(module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    match decode(State::of_module(module)?, None, content(args)?)? {
        Decoded::Value(value, immutable) => object::tuple(&[value.borrow(), object::boolean(immutable).borrow()]),
        Decoded::Damaged => Ok(object::none()),
    }
}

/// `_key(args, kwargs, typed)`: the bytes of the key of such a call.
fn key(module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    let &[positional, named, typed] = args.values() else {
        return Err(Raised::type_error(c"_key() takes a tuple, a dict and a bool"));
    };
    if !exact::is_tuple(positional) || !exact::is_dict(named) {
        return Err(Raised::type_error(c"_key() takes a tuple, a dict and a bool"));
    }
    let own = plain::own_dict(named)?;
    let (names, named): (Vec<_>, Vec<_>) = plain::dict_items(own.borrow()).unzip();
    let names: Vec<_> = names.iter().map(Owned::borrow).collect();
    let positional = exact::tuple_items(positional);
    let values: Vec<_> = positional.iter().copied().chain(named.iter().map(Owned::borrow)).collect();
    let kwnames = if names.is_empty() { None } else { Some(object::tuple(&names)?) };
    let call = CallArgs::of(&values, positional.len(), kwnames.as_ref().map(Owned::borrow));
    let mut bytes = Vec::new();
    if !encode_call(State::of_module(module)?, None, &call, KeyKind::of_calls(typed.is_true()?), &mut bytes, NO_BOUND)?
    {
        return Err(Raised::no_memory());
    }
    plain::bytes(&bytes)
}

/// `_call(bytes)`: a tuple of the positional arguments and one of the keyword arguments as pairs, or None if the bytes are
/// damaged. An argument of other than built-in types is told by its type's name alone, as a str in angle brackets.
fn call(_module: Borrowed<'_>, args: &CallArgs<'_>) -> Result<Owned> {
    Ok(decode_call(content(args)?).unwrap_or_else(object::none))
}

fn content<'a>(args: &CallArgs<'a>) -> Result<&'a [u8]> {
    match *args.values() {
        [bytes] if exact::is_bytes(bytes) => Ok(plain::bytes_of(bytes)),
        _ => Err(Raised::type_error(c"the function takes one bytes object")),
    }
}

functions! {
    dumps_fastcall calls dumps;
    canonical_fastcall calls canonical;
    loads_fastcall calls loads;
    key_fastcall calls key;
    call_fastcall calls call;
}

/// The module's private functions.
pub const FUNCTIONS: [py::PyMethodDef; 5] = [
    function(c"_dumps", dumps_fastcall, c"The bytes of a value, as shared caches store it."),
    function(
        c"_canonical",
        canonical_fastcall,
        c"Bytes of a value that are the same in every process, or None where it is not of exact built-in types alone.",
    ),
    function(c"_loads", loads_fastcall, c"(value, immutable) of such bytes, or None where they are damaged."),
    function(c"_key", key_fastcall, c"The bytes of the key of a call with these args, kwargs and typed."),
    function(c"_call", call_fastcall, c"(args, ((name, value), ...)) of such bytes, or None where they are damaged."),
];
