//! What a mapping does about the time of one entry, and about its own size.

use crate::core::clock::{NEVER, Time};
use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::ffi::raised::Kind;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build};
use crate::py::cache::Cache;
use crate::py::cache::entry_store::Store;
use crate::py::cache::eviction::{Cause, Evicted};
use crate::py::cache::lookup::{Action, Seen};
use crate::py::cache::policy::{Policy, Use, entry};
use crate::py::key::Key;
use crate::py::mapping::object::Mapping;
use crate::py::mapping::state::bound_of;
use crate::py::options;

/// When an entry that is good expires.
struct Expiry<'a> {
    policy: &'a Policy,
    now: Time,
}

impl Action for Expiry<'_> {
    type Output = Option<Time>;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Option<Time> {
        // SAFETY: a value of the store of a cache with options: none else is looked at with this.
        let entry = unsafe { entry(store.value(id)) };
        (self.policy.use_of_entry(entry, self.now) != Use::None).then(|| entry.expires_unless_read())
    }

    fn nothing(&mut self) -> Option<Time> {
        None
    }
}

/// Puts an entry of the same value and other terms in the place of one that is good.
struct Retime<'a> {
    policy: &'a Policy,
    now: Time,
    /// The entry, until it is in the store; and what has left it, to be dropped outside.
    new: Option<Owned>,
    old: Option<Owned>,
}

impl Action for Retime<'_> {
    /// None without memory.
    type Output = Option<bool>;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Option<bool> {
        let object = store.value(id).clone();
        let Some(new) = self.new.take() else { return Some(false) };
        // SAFETY: a value of the store of a cache with options: none else is looked at with this.
        let old = unsafe { entry(&object) };
        // SAFETY: an entry, as who makes this says.
        let made = unsafe { entry(&new) };
        let is_same = old.value().borrow().is(made.value().borrow());
        if self.policy.use_of_entry(old, self.now) == Use::None || !is_same {
            // Another value has just been stored, at its own time.
            (self.new, self.old) = (Some(new), Some(object));
            return Some(!is_same);
        }
        let (weight, until) = made.weight_and_expiry();
        store.mark(id);
        match store.replace(id, new, Key::duplicate) {
            Ok(_held) => {
                self.policy.forget_weight(&object);
                self.policy.remember(weight, until);
                self.old = Some(object);
                Some(true)
            }
            Err((new, _)) => {
                (self.new, self.old) = (Some(new), Some(object));
                None
            }
        }
    }

    fn nothing(&mut self) -> Option<bool> {
        Some(false)
    }
}

/// The time that entries of this mapping go by, if they do.
fn policy_of(cache: &Cache) -> Result<&Policy> {
    cache.policy().filter(|policy| policy.options.expires()).ok_or_else(|| {
        let message = c"a ttl for one entry needs a SieveCache with ttl or tti: with ttl=math.inf its other entries stay for ever";
        Raised::new(Kind::Value, message)
    })
}

/// A ttl for one entry.
fn ttl_of(ttl: Borrowed<'_>) -> Result<Time> {
    let message = c"ttl takes seconds (a number), a timedelta, or None, not %.200s";
    let span = options::values::span(ttl, c"ttl takes more than 0 seconds, not %R")?;
    span.ok_or_else(|| options::values::wrong(message, ttl))
}

impl Mapping {
    /// `self.set(key, value, ttl=...)`. Reenters: as [`Mapping::set`].
    pub(super) fn set_for(&self, key: Borrowed<'_>, value: Borrowed<'_>, ttl: Option<Borrowed<'_>>) -> Result<()> {
        let Some(ttl) = ttl else { return self.set(key, value) };
        let cache = self.cache()?;
        let (policy, ttl) = (policy_of(cache)?, ttl_of(ttl)?);
        let value = value.to_owned();
        self.with_key(key, |args, hash| {
            self.detach(cache, args, hash)?;
            let terms = policy.terms_with_ttl(args.single(), value.borrow(), ttl)?;
            cache.keep_on_terms(policy, args, hash, &value, terms, (true, &Seen::default())).map(drop)
        })
    }

    /// `self.touch(key, ttl=...)`: the entry is as if it were stored now. Reenters: options, `__hash__` and `__eq__` of keys.
    pub(super) fn touch(&self, key: Borrowed<'_>, ttl: Option<Borrowed<'_>>) -> Result<Owned> {
        let cache = self.cache()?;
        let ttl = ttl.map(|ttl| policy_of(cache).and_then(|_| ttl_of(ttl))).transpose()?;
        let Some(policy) = cache.policy() else { return self.contains(key).map(build::boolean) };
        self.with_key(key, |args, hash| {
            let Some(value) = cache.peek(args, hash, &Seen::default())? else { return Ok(build::boolean(false)) };
            let (terms, now) = match ttl {
                Some(ttl) => policy.terms_with_ttl(args.single(), value.borrow(), ttl)?,
                None => policy.terms(args.single(), value.borrow())?,
            };
            let new = policy.entry_type.create(value, terms, now)?.into_object();
            let mut retime = Retime { policy, now, new: Some(new), old: None };
            let done = cache.locate(hash, args, &mut retime);
            drop((retime.new, retime.old));
            done?.map(build::boolean).ok_or_else(Raised::no_memory)
        })
    }

    /// `self.expires_in(key)`: seconds, or None. Reenters: `clock`, `__hash__` and `__eq__` of keys.
    pub(super) fn expires_in(&self, key: Borrowed<'_>) -> Result<Owned> {
        let cache = self.cache()?;
        let until = self.with_key(key, |args: &CallArgs<'_>, hash: Hash| {
            let Some(policy) = cache.policy() else {
                return Ok(cache.peek(args, hash, &Seen::default())?.map(|_| (NEVER, 0)));
            };
            let now = policy.options.now()?;
            Ok(cache.locate(hash, args, &mut Expiry { policy, now })?.map(|until| (until, now)))
        })?;
        match until {
            None => Err(Raised::key_error(key)),
            Some((NEVER, _)) => Ok(build::none()),
            Some((until, now)) => build::float(until.saturating_sub(now) as f64 / 1e9),
        }
    }

    /// `self.expire()`: what has expired leaves, and is returned. Reenters: `clock`, `on_evict`, finalizers.
    pub(super) fn expire(&self) -> Result<Owned> {
        let left = self.cache()?.expired()?;
        let mut pairs = build::Filling::new(left.len(), true)?;
        for (key, value) in left {
            pairs.push(build::tuple(&[key.to_object()?.borrow(), value.borrow()])?);
        }
        Ok(pairs.done())
    }

    /// `self.resize(maxsize)`. Reenters: `on_evict`, finalizers.
    pub(super) fn resize(&self, maxsize: Borrowed<'_>) -> Result<Owned> {
        let (cache, bound) = (self.cache()?, bound_of(maxsize)?);
        let capacity = bound.entries().unwrap_or(usize::MAX);
        cache.bound.set(bound);
        let mut left = Evicted::new();
        cache.store.change_rarely(|store| {
            store.set_capacity(capacity);
            while store.len() > capacity {
                let Some((key, object)) = store.evict() else { break };
                if let Some(policy) = cache.policy() {
                    policy.forget_weight(&object);
                }
                left.push((key, object, Cause::Size));
            }
        });
        match cache.policy() {
            Some(policy) => policy.notify_evicted(left)?,
            None => drop(left),
        }
        Ok(build::none())
    }
}
