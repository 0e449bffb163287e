//! Where a call of a cached coroutine function stands, and the arguments that it keeps until it is through.

use crate::ffi::dropper::Link;
use crate::ffi::{CallArgs, Owned};
use crate::py::flight::task::{TaskLeader, TaskWait};
use pyo3_ffi as py;
use std::time::Duration;

/// Arguments of a call that are kept.
pub(in crate::py) struct KeptArgs {
    values: Vec<Link>,
    positional: usize,
    kwnames: Option<Owned>,
}

/// Such arguments as vectorcall takes them.
pub(in crate::py) struct RawArgs {
    /// The values.
    pub values: Vec<*mut py::PyObject>,
    /// How many of them are positional.
    pub positional: usize,
    /// The names of the others, or null.
    pub kwnames: *mut py::PyObject,
}

impl KeptArgs {
    pub(in crate::py) fn of(args: &CallArgs<'_>) -> Self {
        Self {
            values: args.values().iter().map(|&value| Link::new(value.to_owned())).collect(),
            positional: args.positional().len(),
            kwnames: args.kwnames().map(|names| names.object().to_owned()),
        }
    }

    pub(in crate::py) fn held(&self) -> impl Iterator<Item = &Owned> {
        self.values.iter().map(|value| &**value).chain(&self.kwnames)
    }

    /// As vectorcall takes them. They are borrowed of this.
    pub(in crate::py) fn raw(&self) -> RawArgs {
        RawArgs {
            values: self.values.iter().map(|value| value.as_ptr()).collect(),
            positional: self.positional,
            kwnames: self.kwnames.as_ref().map_or(std::ptr::null_mut(), Owned::as_ptr),
        }
    }

    pub(in crate::py) fn with<R>(&self, work: impl FnOnce(&CallArgs<'_>) -> R) -> R {
        let values: Vec<_> = self.values.iter().map(|value| value.borrow()).collect();
        work(&CallArgs::of(&values, self.positional, self.kwnames.as_ref().map(Owned::borrow)))
    }
}

/// What a coroutine is to do, or does.
pub(in crate::py) enum Stage {
    /// It has not begun.
    New,
    /// The function computes. With a flight, if others may wait for the result.
    Computing(Option<TaskLeader>),
    /// The function computes, for `cache_refresh`.
    Refreshing,
    /// Another task computes.
    Following(TaskWait),
    /// Another process computes, and this task leads those of this one. It looks again when it has slept.
    WaitingForLease(TaskLeader, LeasePause),
    /// It awaits nothing: a step is being made, or all of them were.
    NotWaiting,
}

/// How a task sleeps that waits for a lease.
#[derive(Clone, Copy)]
pub(in crate::py) struct LeasePause {
    /// For how long.
    length: Duration,
    /// How often the region's lock was held when the task asked.
    busy: u32,
}

/// For how long a task sleeps first.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// For how long at most. Each pause is twice as long as the one before.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// How often a task finds the region's lock held, which takes microseconds as a rule, before it computes without a lease: for about
/// half a second.
const MOST_BUSY: u32 = 15;

impl LeasePause {
    /// The first one.
    pub(in crate::py) const FIRST: Self = Self { length: FIRST_PAUSE, busy: 0 };

    /// For how long.
    pub(in crate::py) fn length(self) -> Duration {
        self.length
    }

    /// The one after it.
    pub(in crate::py) fn next(self) -> Self {
        Self { length: (2 * self.length).min(LONGEST_PAUSE), ..self }
    }

    /// This one, if the region's lock may be found held once more.
    pub(in crate::py) fn once_more(self) -> Option<Self> {
        (self.busy < MOST_BUSY).then_some(Self { busy: self.busy + 1, ..self })
    }
}

/// What a coroutine does.
pub enum Task {
    /// A call: computes the result unless it is there.
    Run,
    /// Computes for no caller what is stale: counts nothing.
    Recompute,
    /// `cache_refresh`
    Refresh,
}

/// It has not begun.
pub(in crate::py) const NEW: u8 = 0;
/// It has begun.
pub(in crate::py) const BEGUN: u8 = 1;
/// It is through.
pub(in crate::py) const THROUGH: u8 = 2;
