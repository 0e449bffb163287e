//! What the Python part of a tier calls.

use crate::core::clock::{NEVER, Time};
use crate::ffi::method_table::{methods, with_arguments, without_arguments};
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build};
use crate::py::coroutine_object;
use crate::py::function::Wrapper;
use crate::py::tier::remote::watch;
use crate::state::State;
use pyo3_ffi as py;

fn spans(fresh: Time, used: Time) -> Result<Owned> {
    let told = |span: Time| if span == NEVER { Ok(build::none()) } else { build::count(span) };
    build::tuple(&[told(fresh)?.borrow(), told(used)?.borrow()])
}

/// `_spans(wrapper, value, computed)`: see the table. Reenters: `ttl`, `sys.unraisablehook`.
fn spans_of(args: &CallArgs<'_>) -> Result<Owned> {
    let &[wrapper, value, computed] = args.values() else {
        return Err(Raised::type_error(c"_spans() takes a cached function, a value and a bool"));
    };
    let Some((wrapper, policy)) = Wrapper::try_of(wrapper).and_then(|wrapper| Some((wrapper, wrapper.policy()?)))
    else {
        return Err(Raised::type_error(c"_spans() takes a cached function with options"));
    };
    if policy.options.coroutine {
        coroutine_object::refuse_awaited(value)?;
    } else {
        wrapper.unless_coroutine(value.to_owned())?;
    }
    match policy.spans(value, computed.is_true()?)? {
        Some((fresh, used)) => spans(fresh, used),
        None => Ok(build::none()),
    }
}

methods! {
    Borrowed<'_>:
    spans_fastcall = |_module, args| spans_of(&args);
}

methods! {
    Borrowed<'_>:
    new_watch = |module| State::of_module(module).and_then(watch::create);
}

/// The module's private functions.
pub const FUNCTIONS: [py::PyMethodDef; 2] = [
    with_arguments(
        c"_spans",
        spans_fastcall,
        c"For how many nanoseconds a value is fresh, and for how many it is to be used at all: two numbers, None for ever. \
        Or None, where it was computed and ttl failed, which is reported.",
    ),
    without_arguments(c"_watch", new_watch, c"What tells which near entries of one server stand."),
];
