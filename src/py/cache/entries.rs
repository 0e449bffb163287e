//! What a mapping does with its cache. Its keys are those of calls with one positional argument, untyped.

use crate::core::clock::{NEVER, Time};
use crate::core::expiry::Age;
use crate::core::hash::Hash;
use crate::core::view::{Hit, Look};
use crate::ffi::compare::Verdict;
use crate::ffi::sync::StoreLock;
use crate::ffi::sync::{FREE_THREADED, Store};
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result};
use crate::py::cache::Cache;
use crate::py::cache::eviction::{Cause, Evicted};
use crate::py::cache::expiring_ops::{Found, Peek, TakeOut};
use crate::py::cache::lookup::Seen;
use crate::py::cache::ops::{Default, Get, PeekValue, SetDefault, Take};
use crate::py::cache::policy::{Policy, entry};
use crate::py::key::{Key, KeyKind};
use std::sync::atomic::Ordering;

impl Cache {
    /// The value for a key, marked as used. Counts a hit, or nothing. Reenters: `__eq__` of keys.
    #[inline(always)]
    pub fn find(&self, args: &CallArgs<'_>, hash: Hash, seen: &Seen) -> Result<Option<Owned>> {
        let same = |key: &Key| key.compare(args, KeyKind::Item) == Verdict::Same;
        if let Some(policy) = self.policy() {
            let now = policy.options.now()?;
            // Entries of mappings are never stale.
            let Found::Fresh(value) = self.probe(policy, args, hash, now, seen)? else { return Ok(None) };
            return Ok(Some(value));
        }
        let found = match self.store.hit(hash, same) {
            Hit::Value(value) => return Ok(Some(value)),
            Hit::Absent(_) => return Ok(None),
            Hit::Unsure(id) => match self.store.look(None, hash, id, |key| key.compare(args, KeyKind::Item)) {
                Look::Same(value) => return Ok(Some(value)),
                Look::Absent(_) => return Ok(None),
                Look::Ask(key, id) => self.locate_from(hash, args, &mut Get, (key, id), seen)?,
                Look::Inconclusive => self.locate_unseen(seen, hash, args, &mut Get)?,
            },
        };
        if found.is_ok() {
            self.store.count_hit();
        }
        Ok(found.ok())
    }

    /// [`Cache::find`], counting and marking nothing. Reenters: as that.
    pub fn peek(&self, args: &CallArgs<'_>, hash: Hash, seen: &Seen) -> Result<Option<Owned>> {
        match self.policy() {
            Some(policy) => {
                let now = policy.options.now()?;
                self.locate_unseen(seen, hash, args, &mut Peek { policy, now })
            }
            None => self.locate_unseen(seen, hash, args, &mut PeekValue),
        }
    }

    /// Stores a value in the place of any that is there. Reenters: `ttl`, `weigher`, `__eq__` of keys, `on_evict`, finalizers.
    pub fn set(&self, args: &CallArgs<'_>, hash: Hash, value: Owned) -> Result<()> {
        match self.policy() {
            Some(policy) => self.keep_expiring(policy, args, hash, &value, true),
            None => self.keep(args, hash, (Key::new(args, KeyKind::Item)?, value), true),
        }
    }

    /// [`Cache::set`] without options, where most often one look at the store tells what to do. Reenters: as that.
    #[inline(always)]
    pub fn set_in_place(&self, args: &CallArgs<'_>, hash: Hash, value: Borrowed<'_>) -> Result<()> {
        let entry = (Key::new(args, KeyKind::Item)?, value.to_owned());
        let done = self.store.change(|store| {
            let Some((found, _)) = store.first_candidate(hash) else {
                let (key, value) = entry;
                return Ok(store.insert(hash, key, value).map_err(|(key, value, _)| (key, value)));
            };
            // Where readers may see the entry, it takes more to replace it.
            if FREE_THREADED || found.key().compare(args, KeyKind::Item) != Verdict::Same {
                return Err(entry);
            }
            let id = found.id();
            store.mark(id);
            let (key, value) = entry;
            match store.replace(id, value, Key::duplicate) {
                Ok((_, old)) => Ok(Ok(old.map(|old| (key, old)))),
                Err((value, _)) => Ok(Err((key, value))),
            }
        });
        match done {
            Ok(Ok(left)) => {
                drop(left);
                Ok(())
            }
            Ok(Err(_entry)) => Err(Raised::no_memory()),
            Err(entry) => self.keep(args, hash, entry, true),
        }
    }

    /// Stores a value unless there is one, and returns the one that is there then. If the value was `computed` and it can't be told
    /// on which terms to store it, that is reported, and the value returned. Reenters: as [`Cache::set`], `sys.unraisablehook`.
    pub fn set_default(
        &self,
        args: &CallArgs<'_>,
        hash: Hash,
        value: Owned,
        computed: bool,
        seen: &Seen,
    ) -> Result<Owned> {
        if let Some(policy) = self.policy() {
            let terms = match computed {
                true => policy.terms_of_computed(args.single(), value.borrow())?,
                false => Some(policy.terms(args.single(), value.borrow())?),
            };
            let Some(terms) = terms else { return Ok(value) };
            let stays = self.keep_on_terms(policy, args, hash, &value, terms, (false, seen))?;
            return Ok(stays.unwrap_or(value));
        }
        let mut action = SetDefault { hash, entry: Some((Key::new(args, KeyKind::Item)?, value.clone())) };
        match self.locate_unseen(seen, hash, args, &mut action)? {
            Default::There(value) => Ok(value),
            Default::Done(evicted) => {
                drop(evicted);
                Ok(value)
            }
            Default::NoMemory => Err(Raised::no_memory()),
        }
    }

