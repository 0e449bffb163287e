//! [`NearWatch`] as an object of Python's, for the listener in `tamis.remote` that tells it of changes.

use crate::core::near::{NearWatch, Ticket};
use crate::ffi::exact::{Exact, Int};
use crate::ffi::method_table::{Receiver, Table, methods, with_arguments, with_one_argument, without_arguments};
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, clock, types};
use crate::state::State;
use pyo3_ffi as py;
use std::sync::Arc;

/// The object.
#[repr(C)]
struct Watch {
    _ob_base: py::PyObject,
    near: Arc<NearWatch>,
}

// SAFETY: an instance of the type in whose table the method is holds the watch, for as long as it stands.
unsafe impl<'a> Receiver<'a> for &'a NearWatch {
    unsafe fn of(object: Borrowed<'a>) -> Self {
        // SAFETY: an instance of this type, as the caller says.
        unsafe { &(*object.as_ptr().cast::<Watch>()).near }
    }
}

/// The watch that such an object holds.
pub fn near_of(state: &State, object: Borrowed<'_>) -> Result<Arc<NearWatch>> {
    if object.type_ptr().cast() != state.types.watch.as_ptr() {
        return Err(Raised::type_error_naming_type(c"a tier has a tamis._core._watch(), not %.200s", object));
    }
    // SAFETY: an instance of this type.
    Ok(Arc::clone(unsafe { &(*object.as_ptr().cast::<Watch>()).near }))
}

/// A new one.
pub fn create(state: &State) -> Result<Owned> {
    let offset = std::mem::offset_of!(Watch, near);
    // SAFETY: the type that `make_type` has made, and the field of its instances.
    unsafe { types::plain_instance(state.types.watch.borrow(), Arc::new(NearWatch::new()), offset) }
}

fn natural(value: Borrowed<'_>) -> Result<u64> {
    let number = Exact::<Int>::of(value).and_then(Exact::short).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| Raised::type_error(c"a watch takes natural numbers of less than 63 bits"))
}

fn stripe(value: Borrowed<'_>) -> Result<u16> {
    natural(value)?.try_into().map_err(|_| Raised::type_error(c"a stripe is a number of 16 bits"))
}

/// A ticket as Python has it.
fn told(ticket: Ticket) -> Result<Owned> {
    let [key, time] = [build::count(ticket[0])?, build::count(ticket[1])?];
    build::tuple(&[key.borrow(), time.borrow()])
}

/// The ticket of two such numbers.
pub fn ticket_of(key: Borrowed<'_>, time: Borrowed<'_>) -> Result<Ticket> {
    Ok([natural(key)?, natural(time)?])
}

fn ticket(near: &NearWatch, args: &CallArgs<'_>) -> Result<Owned> {
    let &[key_stripe, alone] = args.values() else {
        return Err(Raised::type_error(c"ticket() takes a stripe and a bool"));
    };
    told(near.ticket(stripe(key_stripe)?, alone.is_true()?))
}

methods! {
    &NearWatch:
    watch_ticket = |near, args| ticket(near, &args);
    watch_changed = |near; which| stripe(which).map(|stripe| {
        near.changed(stripe);
        build::none()
    });
    watch_heard = |near; span| natural(span).map(|span| {
        near.heard(clock::exact(), span);
        build::none()
    });
    watch_lost = |near| {
        near.lost();
        Ok(build::none())
    };
    watch_all_changed = |near| {
        near.all_changed();
        Ok(build::none())
    };
    watch_is_heard = |near| Ok(build::boolean(near.is_heard(clock::exact())));
}

static METHODS: Table<py::PyMethodDef, 6> = Table::new([
    with_arguments(c"ticket", watch_ticket, c"The ticket for a key of this stripe: two numbers."),
    with_one_argument(c"changed", watch_changed, c"A key of this stripe has changed."),
    with_one_argument(
        c"heard",
        watch_heard,
        c"The server was heard of: near entries may be used for so many nanoseconds.",
    ),
    without_arguments(
        c"lost",
        watch_lost,
        c"The connection that tells of changes is lost: no near entry stands any more.",
    ),
    without_arguments(c"all_changed", watch_all_changed, c"All keys have changed: no near entry of now stands."),
    without_arguments(c"is_heard", watch_is_heard, c"Whether near entries may be used now."),
]);

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn watch_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<Watch>()).near };
    // SAFETY: no reference is left.
    unsafe { types::dealloc_plain(object, place) };
}

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let more = [(py::Py_tp_methods, METHODS.as_slot())];
    types::plain_type_with(module, c"tamis._core.watch", size_of::<Watch>(), watch_tp_dealloc, &more)
}
