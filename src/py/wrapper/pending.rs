//! Calls of cached coroutine functions. A hit returns a coroutine that is through; what else there is to do is done by
//! `tamis/_async.py`, with an object that knows the call.

use super::Wrapper;
use super::actions::{Found, Peek, Read};
use super::extra::{Extra, entry};
use super::methods::Table;
use super::shared::Asked;
use crate::core::hash::Hash;
use crate::core::view::Hit;
use crate::core::{OutOfMemory, boxed};
use crate::ffi::exact::Verdict;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, object, plain};
use crate::module::State;
use crate::py::coroutine_object;
use crate::py::flight;
use crate::py::key::Key;
use crate::py::threads::{Holding, Thread, ident_of};
use crate::shm::{Gone, Lease, LeaseId, LeaseWait, Token, Waited};
use pyo3_ffi as py;
use std::cell::Cell;
use std::ffi::{CStr, c_int, c_ulong, c_void};
use std::ptr;

/// Arguments of a call that are kept.
struct Kept {
    values: Vec<Owned>,
    positional: usize,
    kwnames: Option<Owned>,
}

impl Kept {
    fn of(args: &CallArgs<'_>) -> Self {
        Self {
            values: args.values().iter().map(|&value| Borrowed::to_owned(value)).collect(),
            positional: args.positional().len(),
            kwnames: args.kwnames().map(Borrowed::to_owned),
        }
    }

    fn held(&self) -> impl Iterator<Item = &Owned> {
        self.values.iter().chain(&self.kwnames)
    }

    fn with<R>(&self, work: impl FnOnce(&CallArgs<'_>) -> R) -> R {
        let values: Vec<_> = self.values.iter().map(Owned::borrow).collect();
        work(&CallArgs::of(&values, self.positional, self.kwnames.as_ref().map(Owned::borrow)))
    }
}

/// A call whose result is to be computed.
#[repr(C)]
struct Pending {
    _ob_base: py::PyObject,
    fields: Fields,
}

/// None, which is zero, before it is written, in what the collector sees.
struct Fields(Option<Box<Call>>);

struct Call {
    wrapper: Owned,
    /// The instance of a cached method, which lives on until its coroutine is through, as with any method.
    instance: Option<Owned>,
    args: Kept,
    /// None if they are the same.
    key_args: Option<Kept>,
    hash: Hash,
    /// The stale entry that this call is to replace.
    old: Option<Stale>,
    /// The lease of the region's that it holds, with `single_flight` over processes.
    lease: Cell<Option<(LeaseId, Holding)>>,
    /// What it has seen of another process's lease that it waits for.
    waits: Cell<Option<LeaseWait>>,
}

/// What a coroutine does.
pub enum Task {
    /// A call: computes the result unless it is there.
    Run,
    /// `cache_refresh`
    Refresh,
}

/// A stale entry that one caller is to replace.
pub enum Stale {
    /// In this process's memory.
    Here(Owned),
    /// In a region.
    There(Token),
}

impl Call {
    /// If the stale entry is still there, another caller is to try.
    fn give_up_refresh(&self) {
        match &self.old {
            Some(Stale::Here(old)) => entry(old).give_up_refresh(),
            Some(Stale::There(token)) => {
                if let Some(shared) = self.wrapper().extra().and_then(|extra| extra.shared.as_ref()) {
                    shared.region.give_up_refresh(*token);
                }
            }
            None => {}
        }
    }

    /// Asks for the region's lease of this key: True if the call has it, False if another process has, None if there is none to
    /// be had.
    fn lease(&self) -> Result<Owned> {
        let who = self.thread()?;
        let mut lease = self.ask_for_lease(None)?;
        if let Some(Lease::Theirs(id)) = lease {
            let mut wait = self.waits.take().filter(|wait| wait.lease() == id).unwrap_or_else(|| LeaseWait::new(id));
            match self.look_at_lease(&mut wait) {
                Waited::OwnerGone(gone) => lease = self.ask_for_lease(Some(gone))?,
                Waited::Enough => return Ok(object::none()),
                Waited::Over | Waited::StillRunning => self.waits.set(Some(wait)),
            }
        }
        Ok(match lease {
            Some(Lease::Mine(lease)) => {
                self.lease.set(Some((lease, Holding::begin(who))));
                object::boolean(true)
            }
            Some(Lease::Theirs(_)) => object::boolean(false),
            Some(Lease::Full | Lease::Ours(_)) | None => object::none(),
        })
    }

    fn ask_for_lease(&self, gone: Option<Gone>) -> Result<Option<Lease>> {
        self.with_asked(|asked| Ok(asked.lease(gone)))
    }