    /// Takes an entry out, and returns its value. Reenters: `__eq__` of keys, `on_evict`, finalizers.
    pub fn take(&self, args: &CallArgs<'_>, hash: Hash) -> Result<Option<Owned>> {
        let value = match self.policy() {
            Some(policy) => {
                let now = policy.options.now()?;
                let (good, left) = self.locate(hash, args, &mut TakeOut { policy, now, cause: Cause::Invalidated })?;
                // SAFETY: a value of the store of a cache with options, as the policy says.
                let value =
                    left.first().filter(|_| good).map(|(_, object, _)| unsafe { entry(object) }.value().clone());
                if good {
                    self.invalidated();
                }
                policy.notify_evicted(left)?;
                return Ok(value);
            }
            None => self.locate(hash, args, &mut Take)?.map(|(_key, value)| value),
        };
        if value.is_some() {
            self.invalidated();
        }
        Ok(value)
    }

    /// Takes the entry out that would have to leave next, unless it has expired. Reenters: `on_evict`, finalizers.
    pub fn take_victim(&self) -> Result<Option<(Key, Owned)>> {
        let Some(policy) = self.policy() else {
            let victim = self.store.change_rarely(Store::take_victim);
            if victim.is_some() {
                self.invalidated();
            }
            return Ok(victim);
        };
        let now = policy.options.now()?;
        let mut left = Evicted::new();
        let found = self.store.change_rarely(|store| {
            while let Some((key, object)) = store.take_victim() {
                policy.forget_weight(&object);
                // SAFETY: a value of the store of a cache with options, as the policy says.
                if unsafe { entry(&object) }.age(now) != Age::Expired {
                    // SAFETY: a value of the store of a cache with options, as the policy says.
                    let pair = (key.clone(), unsafe { entry(&object) }.value().clone());
                    left.push((key, object, Cause::Invalidated));
                    return Some(pair);
                }
                left.push((key, object, Cause::Expired));
            }
            None
        });
        if found.is_some() {
            self.invalidated();
        }
        policy.notify_evicted(left)?;
        Ok(found)
    }

    /// Drops what has expired, and says how much. Reenters: `clock`, `on_evict`, finalizers.
    pub fn expire(&self) -> Result<usize> {
        let Some(policy) = self.policy() else { return Ok(0) };
        let now = policy.options.now()?;
        // Relaxed: changed under the lock. Who comes too late to see a change comes before it.
        let is_due = policy.earliest_expiry.load(Ordering::Relaxed) <= now || policy.options.tti != NEVER;
        if is_due { self.drop_expired(policy, now) } else { Ok(0) }
    }

    /// How many entries there are that have not expired. Those that have are dropped. Reenters: `on_evict`, finalizers.
    pub fn good_len(&self) -> Result<usize> {
        self.expire()?;
        let (_, _, entries, _) = self.store.counts();
        Ok(entries)
    }

    /// Drops what has expired, and returns it. Reenters: as [`Cache::expire`].
    pub fn expired(&self) -> Result<Vec<(Key, Owned)>> {
        let Some(policy) = self.policy() else { return Ok(Vec::new()) };
        let left = self.take_expired(policy, policy.options.now()?);
        let pair = |(key, object, _): &(Key, Owned, Cause)| {
            // SAFETY: a value of the store of a cache with options, as the policy says.
            (key.clone(), unsafe { entry(object) }.value().clone())
        };
        let pairs = left.iter().map(pair).collect();
        policy.notify_evicted(left).map(|()| pairs)
    }

    /// Reenters: `on_evict`, finalizers.
    #[cold]
    fn drop_expired(&self, policy: &Policy, now: Time) -> Result<usize> {
        let left = self.take_expired(policy, now);
        let count = left.len();
        policy.notify_evicted(left).map(|()| count)
    }

    fn take_expired(&self, policy: &Policy, now: Time) -> Evicted {
        let mut left = Evicted::new();
        self.store.change_rarely(|store| {
            let (mut earliest_expiry, mut next) = (NEVER, store.oldest());
            while let Some(id) = next {
                next = store.newer(id);
                // SAFETY: a value of the store of a cache with options, as the policy says.
                if unsafe { entry(store.value(id)) }.age(now) != Age::Expired {
                    // SAFETY: a value of the store of a cache with options, as the policy says.
                    earliest_expiry = earliest_expiry.min(unsafe { entry(store.value(id)) }.expires());
                } else if let Some((key, object)) = store.take_out(id) {
                    policy.forget_weight(&object);
                    left.push((key, object, Cause::Expired));
                }
            }
            // Relaxed: under the lock.
            policy.earliest_expiry.store(earliest_expiry, Ordering::Relaxed);
        });
        left
    }
}
