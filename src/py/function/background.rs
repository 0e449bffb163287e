//! `background`: a stale entry is computed anew by somebody else than a caller. For functions that is a job, an object of ours, which the
//! callable of the option gets; for coroutine functions it is a task of the running loop.

use crate::core::hash::Hash;
use crate::core::{OutOfMemory, boxed};
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call, thread, to_slot, types};
use crate::py::cache::lookup::Seen;
use crate::py::entry::StaleEntry;
use crate::py::function::Wrapper;
use crate::py::function::call::parts::{Begun, Keep, Next, Owed, in_parts};
use crate::py::function::coroutine_stage::{KeptArgs, RawArgs};
use crate::py::tier::with_tier;
use crate::state::State;
use pyo3_ffi as py;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};

/// What is to be computed, by whoever calls this object first. The claim to the entry is given back when that is through, or when the
/// object is freed.
#[repr(C)]
struct Job {
    _ob_base: py::PyObject,
    /// None, which is zero, before it is written, in what the collector sees.
    fields: Option<Box<JobFields>>,
}

struct JobFields {
    /// The cached function.
    wrapper: Owned,
    /// The instance, of a cached method's.
    instance: Option<Owned>,
    args: KeptArgs,
    /// What the option `key` has returned, if there is one.
    made: Option<Owned>,
    /// Of the key, in a cache in memory.
    hash: Hash,
    /// The key, as a tier has it.
    key: Option<Vec<u8>>,
    /// The entry, until somebody computes.
    old: Mutex<Option<StaleEntry>>,
}

impl JobFields {
    fn wrapper(&self) -> &Wrapper {
        // SAFETY: a wrapper, held by this job.
        unsafe { Wrapper::of(self.wrapper.as_ptr()) }
    }

    /// For the collector. What is stale lies in an entry, which the function shows.
    fn held(&self) -> impl Iterator<Item = &Owned> {
        std::iter::once(&self.wrapper).chain(&self.instance).chain(&self.made).chain(self.args.held())
    }

    fn take_old(&self) -> Option<StaleEntry> {
        self.old.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The first part of the call. None: it has been made before, or the collector has taken the cache apart. Reenters: as
    /// [`Wrapper::begin_recomputing`].
    fn begin(&self) -> Result<Option<Next>> {
        let (Some(old), Some(policy)) = (self.take_old(), self.wrapper().policy()) else { return Ok(None) };
        self.wrapper().store.register_thread(self.wrapper().owner());
        let owed = Owed { old: Some(old), ..Owed::default() };
        match (self.wrapper().tier(), &self.key) {
            (Some(tier), Some(key)) => with_tier!(tier, |tier| {
                let no_args = CallArgs::of_positional(&[]);
                let request = self.wrapper().tiered(policy, tier).request_of_key(&no_args, key.clone())?;
                let bytes = Some(request.bytes);
                let begun = Begun {
                    hash: self.hash,
                    made: None,
                    bytes,
                    owed: owed.boxed(),
                    keep: Keep::New,
                    seen: Seen::default(),
                    counts: false,
                };
                Ok(Some(Next::Call(begun)))
            }),
            _ => self.args.with(|args| {
                let made = self.made.clone();
                self.wrapper().begin_recomputing(policy, args, made, self.hash, owed).map(Some)
            }),
        }
    }
}

impl Drop for JobFields {
    fn drop(&mut self) {
        if let Some(old) = self.take_old() {
            let wrapper = self.wrapper();
            old.give_up_refresh(|version| wrapper.give_up_in_tier(version));
            thread::with_exception_aside(|| drop(old));
        }
    }
}

impl Wrapper {
    /// A stale entry was found, and this caller is to have it computed anew: gives the job to whom `background` names, and returns. An
    /// `Exception` of that callable is reported, and the next caller tries again. Reenters: that callable.
    pub(in crate::py) fn give_job(
        &self,
        background: &Owned,
        args: &CallArgs<'_>,
        (made, hash, key): (Option<Owned>, Hash, Option<Vec<u8>>),
        old: StaleEntry,
    ) -> Result<()> {
        let fields = JobFields {
            wrapper: self.as_object().to_owned(),
            instance: self.live_instance()?,
            args: KeptArgs::of(args),
            made,
            hash,
            key,
            old: Mutex::new(Some(old)),
        };
        let state = State::of_instance(self.as_object())?;
        let fields = Some(boxed(fields).map_err(|OutOfMemory| Raised::no_memory())?);
        let offset = std::mem::offset_of!(Job, fields);
        // SAFETY: the type that `make_type` has made, and the field of its instances.
        let job = unsafe { types::plain_instance(state.types.refresh_job.borrow(), fields, offset) }?;
        let given = call::with(background.borrow(), &[job.borrow()]);
        let given = given.map(drop).or_else(|raised| raised.report(background.borrow()));
        thread::with_exception_aside(|| drop(job));
        given
    }

