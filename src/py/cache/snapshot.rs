//! All entries of a mapping as of some moment, and how they come back into one.

use crate::backend::Words;
use crate::core::OutOfMemory;
use crate::core::clock::{NEVER, Time, after};
use crate::core::expiry::{Age, Terms};
use crate::core::hash::Hash;
use crate::ffi::sync::StoreLock;
use crate::ffi::{CallArgs, Owned, Raised, Result};
use crate::py::cache::Cache;
use crate::py::cache::lookup::Seen;
use crate::py::cache::ops::Mark;
use crate::py::cache::policy::entry;
use crate::py::entry::EntryTerms;
use crate::py::key::Key;

/// One entry of a mapping, as of some moment.
pub struct Item {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Owned,
    /// Whether it is marked as used.
    pub marked: bool,
    /// For how long it is still fresh, in nanoseconds; [`NEVER`] for ever.
    pub left: Time,
    /// What it weighs.
    pub weight: u64,
}

impl Cache {
    /// All entries that have not expired, from the oldest to the newest, and the place of the one at which the hand stands.
    pub fn items(&self) -> Result<(Vec<Item>, usize)> {
        let now = self.policy().map_or(Ok(0), |policy| policy.options.now())?;
        let mut all: Vec<(Key, Owned, bool)> = Vec::new();
        let mut hand = 0;
        let copied = self.store.change(|store| {
            all.try_reserve_exact(store.len())?;
            let mut next = store.oldest();
            while let Some(id) = next {
                if store.is_at_hand(id) {
                    hand = all.len();
                }
                all.push((store.key(id).clone(), store.value(id).clone(), store.is_marked(id)));
                next = store.newer(id);
            }
            Ok(())
        });
        copied.map_err(|OutOfMemory| Raised::no_memory())?;
        if self.policy().is_none() {
            let item = |(key, value, marked)| Item { key, value, marked, left: NEVER, weight: 0 };
            return Ok((all.into_iter().map(item).collect(), hand));
        }
        let mut items = Vec::with_capacity(all.len());
        let mut place = 0;
        for (at, (key, object, marked)) in all.into_iter().enumerate() {
            if at == hand {
                place = items.len();
            }
            // SAFETY: a value of the store of a cache with options, as the policy says.
            let kept = unsafe { entry(&object) };
            let until = kept.expires();
            if kept.age(now) != Age::Expired {
                let left = if until == NEVER { NEVER } else { until - now };
                items.push(Item { key, value: kept.value().clone(), marked, left, weight: kept.weight() });
            }
        }
        Ok((items, place))
    }

    /// Stores what [`Cache::items`] told, in its order. Reenters: `__eq__` of keys, `on_evict`, finalizers.
    pub fn put_item(&self, args: &CallArgs<'_>, hash: Hash, item: Item) -> Result<()> {
        let Item { key, value, marked, left, weight } = item;
        match self.policy() {
            Some(policy) => {
                let now = policy.options.now()?;
                let until = after(now, left);
                let times = Terms { fresh_until: until, stale_until: until, idle: policy.options.tti };
                let terms = EntryTerms { times, weight, version: Words::default() };
                drop(self.keep_on_terms(policy, args, hash, &value, (terms, now), (true, &Seen::default()))?);
            }
            None => self.keep(args, hash, (key, value), true)?,
        }
        if marked { self.locate(hash, args, &mut Mark) } else { Ok(()) }
    }

    /// Puts the hand to the entry of this place.
    pub fn set_hand(&self, place: usize) {
        self.store.change(|store| {
            let mut id = store.oldest();
            for _ in 0..place.min(store.len()) {
                id = id.and_then(|id| store.newer(id));
            }
            if let Some(id) = id {
                store.set_hand(id);
            }
        });
    }
}
