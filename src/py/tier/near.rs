//! The near cache: objects that the region has as bytes.

use crate::core::clock::{NEVER, Time};
use crate::core::expiry::Terms;
use crate::core::hash::Hash;
use crate::core::slot::SlotId;
use crate::core::view::Hit;
use crate::ffi::compare::Verdict;
use crate::ffi::sync::Store;
use crate::ffi::{Borrowed, CallArgs, Owned, Result, exact};
use crate::py::cache::expiring_ops::Put;
use crate::py::cache::lookup::Action;
use crate::py::cache::policy::{Policy, entry};
use crate::py::entry::EntryTerms;
use crate::py::function::Wrapper;
use crate::py::key;
use crate::py::key::{Key, KeyKind};
use crate::py::options::Clock;
use crate::py::tier::region::Shared;
use crate::shm::{Region, Token};

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

/// Reads an entry, or takes it out if the region has it no more.
struct Read<'a> {
    policy: &'a Policy,
    region: &'a Region,
    now: Time,
}

impl Action for Read<'_> {
    /// The value, and what is to be dropped.
    type Outcome = (Option<Owned>, Option<(Key, Owned)>);

    fn found(&mut self, store: &mut Store<Key, Owned>, id: SlotId) -> Self::Outcome {
        store.mark(id);
        let object = store.value(id);
        match entry(object).read_shared(self.region, self.now) {
            Some(value) => (Some(value), None),
            None => {
                self.policy.forget_weight(object);
                (None, store.take_out(id))
            }
        }
    }

    fn absent(&mut self, _store: &mut Store<Key, Owned>) -> Self::Outcome {
        (None, None)
    }

    fn undecided(&mut self) -> Self::Outcome {
        (None, None)
    }
}

impl Wrapper {
    /// The value that the near cache has for these arguments, if the region still has it too.
    pub(in crate::py) fn near_value(
        &self,
        policy: &Policy,
        shared: &Shared,
        key_args: &CallArgs<'_>,
        hash: Hash,
        now: Time,
    ) -> Result<Option<Owned>> {
        let same = |key: &Key| key.compare(key_args, self.kind) == Verdict::Same;
        let region = &*shared.region;
        match self.store.find_with(hash, same, |object| entry(object).read_shared(region, now)) {
            Hit::Value(value) => return Ok(Some(value)),
            Hit::Absent(_) => return Ok(None),
            Hit::Unsure(_) => {}
        }
        let (value, gone) = self.locate(hash, key_args, &mut Read { policy, region, now })?;
        drop(gone);
        Ok(value)
    }

    /// Puts a value into the near cache, that the region has under this token, in so many bytes.
    pub(in crate::py) fn keep_near(
        &self,
        policy: &Policy,
        key_args: &CallArgs<'_>,
        hash: Hash,
        value: &Owned,
        (token, terms): (Token, Terms),
        size: usize,
    ) -> Result<()> {
        // A wrapper without a clock has not made these terms, and can't keep them.
        if matches!(policy.options.clock, Clock::Unused) && terms != Terms::NONE || size as u64 > NEAR_BYTES / 4 {
            return Ok(());
        }
        let terms = EntryTerms { times: terms, weight: size as u64 };
        let object = policy.entry_type.create(value.clone(), terms, 0, Some(token))?.into_object();
        let new = Some((Key::new(key_args, self.kind)?, object));
        let mut put = Put {
            policy,
            hash,
            new,
            now: NEVER,
            replace_fresh: true,
            left: Vec::new(),
            spare: None,
            no_memory: false,
            stays: None,
        };
        let outcome = self.locate(hash, key_args, &mut put);
        // Without memory the region has it all the same.
        drop(put);
        outcome
    }
}
