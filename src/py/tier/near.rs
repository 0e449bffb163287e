//! The near cache: objects that a tier has as bytes.

use crate::backend::{Backend, FoundEntry};
use crate::core::clock::{NEVER, Time};
use crate::core::expiry::Terms;
use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::core::view::Hit;
use crate::ffi::compare::Verdict;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, CallArgs, Owned, Result, exact};
use crate::py::cache::entry_store::Store;
use crate::py::cache::expiring_ops::Put;
use crate::py::cache::lookup::Action;
use crate::py::cache::policy::{Policy, entry};
use crate::py::entry::EntryTerms;
use crate::py::key;
use crate::py::key::{Key, KeyKind};
use crate::py::options::Clock;
use crate::py::tier::cache::TieredCache;
use crate::py::tier::source::Source;

/// How many objects the near cache of one wrapper holds at most.
pub const NEAR_ENTRIES: usize = 4096;
/// How many bytes they stand for in the region at most.
pub const NEAR_BYTES: u64 = 16 << 20;
/// How deep tuples may nest in keys of the near cache.
const DEPTH: u32 = 3;

/// Whether two such objects are one key to the region exactly if they are equal, which comparing them tells without running
/// Python code.
fn is_plain(object: Borrowed<'_>, depth: u32) -> bool {
    exact::is_plain(object)
        || depth > 0
            && exact::is_tuple(object)
            && exact::tuple_items(object).iter().all(|&item| is_plain(item, depth - 1))
}

/// The hash of these arguments, if the near cache may hold them. Runs no Python code.
pub fn hash(key_args: &CallArgs<'_>, kind: KeyKind) -> Result<Option<Hash>> {
    let names = key_args.names();
    let plain = key_args.values().iter().all(|&value| is_plain(value, DEPTH));
    if plain && names.iter().all(|&name| exact::is_str(name)) {
        return key::hash::hash(key_args, kind).map(Some);
    }
    Ok(None)
}

/// Reads an entry, or takes it out if the tier has it no more.
struct Read<'a, B> {
    policy: &'a Policy,
    backend: &'a B,
    now: Time,
}

impl<B: Backend> Action for Read<'_, B> {
    /// The value, and what is to be dropped.
    type Output = (Option<Owned>, Option<(Key, Owned)>);

    fn found(&mut self, store: &mut Store, id: SlotId) -> Self::Output {
        store.mark(id);
        let object = store.value(id);
        // SAFETY: a value of the store of a cache with options, as the policy says.
        match unsafe { entry(object) }.read_near(self.backend, self.now) {
            Some(value) => (Some(value), None),
            None => {
                self.policy.forget_weight(object);
                (None, store.take_out(id))
            }
        }
    }

    fn nothing(&mut self) -> Self::Output {
        (None, None)
    }
}

impl<S: Source> TieredCache<'_, S> {
    /// The value that the near cache has for these arguments, if the tier still has it too. Reenters: `clock`.
    pub fn near_value(&self, key_args: &CallArgs<'_>, hash: Hash) -> Result<Option<Owned>> {
        let now = self.policy.options.now()?;
        let (policy, backend) = (self.policy, self.tier.backend());
        let same = |key: &Key| key.compare(key_args, self.near.kind) == Verdict::Same;
        // SAFETY: a value of the store of a cache with options, as the policy says.
        match self.near.store.find_with(hash, same, |object| unsafe { entry(object) }.read_near(backend, now)) {
            Hit::Value(value) => return Ok(Some(value)),
            Hit::Absent(_) => return Ok(None),
            Hit::Unsure(_) => {}
        }
        let (value, gone) = self.near.locate(hash, key_args, &mut Read { policy, backend, now })?;
        drop(gone);
        Ok(value)
    }

    /// Puts a value into the near cache that the tier has as this entry, in so many bytes.
    pub fn keep_near(
        &self,
        key_args: &CallArgs<'_>,
        hash: Hash,
        value: &Owned,
        found: FoundEntry<<S::Backend as Backend>::Version>,
        size: usize,
    ) -> Result<()> {
        let (policy, times) = (self.policy, found.terms);
        // A cache without a clock has not made these terms, and can't keep them.
        if matches!(policy.options.clock, Clock::Unused) && times != Terms::NONE || size as u64 > NEAR_BYTES / 4 {
            return Ok(());
        }
        let terms = EntryTerms { times, weight: size as u64, version: found.version.into() };
        let object = policy.entry_type.create(value.clone(), terms, 0)?.into_object();
        let new = Some((Key::new(key_args, self.near.kind)?, object));
        let mut put = Put::new(policy, hash, new, NEVER, true);
        let outcome = self.near.locate(hash, key_args, &mut put);
        // Without memory the tier has it all the same.
        drop(put);
        outcome
    }
}
