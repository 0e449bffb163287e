//! What is done under the lock where a search in a cache with options ends.

use crate::core::clock::Time;
use crate::core::expiry::Age;
use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::ffi::Owned;
use crate::py::cache::entry_store::Store;
use crate::py::cache::eviction::{Cause, Evicted};
use crate::py::cache::lookup::Action;
use crate::py::cache::policy::{Policy, Use, entry};
use crate::py::entry::EntryRef;
use crate::py::key::Key;

/// Reads an entry as a call does.
pub struct Read<'a> {
    /// Of the cache that is searched.
    pub policy: &'a Policy,
    /// The time of the call.
    pub now: Time,
}

/// What is there for a call.
pub enum Found {
    /// To be returned.
    Fresh(Owned),
    /// To be returned, while somebody computes it anew.
    Stale(Owned),
    /// Stale, and this caller is to compute it anew.
    Refresh(EntryRef),
    /// To be computed anew, and to be returned where that raises.
    OnError(EntryRef),
    /// Nothing.
    Absent,
    /// Not to be told, and nothing is to be stored.
    Undecided,
}

impl Action for Read<'_> {
    type Output = Found;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Found {
        store.mark(id);
        let object = store.value(id);
        // SAFETY: a value of the store of a cache with options, as the policy says.
        let entry = unsafe { entry(object) };
        // It is one.
        let entry_of = |object: &Owned| self.policy.entry_type.entry_of(object.clone());
        match self.policy.use_of_entry(entry, self.now) {
            Use::Fresh => {
                entry.touch(self.now);
                Found::Fresh(entry.value().clone())
            }
            Use::Stale if entry.begin_refresh() => {
                entry.touch(self.now);
                entry_of(object).map_or(Found::Absent, Found::Refresh)
            }
            Use::Stale => {
                entry.touch(self.now);
                self.policy.stats.count_stale_hit();
                Found::Stale(entry.value().clone())
            }
            Use::OnError => {
                entry.touch(self.now);
                entry_of(object).map_or(Found::Absent, Found::OnError)
            }
            Use::None => Found::Absent,
        }
    }

    fn absent(&mut self, _store: &mut Store) -> Found {
        Found::Absent
    }

    fn nothing(&mut self) -> Found {
        Found::Undecided
    }
}

/// The value of an entry that is fresh, without more ado.
pub struct Peek<'a> {
    /// Of the cache that is searched.
    pub policy: &'a Policy,
    /// The time of the call.
    pub now: Time,
}

impl Action for Peek<'_> {
    type Output = Option<Owned>;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Option<Owned> {
        // SAFETY: a value of the store of a cache with options: none else is looked at with this.
        self.policy.read(unsafe { entry(store.value(id)) }, self.now)
    }

    fn nothing(&mut self) -> Option<Owned> {
        None
    }
}

/// What is returned in the place of an exception: the entry past its time, which is then not computed anew for some time, or
/// one that has taken its place.
pub struct InsteadOfError<'a> {
    /// Of the cache that is searched.
    pub policy: &'a Policy,
    /// The entry past its time.
    pub old: &'a EntryRef,
    /// The time of the exception.
    pub now: Time,
    /// Until when it is not computed anew.
    pub retry_at: Time,
}

impl Action for InsteadOfError<'_> {
    type Output = Option<Owned>;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Option<Owned> {
        let object = store.value(id);
        if !self.old.is(object) {
            // SAFETY: a value of the store of a cache with options, as the policy says.
            return self.policy.read(unsafe { entry(object) }, self.now);
        }
        if self.policy.age_of(self.old, self.now) == Age::Expired {
            return None;
        }
        self.old.prolong(self.retry_at);
        Some(self.old.value().clone())
    }

    fn nothing(&mut self) -> Option<Owned> {
        None
    }
}

/// Stores an entry, in the place of one that is there unless that is fresh and to stay.
pub struct Put<'a> {
    /// Of the cache that is searched.
    pub policy: &'a Policy,
    /// Of the key.
    pub hash: Hash,
    /// The key and the entry, until they are in the store.
    pub new: Option<(Key, Owned)>,
    /// The time of the call.
    pub now: Time,
    /// Whether an entry that is fresh gives way.
    pub replace_fresh: bool,
    /// What has left for it.
    pub left: Evicted,
    /// A key that was not needed.
    pub spare: Option<Key>,
    /// Nothing was stored, for want of memory.
    pub no_memory: bool,
    /// The value that was to stay.
    pub stays: Option<Owned>,
}

impl<'a> Put<'a> {
    /// Stores this key and entry.
    pub fn new(policy: &'a Policy, hash: Hash, new: Option<(Key, Owned)>, now: Time, replace_fresh: bool) -> Self {
        Self { policy, hash, new, now, replace_fresh, left: Vec::new(), spare: None, no_memory: false, stays: None }
    }