    fn look_at_lease(&self, wait: &mut LeaseWait) -> Waited {
        let shared = self.wrapper().extra().and_then(|extra| extra.shared.as_ref());
        shared.map_or(Waited::Over, |shared| shared.region.look_at_lease(wait))
    }

    fn end_lease(&self) {
        if let Some((lease, _holding)) = self.lease.take()
            && let Some(shared) = self.wrapper().extra().and_then(|extra| extra.shared.as_ref())
        {
            shared.region.end_lease(lease);
        }
    }

    /// Who is running. Reenters: as [`crate::py::threads::Threads::current`].
    fn thread(&self) -> Result<Thread> {
        State::of_instance(self.wrapper().as_object())?.threads.current()
    }

    fn wrapper(&self) -> &Wrapper {
        // SAFETY: a wrapper, held by this object.
        unsafe { Wrapper::of(self.wrapper.as_ptr()) }
    }

    fn extra(&self) -> Result<&Extra> {
        self.wrapper().extra().ok_or_else(|| Raised::type_error(c"this cache is no cache of a coroutine function"))
    }

    /// Runs `work` on the call, if its cache is shared: its key is the one positional argument then.
    fn with_asked<R>(&self, work: impl FnOnce(&Asked<'_>) -> Result<R>) -> Result<Option<R>> {
        let extra = self.extra()?;
        let Some(shared) = &extra.shared else { return Ok(None) };
        let state = State::of_instance(self.wrapper().as_object())?;
        self.with_key_args(|key_args| {
            let Some(key) = key_args.single() else { unreachable!("made by call_coroutine_shared") };
            work(&Asked::of_key(self.wrapper(), extra, shared, state, key_args, plain::bytes_of(key).to_vec()))
                .map(Some)
        })
    }

    fn with_key_args<R>(&self, work: impl FnOnce(&CallArgs<'_>) -> R) -> R {
        self.key_args.as_ref().unwrap_or(&self.args).with(work)
    }
}

/// A call of a cached coroutine function. Reenters: options, `__hash__` and `__eq__` of arguments.
#[inline(never)]
pub unsafe extern "C" fn coroutine_vectorcall(
    callable: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargsf: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: vectorcall's first argument is a wrapper, whose function this is.
    let this = unsafe { Wrapper::of(callable) };
    let _alive = this.keep_alive();
    this.cache.welcome(this.owner());
    // SAFETY: vectorcall's own arguments, during the call.
    let args = unsafe { CallArgs::of_vectorcall(args, nargsf, kwnames) };
    object::to_slot(this.call_coroutine(&args))
}

impl Wrapper {
    fn call_coroutine(&self, args: &CallArgs<'_>) -> Result<Owned> {
        let Some(extra) = self.extra() else { unreachable!("this function is for wrappers with options") };
        if let Some(shared) = &extra.shared {
            return self.call_coroutine_shared(extra, shared, args);
        }
        extra.with_key_args(args, |key_args| {
            let hash = self.hash_of(args, key_args)?;
            let now = extra.options.now()?;
            let same = |key: &Key| key.compare(key_args, self.kind) == Verdict::Same;
            let old = match self.cache.hit_with(hash, same, |object| entry(object).read(now)) {
                Hit::Value(inside) => return extra.awaitable(inside),
                _ => match self.locate(hash, key_args, &mut Read { extra, now })? {
                    Found::Fresh(inside) | Found::Stale(inside) => {
                        self.cache.count_hit();
                        return extra.awaitable(inside);
                    }
                    Found::Refresh(old) => Some(Stale::Here(old)),
                    Found::Absent => None,
                    Found::Unsettled => {
                        self.cache.count_miss();
                        return self.call_function(args);
                    }
                },
            };
            self.pending(Task::Run, args, key_args, hash, old)
        })
    }

    /// `cache_refresh` of a coroutine function: a coroutine. Reenters: as a call.
    pub fn refresh_coroutine(&self, extra: &Extra, args: &CallArgs<'_>) -> Result<Owned> {
        if let Some(shared) = &extra.shared {
            return self.refresh_coroutine_shared(extra, shared, args);
        }
        extra.with_key_args(args, |key_args| {
            let hash = self.hash_of(args, key_args)?;
            self.pending(Task::Refresh, args, key_args, hash, None)
        })
    }

    /// A coroutine that computes.
    pub(super) fn pending(
        &self,
        task: Task,
        args: &CallArgs<'_>,
        key_args: &CallArgs<'_>,
        hash: Hash,
        old: Option<Stale>,
    ) -> Result<Owned> {
        let state = State::of_instance(self.as_object())?;
        let same = ptr::eq(args.values(), key_args.values());
        let call = Call {
            wrapper: self.as_object().to_owned(),
            instance: self.live_instance()?,
            args: Kept::of(args),
            key_args: (!same).then(|| Kept::of(key_args)),
            hash,
            old,
            lease: Cell::new(None),
            waits: Cell::new(None),
        };
        let fields = Fields(Some(boxed(call).map_err(|OutOfMemory| Raised::no_memory())?));
        // SAFETY: a field of a fresh object of ours.
        let call = unsafe {
            object::plain_instance(state.pending_type.borrow(), fields, std::mem::offset_of!(Pending, fields))
        }?;
        let function = match task {
            Task::Run => &state.run,
            Task::Refresh => &state.refresh,
        };
        object::call_with(function.get()?, &[call.borrow()])
    }
}

/// # Safety
/// The object is a pending call, held by the caller.
unsafe fn call<'a>(object: *mut py::PyObject) -> &'a Call {
    // SAFETY: as the caller says.
    let fields = unsafe { &(*object.cast::<Pending>()).fields };
    let Some(call) = &fields.0 else { unreachable!("written before anybody knows the object") };
    call
}

unsafe extern "C" fn pending_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: an object of this type; all zero, which is None, until its fields are written.
    let fields = unsafe { &(*object.cast::<Pending>()).fields };
    // What is stale lies in an entry, which the wrapper shows.
    let held = fields.0.iter().flat_map(|call| {
        std::iter::once(&call.wrapper)
            .chain(&call.instance)
            .chain(call.args.held())
            .chain(call.key_args.iter().flat_map(Kept::held))
    });
    let held: Vec<_> = held.map(Owned::as_ptr).collect();
    // SAFETY: live objects, and the collector's own function and argument.
    unsafe { object::traverse_plain(object, &held, visit, arg) }
}

unsafe extern "C" fn pending_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<Pending>()).fields };
    // A coroutine that was never awaited leaves the refresh to others.
    // SAFETY: as above.
    if let Some(call) = unsafe { &(*place).0 } {
        call.give_up_refresh();
        call.end_lease();
    }
    // SAFETY: no reference is left.
    unsafe { object::dealloc_plain(object, place) };
}

