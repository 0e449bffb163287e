//! Threads as the program has them: CPython's, or the greenlets that a monkey patch (gevent's, eventlet's) puts in their place.
//!
//! Such a patch replaces the functions of `_thread`. What waits has to wait in a lock of the patch then: one of CPython's would stop
//! all greenlets of its thread, and with them who would release it.

use crate::core::forks::process;
use crate::ffi::compat::PyThread_get_thread_ident;
use crate::ffi::{Borrowed, Owned, Raised, Result, build, call, compat, raise};
use pyo3_ffi as py;
use std::ffi::c_ulong;

/// A thread of a process, or a greenlet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Thread {
    /// As `threading.get_ident()` has it.
    pub ident: c_ulong,
    /// The number of the process, counted in forks.
    pub process: u32,
}

impl Thread {
    /// Whether a fork has left it behind.
    pub fn is_of_another_process(self) -> bool {
        self.process != process()
    }
}

/// How this interpreter's threads are known, and how they wait.
pub struct Threads {
    /// `_thread`
    module: Owned,
    allocate_lock: Owned,
    get_ident: Owned,
    acquire: Owned,
    release: Owned,
}

impl Threads {
    /// Reenters: an import of a module that is part of CPython.
    pub fn new() -> Result<Self> {
        Ok(Self {
            module: call::module(c"_thread")?,
            allocate_lock: build::interned(c"allocate_lock")?,
            get_ident: build::interned(c"get_ident")?,
            acquire: build::interned(c"acquire")?,
            release: build::interned(c"release")?,
        })
    }

    /// For the collector.
    pub fn held(&self) -> &Owned {
        &self.module
    }

    /// What makes locks, unless it is CPython's own function.
    fn patch(&self) -> Result<Option<Owned>> {
        if compat::is_finalizing() {
            // Modules are being emptied.
            return Ok(None);
        }
        let allocate = self.module.borrow().attr(self.allocate_lock.borrow())?;
        Ok((allocate.borrow().type_ptr() != &raw mut py::PyCFunction_Type).then_some(allocate))
    }

    /// Who is running. Reenters: the patch, if there is one.
    pub fn current(&self) -> Result<Thread> {
        let process = process();
        if self.patch()?.is_none() {
            // SAFETY: has no conditions.
            return Ok(Thread { ident: unsafe { PyThread_get_thread_ident() }, process });
        }
        let ident = call::with(self.module.borrow().attr(self.get_ident.borrow())?.borrow(), &[])?;
        Ok(Thread { ident: ident_of(ident.borrow())?, process })
    }

    /// A lock of the patch's, locked, or None without a patch. Reenters: the patch.
    pub fn lock(&self) -> Result<Option<PatchedLock>> {
        let Some(allocate) = self.patch()? else { return Ok(None) };
        let lock = PatchedLock(call::with(allocate.borrow(), &[])?);
        lock.acquire(self, &[])?;
        Ok(Some(lock))
    }
}

/// A number as `threading.get_ident()` returns it.
pub fn ident_of(number: Borrowed<'_>) -> Result<c_ulong> {
    // SAFETY: a live object, whose type the call checks.
    let ident = unsafe { py::PyLong_AsUnsignedLong(number.as_ptr()) };
    // SAFETY: an attached thread.
    if ident == c_ulong::MAX && !unsafe { py::PyErr_Occurred() }.is_null() {
        return Err(Raised::by_callee());
    }
    Ok(ident)
}

/// A lock in which greenlets wait.
#[derive(Clone)]
pub struct PatchedLock(Owned);

impl PatchedLock {
    fn acquire(&self, threads: &Threads, args: &[Borrowed<'_>]) -> Result<bool> {
        let acquire = self.0.borrow().attr(threads.acquire.borrow())?;
        call::with(acquire.borrow(), args)?.borrow().is_true()
    }

    /// Waits until another greenlet releases it. False if this one can't wait: it is gevent's loop itself, or nothing is left to run
    /// that could release it. Reenters: all other greenlets, and what they raise in this one.
    pub fn wait(&self, threads: &Threads) -> Result<bool> {
        self.acquire(threads, &[]).map(|_locked| true).or_else(unless_of_gevent)
    }

    /// Waits for so many seconds. False as above. Reenters: as above.
    pub fn wait_for(&self, threads: &Threads, seconds: f64) -> Result<bool> {
        let (blocking, timeout) = (build::boolean(true), build::float(seconds)?);
        self.acquire(threads, &[blocking.borrow(), timeout.borrow()]).map(|_locked| true).or_else(unless_of_gevent)
    }

    /// Lets the one go on that waits. Reenters: the patch.
    pub fn release(&self, threads: &Threads) {
        let released =
            self.0.borrow().attr(threads.release.borrow()).and_then(|release| call::with(release.borrow(), &[]));
        if released.is_err() {
            // SAFETY: an attached thread with an exception set, and a live object.
            unsafe { py::PyErr_WriteUnraisable(self.0.as_ptr()) };
        }
    }

    /// Whether both are the same lock.
    pub fn is(&self, other: &Self) -> bool {
        self.0.borrow().is(other.0.borrow())
    }
}

/// Keeps an exception, unless it is gevent's own way of saying that this greenlet can't wait.
fn unless_of_gevent(raised: Raised) -> Result<bool> {
    let error = raised.take();
    if raise::is_ordinary(error.borrow()) {
        // SAFETY: a live object's type is live.
        let kind = unsafe { Borrowed::from_ptr(error.borrow().type_ptr().cast()) };
        let module = kind.attr(build::interned(c"__module__")?.borrow())?;
        if module.borrow().equals(build::interned(c"gevent.exceptions")?.borrow())? {
            return Ok(false);
        }
    }
    Err(Raised::again(error.borrow()))
}
