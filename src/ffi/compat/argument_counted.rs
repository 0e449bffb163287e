//! Whether an argument is the caller's alone, before CPython 3.14: what is on its stack counts as any other reference.

use crate::ffi::Borrowed;

/// Whether nobody knows this argument of a call but the caller's stack: it is given back with the call.
pub fn is_only_argument(argument: Borrowed<'_>) -> bool {
    argument.is_only_reference()
}
