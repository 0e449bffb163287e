//! `stale_if_error`: what is returned where computing an entry anew has raised.

use crate::core::clock;
use crate::core::hash::Hash;
use crate::ffi::raised::Kind;
use crate::ffi::{CallArgs, Owned, Raised, Result, thread};
use crate::py::cache::Cache;
use crate::py::cache::expiring_ops::InsteadOfError;
use crate::py::cache::lookup::Seen;
use crate::py::cache::policy::Policy;
use crate::py::entry::{StaleEntry, StalePlace};

impl Policy {
    /// Answers with what `find` has in the place of an exception, and counts that. If it is no `Exception`, or nothing is found, it
    /// stays; and so it does if looking raises an `Exception` of its own. Reenters: as `find`, finalizers.
    pub fn instead_of(&self, raised: Raised, find: impl FnOnce() -> Result<Option<Owned>>) -> Result<Owned> {
        if !raised.is(Kind::Ordinary) {
            return Err(raised);
        }
        let exception = raised.take();
        match find() {
            Ok(Some(value)) => {
                self.stats.count_error();
                thread::with_exception_aside(|| drop(exception));
                Ok(value)
            }
            Ok(None) => Err(Raised::again(exception.borrow())),
            Err(other) => {
                other.unless(Kind::Ordinary)?;
                Err(Raised::again(exception.borrow()))
            }
        }
    }
}

impl Cache {
    /// The value of the entry that was to be computed anew, or of one that has taken its place, if there is one that may be returned.
    /// If not, the exception stays. Reenters: `clock`, `__eq__` of keys.
    pub fn instead_of_error(
        &self,
        policy: &Policy,
        key_args: &CallArgs<'_>,
        hash: Hash,
        old: &StaleEntry,
        seen: &Seen,
        raised: Raised,
    ) -> Result<Owned> {
        let (Some(on_error), StalePlace::InMemory(old)) = (policy.options.on_error, &old.place) else {
            return Err(raised);
        };
        policy.instead_of(raised, || {
            let now = policy.options.now()?;
            let retry_at = clock::after(now, on_error.retry);
            self.locate_unseen(seen, hash, key_args, &mut InsteadOfError { policy, old, now, retry_at })
        })
    }
}
