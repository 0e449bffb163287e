//! What C may ask of a wrapper besides what Python may: see `capsule.rs`.

pub(in crate::py) use crate::core::view::Hit;
use crate::ffi::compare::Verdict;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, CallArgs, Owned, Result};
use crate::py::cache::capacity::Bound;
use crate::py::cache::expiring_ops::Found;
use crate::py::cache::lookup::Seen;
use crate::py::cache::ops::Get;
use crate::py::cache::policy::Policy;
use crate::py::function::{Wrapper, methods};
use crate::py::tier::with_tier;

impl Wrapper {
    /// The wrapper that this object is, if it is one.
    pub fn try_of<'a>(object: Borrowed<'a>) -> Option<&'a Self> {
        // SAFETY: a live object's type is live.
        let methods = unsafe { (*object.type_ptr()).tp_methods };
        // Each interpreter has its own type, with this table, and none of them can be subclassed.
        if !std::ptr::eq(methods, methods::TABLE.as_ptr().cast_const()) {
            return None;
        }
        // SAFETY: an instance of a type of wrappers.
        Some(unsafe { Self::of(object.as_ptr()) })
    }

    /// What a call with these arguments would return without computing it. Counts a hit or a miss, and marks what it finds, as
    /// a call does.
    ///
    /// Reenters: `__hash__` and `__eq__` of arguments; `key`, `clock` and `copy`.
    pub fn lookup(&self, args: &CallArgs<'_>) -> Result<Option<Owned>> {
        let _alive = self.keep_alive();
        if let Some((policy, tier)) = self.behind() {
            return with_tier!(tier, |tier| self.tiered(policy, tier).lookup(args));
        }
        let found = match self.policy() {
            _ if self.bound.get() == Bound::Off => None,
            Some(policy) => self.find_expiring(policy, args)?,
            None => self.find(args)?,
        };
        if found.is_none() {
            self.store.count_miss();
        }
        Ok(found)
    }

    fn find(&self, args: &CallArgs<'_>) -> Result<Option<Owned>> {
        let hash = self.hash_of(args, args)?;
        if let Hit::Value(value) = self.hit(hash, |key| key.compare(args, self.kind) == Verdict::Same) {
            return Ok(Some(value));
        }
        self.store.register_thread(self.owner());
        let found = self.locate(hash, args, &mut Get)?.ok();
        if found.is_some() {
            self.store.count_hit();
        }
        Ok(found)
    }

    fn find_expiring(&self, policy: &Policy, args: &CallArgs<'_>) -> Result<Option<Owned>> {
        self.store.register_thread(self.owner());
        policy.with_key_args(args, |key_args| {
            let hash = self.hash_of(args, key_args)?;
            let now = policy.options.now()?;
            let inside = match self.probe(policy, key_args, hash, now, &Seen::default())? {
                Found::Fresh(inside) | Found::Stale(inside) => inside,
                Found::Refresh(old) => {
                    // The next call is to compute it anew.
                    old.give_up_refresh();
                    policy.stats.count_stale_hit();
                    self.store.count_hit();
                    old.value().clone()
                }
                Found::OnError(_) | Found::Absent | Found::Undecided => return Ok(None),
            };
            policy.copied(policy.unwrap(&inside).clone()).map(Some)
        })
    }
}