macro_rules! pending_methods {
    ($($name:ident = |$this:ident, $args:ident| $body:expr;)*) => {$(
        unsafe extern "C" fn $name(
            object: *mut py::PyObject,
            args: *const *mut py::PyObject,
            count: py::Py_ssize_t,
            _kwnames: *mut py::PyObject,
        ) -> *mut py::PyObject {
            // SAFETY: a method of the type, called on an instance of it.
            let $this = unsafe { call(object) };
            // SAFETY: the arguments of a method called with FASTCALL, during the call.
            let $args = unsafe { CallArgs::new(args, count as usize, ptr::null_mut()) };
            let $args = $args.values();
            object::to_slot($body)
        }
    )*};
}

fn first<'a>(args: &[Borrowed<'a>]) -> Result<Borrowed<'a>> {
    args.first().copied().ok_or_else(|| Raised::type_error(c"an argument is missing"))
}

pending_methods! {
    coalesces = |this, _args| this.extra().map(|extra| object::boolean(extra.flights.is_some()));
    find = |this, _args| find_flight(this);
    join = |this, args| first(args).and_then(|flight| join_flight(this, flight));
    leave = |this, args| first(args).and_then(|flight| leave_flight(this, flight));
    lease = |this, _args| this.lease();
    end_lease = |this, _args| { this.end_lease(); Ok(object::none()) };
    leads = |this, args| first(args).and_then(|flight| leads_flight(this, flight));
    begin_wait = |this, args| leader_of(args).and_then(|leader| begin_task_wait(this, leader));
    end_wait = |this, args| leader_of(args).and_then(|leader| end_task_wait(this, leader));
    peek = |this, _args| peek_value(this);
    invoke = |this, _args| this.args.with(|args| this.wrapper().call_function(args));
    store = |this, args| store_value(this, args);
    miss = |this, _args| count(this, false).map(|()| object::none());
    settled = |this, _args| { this.give_up_refresh(); Ok(object::none()) };
    coalesced = |this, args| first(args).and_then(|hit| count_coalesced(this, hit));
    copied = |this, args| first(args).and_then(|value| copied_value(this, value.to_owned()));
    returned = |this, args| first(args).and_then(|value| this.extra()?.copied(value.to_owned()));
}