    /// Lets the next victim go, which is not the entry that was just stored.
    fn evict(&mut self, store: &mut Store, stored: Option<SlotId>) -> bool {
        let victim = match stored {
            Some(id) => store.evict_other(id),
            None => store.evict(),
        };
        let Some((key, object)) = victim else { return false };
        self.policy.forget_weight(&object);
        // SAFETY: a value of the store of a cache with options, as the policy says.
        let expired = unsafe { entry(&object) }.age(self.now) == Age::Expired;
        let cause = if expired { Cause::Expired } else { Cause::Size };
        self.left.push((key, object, cause));
        true
    }

    /// Lets entries go until there is room for so much more weight, but not the one that was just stored.
    fn make_room(&mut self, store: &mut Store, weight: u64, stored: Option<SlotId>) {
        while self.policy.weight().saturating_add(weight) > self.policy.most_weight && self.evict(store, stored) {}
    }
}

impl Action for Put<'_> {
    type Output = ();

    fn found(&mut self, store: &mut Store, id: SlotId) {
        let object = store.value(id);
        // SAFETY: a value of the store of a cache with options, as the policy says.
        let age = self.policy.age_of(unsafe { entry(object) }, self.now);
        if age == Age::Fresh && !self.replace_fresh {
            // SAFETY: a value of the store of a cache with options, as the policy says.
            self.stays = Some(unsafe { entry(object) }.value().clone());
            return;
        }
        let (Some((key, new)), stored_key, old) = (self.new.take(), store.key(id).clone(), object.clone()) else {
            return;
        };
        // SAFETY: a value of the store of a cache with options, as the policy says.
        let (weight, until) = unsafe { entry(&new) }.weight_and_expiry();
        store.mark(id);
        match store.replace(id, new, Key::duplicate) {
            Ok((id, _old)) => {
                // `_old` is held as `old` too, so it is not dropped here for the last time.
                self.spare = Some(key);
                self.policy.forget_weight(&old);
                // SAFETY: a value of the store of a cache with options, as the policy says.
                let cause = match (self.policy.stands(unsafe { entry(&old) }, self.now), age) {
                    // A server has told that it has changed.
                    (false, _) => Cause::Invalidated,
                    (true, Age::Expired) => Cause::Expired,
                    (true, _) => Cause::Replaced,
                };
                self.left.push((stored_key, old, cause));
                self.policy.remember(weight, until);
                self.make_room(store, 0, Some(id));
            }
            Err((new, _)) => {
                self.new = Some((key, new));
                self.no_memory = true;
            }
        }
    }

    fn absent(&mut self, store: &mut Store) {
        let Some((key, new)) = self.new.take() else { return };
        // SAFETY: a value of the store of a cache with options, as the policy says.
        let (weight, until) = unsafe { entry(&new) }.weight_and_expiry();
        self.make_room(store, weight, None);
        if store.is_full() {
            self.evict(store, None);
        }
        match store.insert(self.hash, key, new) {
            Ok(_none) => self.policy.remember(weight, until),
            Err((key, new, _)) => {
                self.new = Some((key, new));
                self.no_memory = true;
            }
        }
    }

    fn nothing(&mut self) {}
}

/// Takes an entry out.
pub struct TakeOut<'a> {
    /// Of the cache that is searched.
    pub policy: &'a Policy,
    /// The time of the call.
    pub now: Time,
    /// Why it leaves.
    pub cause: Cause,
}

impl Action for TakeOut<'_> {
    /// Whether it was good, and the entry.
    type Output = (bool, Evicted);
    const RARE: bool = true;

    fn found(&mut self, store: &mut Store, id: SlotId) -> Self::Output {
        // SAFETY: a value of the store of a cache with options, as the policy says.
        let used = self.policy.use_of_entry(unsafe { entry(store.value(id)) }, self.now);
        let expired = used == Use::None;
        let mut left = Vec::new();
        if let Some((key, object)) = store.take_out(id) {
            self.policy.forget_weight(&object);
            left.push((key, object, if expired { Cause::Expired } else { self.cause }));
        }
        (!expired && used != Use::OnError, left)
    }

    fn nothing(&mut self) -> Self::Output {
        (false, Vec::new())
    }
}

/// Tells whether there is a good entry, and leaves it alone.
pub struct IsGood<'a> {
    /// Of the cache that is searched.
    pub policy: &'a Policy,
    /// The time of the call.
    pub now: Time,
}

impl Action for IsGood<'_> {
    type Output = bool;

    fn found(&mut self, store: &mut Store, id: SlotId) -> bool {
        // SAFETY: a value of the store of a cache with options, as the policy says.
        matches!(self.policy.use_of_entry(unsafe { entry(store.value(id)) }, self.now), Use::Fresh | Use::Stale)
    }

    fn nothing(&mut self) -> bool {
        false
    }
}
