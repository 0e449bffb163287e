//! What is done with one entry of a cache with options, known by the arguments that make its key.

use crate::core::clock::Time;
use crate::core::hash::Hash;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result};
use crate::py::cache::Cache;
use crate::py::cache::capacity::Bound;
use crate::py::cache::eviction::Cause;
use crate::py::cache::expiring_ops::{IsGood, Put, TakeOut};
use crate::py::cache::lookup::Seen;
use crate::py::cache::policy::Policy;
use crate::py::entry::EntryTerms;
use crate::py::key::Key;
use crate::py::unhashable;

impl Cache {
    /// Stores a value that was computed, unless it can't be told on which terms: that is reported, and no matter of who wants the
    /// value. Reenters: as [`Cache::keep_expiring`], `sys.unraisablehook`.
    pub fn keep_computed(
        &self,
        policy: &Policy,
        key_args: &CallArgs<'_>,
        hash: Hash,
        value: &Owned,
        replace_fresh: bool,
        seen: &Seen,
    ) -> Result<()> {
        if self.bound.get() == Bound::Off {
            return Ok(());
        }
        match policy.terms_of_computed(key_args.single(), value.borrow())? {
            Some(terms) => self.keep_on_terms(policy, key_args, hash, value, terms, (replace_fresh, seen)).map(drop),
            // The clock may be what failed: as of its beginning, nothing has expired.
            None if replace_fresh => self.drop_older(policy, key_args, hash, 0),
            // What is there stays until it is too old, as where the computation fails.
            None => Ok(()),
        }
    }

    /// What was stored before a value that is not stored is out of date. Reenters: `__eq__` of keys, `on_evict`, finalizers.
    fn drop_older(&self, policy: &Policy, key_args: &CallArgs<'_>, hash: Hash, now: Time) -> Result<()> {
        let (_, left) = self.locate(hash, key_args, &mut TakeOut { policy, now, cause: Cause::Replaced })?;
        policy.notify_evicted(left)
    }

    /// Stores a value that the caller has. Reenters: `ttl`, `weigher`, `clock`, `__eq__` of keys, `on_evict`, finalizers of what
    /// leaves.
    pub fn keep_expiring(
        &self,
        policy: &Policy,
        key_args: &CallArgs<'_>,
        hash: Hash,
        value: &Owned,
        replace_fresh: bool,
    ) -> Result<()> {
        if self.bound.get() == Bound::Off {
            return Ok(());
        }
        let (terms, now) = policy.terms(key_args.single(), value.borrow())?;
        self.keep_on_terms(policy, key_args, hash, value, (terms, now), (replace_fresh, &Seen::default())).map(drop)
    }

    /// Stores a value on these terms, as of now, or tells which one stays. Reenters: `__eq__` of keys, `on_evict`, finalizers of
    /// what leaves.
    pub fn keep_on_terms(
        &self,
        policy: &Policy,
        key_args: &CallArgs<'_>,
        hash: Hash,
        value: &Owned,
        (terms, now): (EntryTerms, Time),
        (replace_fresh, seen): (bool, &Seen),
    ) -> Result<Option<Owned>> {
        if terms.weight > policy.most_weight {
            return self.drop_older(policy, key_args, hash, now).map(|()| None);
        }
        let object = policy.entry_type.create(policy.wrap(value)?, terms, now)?.into_object();
        let new = Some((Key::new(key_args, self.kind)?, object));
        let mut put = Put::new(policy, hash, new, now, replace_fresh);
        let outcome = self.locate_unseen(seen, hash, key_args, &mut put);
        let Put { left, no_memory, new, spare, stays, .. } = put;
        drop((new, spare));
        // Where the search failed, nothing has left.
        outcome?;
        policy.notify_evicted(left)?;
        if no_memory { Err(Raised::no_memory()) } else { Ok(stays) }
    }

    /// `cache_contains` with options. Reenters: `key`, `clock`, `__hash__` and `__eq__` of arguments.
    pub fn contains_expiring(&self, policy: &Policy, args: &CallArgs<'_>) -> Result<bool> {
        policy.with_key_args(args, |key_args| {
            let hash = unhashable::hash(None, args, key_args, self.kind)?;
            self.locate(hash, key_args, &mut IsGood { policy, now: policy.options.now()? })
        })
    }

    /// `cache_invalidate` with options. Reenters: as [`Cache::contains_expiring`], `on_evict`, finalizers.
    pub fn invalidate_expiring(&self, policy: &Policy, args: &CallArgs<'_>) -> Result<bool> {
        self.take_out(policy, args, Cause::Invalidated)
    }

    /// Takes an entry out for this reason, and tells whether it was good. Reenters: as [`Cache::invalidate_expiring`].
    pub fn take_out(&self, policy: &Policy, args: &CallArgs<'_>, cause: Cause) -> Result<bool> {
        policy.with_key_args(args, |key_args| {
            let hash = unhashable::hash(None, args, key_args, self.kind)?;
            let now = policy.options.now()?;
            // First, so that nobody who comes now gets a result of before.
            self.detach_flight(policy.flights.as_ref(), key_args, hash)?;
            let (good, left) = self.locate(hash, key_args, &mut TakeOut { policy, now, cause })?;
            if good && cause == Cause::Invalidated {
                self.invalidated();
            }
            policy.notify_evicted(left)?;
            Ok(good)
        })
    }

    /// `cache_put` with options. The caller has the value, so with `copy` a copy is stored. Reenters: as
    /// [`Cache::keep_expiring`], `key`, `copy`, `__hash__` of arguments.
    pub fn put_expiring(&self, policy: &Policy, args: &CallArgs<'_>, value: Borrowed<'_>) -> Result<()> {
        policy.with_key_args(args, |key_args| {
            let hash = unhashable::hash(None, args, key_args, self.kind)?;
            let value = policy.copied(value.to_owned())?;
            self.detach_flight(policy.flights.as_ref(), key_args, hash)?;
            self.keep_expiring(policy, key_args, hash, &value, true)
        })
    }
}