/// The thread that leads, as `threading.get_ident()` has it.
fn leader_of(args: &[Borrowed<'_>]) -> Result<c_ulong> {
    ident_of(first(args)?)
}

fn begin_task_wait(this: &Call, leader: c_ulong) -> Result<Owned> {
    Ok(object::boolean(flight::begin_task_wait(this.thread()?, leader)))
}

fn end_task_wait(this: &Call, leader: c_ulong) -> Result<Owned> {
    flight::end_task_wait(this.thread()?, leader);
    Ok(object::none())
}

fn join_flight(this: &Call, flight: Borrowed<'_>) -> Result<Owned> {
    let Some(flights) = &this.extra()?.flights else { return Ok(object::none()) };
    this.with_key_args(|key_args| this.wrapper().join_flight(flights, key_args, this.hash, flight))
        .map(|leader| leader.unwrap_or_else(object::none))
}

fn find_flight(this: &Call) -> Result<Owned> {
    let Some(flights) = &this.extra()?.flights else { return Ok(object::none()) };
    let found = this.with_key_args(|key_args| this.wrapper().find_flight(flights, key_args, this.hash))?;
    Ok(found.unwrap_or_else(object::none))
}

fn leave_flight(this: &Call, flight: Borrowed<'_>) -> Result<Owned> {
    if let Some(flights) = &this.extra()?.flights {
        flights.remove(this.hash, &flight.to_owned());
    }
    Ok(object::none())
}

/// Whether this flight is still there, so that its result is to be stored.
fn leads_flight(this: &Call, flight: Borrowed<'_>) -> Result<Owned> {
    let is_there = this.extra()?.flights.as_ref().is_some_and(|flights| flights.has(this.hash, flight));
    Ok(object::boolean(is_there))
}

/// A tuple of the value that is there now, which counts as a hit, or None.
fn peek_value(this: &Call) -> Result<Owned> {
    if let Some(answer) = this.with_asked(|asked| asked.peek())? {
        return answer.map_or_else(|| Ok(object::none()), |value| object::tuple(&[value.borrow()]));
    }
    let extra = this.extra()?;
    let now = extra.options.now()?;
    match this.with_key_args(|key_args| this.wrapper().locate(this.hash, key_args, &mut Peek(now)))? {
        Some(inside) => {
            this.wrapper().cache.count_hit();
            object::tuple(&[extra.outward(&inside).borrow()])
        }
        None => Ok(object::none()),
    }
}

fn store_value(this: &Call, args: &[Borrowed<'_>]) -> Result<Owned> {
    let value = first(args)?.to_owned();
    coroutine_object::refuse_awaited(value.borrow())?;
    let replace = args.get(1).map_or(Ok(false), |replace| replace.is_true())?;
    let extra = this.extra()?;
    if this.with_asked(|asked| asked.keep_computed(&value, replace))?.is_some() {
        return Ok(object::none());
    }
    this.with_key_args(|key_args| this.wrapper().keep_computed(extra, key_args, this.hash, &value, replace))?;
    Ok(object::none())
}

fn count_coalesced(this: &Call, hit: Borrowed<'_>) -> Result<Owned> {
    match &this.extra()?.shared {
        Some(shared) => shared.count_coalesced(),
        None => this.extra()?.count_coalesced(),
    }
    count(this, hit.is_true()?)?;
    Ok(object::none())
}

fn copied_value(this: &Call, value: Owned) -> Result<Owned> {
    match this.with_asked(|asked| asked.landed(&value))? {
        Some(value) => Ok(value),
        None => this.extra()?.copied(value),
    }
}

fn count(this: &Call, hit: bool) -> Result<()> {
    match (&this.extra()?.shared, hit) {
        (Some(shared), _) => shared.count(hit),
        (None, true) => this.wrapper().cache.count_hit(),
        (None, false) => this.wrapper().cache.count_miss(),
    }
    Ok(())
}

const fn method(name: &'static CStr, function: py::PyCFunctionFastWithKeywords) -> py::PyMethodDef {
    py::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: py::PyMethodDefPointer { PyCFunctionFastWithKeywords: function },
        ml_flags: py::METH_FASTCALL | py::METH_KEYWORDS,
        ml_doc: ptr::null(),
    }
}

static METHODS: Table<py::PyMethodDef, 18> = Table([
    method(c"coalesces", coalesces),
    method(c"find", find),
    method(c"join", join),
    method(c"leave", leave),
    method(c"lease", lease),
    method(c"end_lease", end_lease),
    method(c"leads", leads),
    method(c"begin_wait", begin_wait),
    method(c"end_wait", end_wait),
    method(c"peek", peek),
    method(c"invoke", invoke),
    method(c"store", store),
    method(c"miss", miss),
    method(c"settled", settled),
    method(c"coalesced", coalesced),
    method(c"copied", copied),
    method(c"returned", returned),
    // SAFETY: a table of C pointers and numbers, for which zero ends the list.
    unsafe { std::mem::zeroed() },
]);

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let methods: (c_int, *mut c_void) = (py::Py_tp_methods, METHODS.0.as_ptr().cast_mut().cast());
    let slots = [(py::Py_tp_traverse, pending_tp_traverse as *mut c_void), methods];
    object::plain_type_with(module, c"tamis._core.pending", size_of::<Pending>(), pending_tp_dealloc, &slots)
}