    /// As [`Wrapper::give_job`], for a coroutine of ours that computes: a task of the loop that runs in this thread has it from then on.
    /// Reenters: methods of the loop.
    pub(in crate::py) fn give_to_task(coroutine: &Owned, event_loop: &Owned) -> Result<()> {
        let begin = call::import(c"tamis._async", c"begin_task")?;
        call::with(begin.borrow(), &[event_loop.borrow(), coroutine.borrow()]).map(drop)
    }
}

/// The object as a job.
///
/// # Safety
/// It is an instance of the type that [`make_type`] has made, and stands for `'a`.
unsafe fn fields<'a>(object: *mut py::PyObject) -> Option<&'a JobFields> {
    // SAFETY: as the caller says.
    unsafe { &(*object.cast::<Job>()).fields }.as_deref()
}

/// Computes, as a call of the function does, and returns the value; None where that was done before. Reenters: options, the function.
///
/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn job_tp_call(
    object: *mut py::PyObject,
    args: *mut py::PyObject,
    kwargs: *mut py::PyObject,
) -> *mut py::PyObject {
    // SAFETY: the slot's arguments: a tuple.
    let positional = unsafe { py::PyTuple_Size(args) };
    // SAFETY: the slot's arguments: a dict, if there is one.
    let named = if kwargs.is_null() { 0 } else { unsafe { py::PyDict_Size(kwargs) } };
    if (positional, named) != (0, 0) {
        return to_slot(Err(Raised::type_error(c"a job takes no arguments")));
    }
    // SAFETY: an instance of this type, which the caller holds.
    let Some(job) = (unsafe { fields(object) }) else { unreachable!("written before anybody knows the object") };
    let RawArgs { values, positional, kwnames } = job.args.raw();
    let begin = |begun: &mut MaybeUninit<Begun>| match job.begin() {
        Ok(Some(next)) => Next::to_slot(Ok(next), begun),
        Ok(None) => build::none().into_ptr(),
        Err(raised) => to_slot(Err(raised)),
    };
    // SAFETY: a wrapper, and the arguments of a call of it, which the job holds.
    unsafe { in_parts(job.wrapper.as_ptr(), values.as_ptr(), positional, kwnames, begin) }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn job_tp_traverse(object: *mut py::PyObject, visit: py::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: an object of this type.
    let job = unsafe { fields(object) };
    let held: Vec<_> = job.into_iter().flat_map(JobFields::held).map(Owned::as_ptr).collect();
    // SAFETY: live objects, and the collector's own function and argument.
    unsafe { types::traverse_plain(object, &held, visit, arg) }
}

/// # Safety
/// CPython's call of the slot, with the slot's arguments.
unsafe extern "C" fn job_tp_dealloc(object: *mut py::PyObject) {
    // SAFETY: an object of this type.
    let place = unsafe { &raw const (*object.cast::<Job>()).fields };
    // SAFETY: no reference is left.
    unsafe { types::dealloc_plain(object, place) };
}

/// Makes the type, for one interpreter.
pub fn make_type(module: Borrowed<'_>) -> Result<Owned> {
    let more = [(py::Py_tp_call, job_tp_call as *mut c_void), (py::Py_tp_traverse, job_tp_traverse as *mut c_void)];
    types::plain_type_with(module, c"tamis._core.refresh_job", size_of::<Job>(), job_tp_dealloc, &more)
}
