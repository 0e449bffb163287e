//! One call of a shared cache, known by its key's bytes.

use crate::backend::{Busy, Now};
use crate::core::clock::Time;
use crate::core::expiry::Terms;
use crate::core::hash::Hash;
use crate::ffi::{Borrowed, CallArgs, Owned, Result, build, clock as clocks};
use crate::py::cache::policy::Policy;
use crate::py::codec;
use crate::py::codec::decode::Decoded;
use crate::py::codec::encode::Encoded;
use crate::py::entry::{EntryTerms, StaleEntry};
use crate::py::flight::policy::Role;
use crate::py::function::Wrapper;
use crate::py::function::call::parts::{Begun, Keep, Next, Owed};
use crate::py::options::Clock;
use crate::py::tier::near;
use crate::py::tier::region::{Detached, Shared, busy};
use crate::shm::{Lookup, Stored, Token};
use crate::state::State;
use std::cell::{Cell, RefCell, RefMut};
use std::mem::ManuallyDrop;

/// Bytes that are used again, up to this capacity.
const KEPT_CAPACITY: usize = 64 << 10;

/// Memory for the bytes of a key and of a value.
#[derive(Default)]
struct Scratch {
    key: Vec<u8>,
    /// Of the key, in the region.
    hash: u64,
    value: RefCell<Vec<u8>>,
}

thread_local! {
    static SPARE: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// A thread's scratch memory, given back for the next call. A call inside of a call has its own.
pub struct Buffers(ManuallyDrop<Box<Scratch>>);

impl Buffers {
    #[inline(always)]
    fn take() -> Self {
        // At the exit of a process that embeds Python, C may call after the thread's own storage is gone.
        Self(ManuallyDrop::new(SPARE.try_with(Cell::take).unwrap_or_default().unwrap_or_default()))
    }

    /// Memory for a value, empty. Whoever has it encodes or decodes one value, and comes here again for none of the same call.
    #[inline(always)]
    fn value(&self) -> RefMut<'_, Vec<u8>> {
        let mut bytes = self.0.value.borrow_mut();
        bytes.clear();
        bytes
    }
}

impl Drop for Buffers {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let mut scratch = unsafe { ManuallyDrop::take(&mut self.0) };
        if scratch.key.capacity() <= KEPT_CAPACITY && scratch.value.get_mut().capacity() <= KEPT_CAPACITY {
            scratch.key.clear();
            let _none_any_more = SPARE.try_with(|spare| spare.set(Some(scratch)));
        }
    }
}

/// The time now, of the clock that all processes go by.
#[derive(Clone, Copy)]
pub enum When {
    /// Nobody has looked yet: others may have stored entries that expire, or not.
    Coarse,
    /// It was looked up.
    At(Time),
}

impl When {
    /// Reenters: `clock`.
    #[inline(always)]
    pub fn of(policy: &Policy) -> Result<Self> {
        match policy.options.clock {
            Clock::Unused => Ok(Self::Coarse),
            _ => policy.options.now().map(Self::At),
        }
    }
}

impl Now for When {
    #[inline(always)]
    fn now(&self) -> Time {
        match *self {
            Self::Coarse => clocks::coarse(),
            Self::At(time) => time,
        }
    }
}

/// One call, known by its key.
pub struct TierRequest<'a> {
    pub(in crate::py) wrapper: &'a Wrapper,
    pub(in crate::py) policy: &'a Policy,
    pub(in crate::py) shared: &'a Shared,
    pub(in crate::py) state: &'a State,
    /// What makes the key.
    key_args: &'a CallArgs<'a>,
    /// Its hash in the near cache, if that may hold it.
    near: Option<Hash>,
    bytes: Buffers,
}

/// What the region has.
pub enum Look {
    /// To be returned.
    Fresh(Owned),
    /// To be returned, and made anew by whoever claims this.
    Stale(Owned, Token),
    /// Nothing, or nothing that can be read.
    Absent,
}

impl<'a> TierRequest<'a> {
    /// The call of these arguments. None if the key takes more bytes than a region has. Reenters: pickle or the serializer,
    /// for arguments that are not of built-in types.
    #[inline(always)]
    pub fn new(
        wrapper: &'a Wrapper,
        policy: &'a Policy,
        shared: &'a Shared,
        key_args: &'a CallArgs<'a>,
        near: Option<Hash>,
    ) -> Result<Option<Self>> {
        let state = State::of_instance(wrapper.as_object())?;
        let mut bytes = Buffers::take();
        let serializer = shared.serializer.as_ref();
        if !codec::keys::encode_call(state, serializer, key_args, wrapper.kind, &mut bytes.0.key, shared.most)? {
            return Ok(None);
        }
        bytes.0.hash = shared.region.hash(&bytes.0.key);
        Ok(Some(Self { wrapper, policy, shared, state, key_args, near, bytes }))
    }

    /// The call whose key has these bytes.
    pub fn of_key(
        wrapper: &'a Wrapper,
        policy: &'a Policy,
        shared: &'a Shared,
        state: &'a State,
        key_args: &'a CallArgs<'a>,
        key: Vec<u8>,
    ) -> Self {
        let hash = shared.region.hash(&key);
        let bytes = Buffers(ManuallyDrop::new(Box::new(Scratch { key, hash, ..Scratch::default() })));
        Self { wrapper, policy, shared, state, key_args, near: None, bytes }
    }

    /// Its hash in the region.
    #[inline(always)]
    pub(in crate::py) fn hash(&self) -> u64 {
        self.bytes.0.hash
    }

    /// The key as an object, for what goes by objects: flights.
    pub fn key_object(&self) -> Result<Owned> {
        build::bytes(&self.bytes.0.key)
    }

    /// What the region has. Reenters: pickle or the serializer, where they have made the value.
    #[inline(always)]
    pub fn look(&self, now: When) -> Result<Look> {
        if self.shared.region.lacks(self.hash()) {
            return Ok(Look::Absent);
        }
        self.look_closely(now)
    }

    #[inline(never)]
    fn look_closely(&self, now: When) -> Result<Look> {
        let bytes = &mut *self.bytes.value();
        let (found, fresh) = match self.shared.region.lookup(self.hash(), &self.bytes.0.key, now, bytes) {
            Lookup::Absent => return Ok(Look::Absent),
            Lookup::Fresh(found) => (found, true),
            Lookup::Stale(found) => (found, false),
        };
        match codec::decode::decode(self.state, self.shared.serializer.as_ref(), bytes)? {
            Decoded::Damaged => Ok(Look::Absent),
            Decoded::Value(value, _) if !fresh => Ok(Look::Stale(value, found.version)),
            Decoded::Value(value, immutable) => {
                if let (true, Some(hash)) = (immutable, self.near) {
                    let (token, size) = ((found.version, found.terms), bytes.len());
                    self.wrapper.keep_near(self.policy, self.key_args, hash, &value, token, size)?;
                }
                Ok(Look::Fresh(value))
            }
        }
    }

    /// The value that is fresh now, which counts as a hit. Reenters: as [`TierRequest::look`].
    pub fn peek(&self) -> Result<Option<Owned>> {
        match self.look(When::of(self.policy)?)? {
            Look::Fresh(value) => {
                self.shared.count(true);
                Ok(Some(value))
            }
            Look::Stale(..) | Look::Absent => Ok(None),
        }
    }

    /// Whether the region has it.
    pub fn is_there(&self) -> Result<bool> {
        Ok(self.shared.region.contains(self.hash(), &self.bytes.0.key, When::of(self.policy)?.now()))
    }

    /// Drops the entry. True if there was one that was good.
    pub fn drop_entry(&self) -> Result<bool> {
        let good = self.is_there()?;
        let was_there = self.shared.region.remove_entry(self.hash(), &self.bytes.0.key, &Detached).map_err(busy)?;
        Ok(good && was_there)
    }

    /// Stores a value that the caller has, if it has bytes and they fit. Reenters: `ttl`, pickle or the serializer, filters of
    /// warnings.
    pub fn keep(&self, value: &Owned) -> Result<()> {
        match self.policy.options.expires() {
            true => self.keep_on(value, self.policy.terms(value.borrow())?),
            false => self.keep_for(value, &Terms::NONE, When::Coarse),
        }
    }

    /// Stores a value that was computed. If `ttl` fails, that is reported, and the value is not stored; what it was to `replace` is
    /// out of date. Reenters: as [`TierRequest::keep`], `sys.unraisablehook`.
    #[inline(always)]
    pub fn keep_computed(&self, value: &Owned, replace: bool) -> Result<()> {
        if !self.policy.options.expires() {
            return self.keep_for(value, &Terms::NONE, When::Coarse);
        }
        match self.policy.terms_of_computed(value.borrow())? {
            Some(terms) => self.keep_on(value, terms),
            None if replace => self.forget_older(),
            None => Ok(()),
        }
    }

    #[inline(always)]
    fn keep_on(&self, value: &Owned, (terms, now): (EntryTerms, Time)) -> Result<()> {
        self.keep_for(value, &terms.times, When::At(now))
    }

    /// Reenters: pickle or the serializer, filters of warnings.
    fn keep_for(&self, value: &Owned, terms: &Terms, now: When) -> Result<()> {
        let bytes = &mut *self.bytes.value();
        let (serializer, region) = (self.shared.serializer.as_ref(), &*self.shared.region);
        match codec::encode::encode(self.state, serializer, value.borrow(), bytes, self.shared.most)? {
            // What it returns goes into the near cache with the first hit, if there ever is one.
            Encoded::Done => match region.store(self.hash(), &self.bytes.0.key, bytes, terms, now, &Detached) {
                // Without the lock it is not stored, and nobody's call fails for it.
                Ok(Stored::Done(_) | Stored::Superseded) | Err(Busy) => Ok(()),
                Ok(Stored::TooLarge) => self.is_oversize(),
            },
            Encoded::TooLarge => self.is_oversize(),
            Encoded::Unserializable(exception) => {
                self.shared.tally(|counters| &counters.unserializable);
                self.forget_older()?;
                self.shared.warn(exception.borrow())
            }
        }
    }

    fn is_oversize(&self) -> Result<()> {
        self.shared.tally(|counters| &counters.oversize);
        self.forget_older()
    }

    /// What was stored before is out of date.
    fn forget_older(&self) -> Result<()> {
        if self.is_there()? {
            // Without the lock it stays until it expires or is evicted.
            let _gone_or_busy = self.shared.region.remove_entry(self.hash(), &self.bytes.0.key, &Detached);
        }
        Ok(())
    }

    /// What the call returns, or that its function is to be called. Reenters: as [`TierRequest::look`], `copy`; with `single_flight` it may wait
    /// for another thread or process.
    #[inline(always)]
    pub fn answer(self) -> Result<Next> {
        let now = When::of(self.policy)?;
        let old = match self.look(now)? {
            Look::Fresh(value) => {
                self.shared.count(true);
                return self.policy.copied(value).map(Next::Return);
            }
            Look::Stale(value, token) => {
                if !self.claims(token, now) {
                    return self.policy.copied(value).map(Next::Return);
                }
                Some(StaleEntry::InRegion(token))
            }
            Look::Absent => None,
        };
        let mut owed = Owed { old, ..Owed::default() };
        if let (Some(flights), None) = (&self.policy.flights, &owed.old) {
            match self.fly(flights)? {
                (Role::Leader(flight), lease) => (owed.flight, owed.lease) = (Some(flight), lease),
                (Role::Alone, _) => {}
                (Role::Answered(value), _) => return Ok(Next::Return(value)),
            }
        }
        self.shared.count(false);
        Ok(Next::Call(self.begun(owed.boxed(), Keep::New)))
    }

    fn begun(self, owed: Option<Box<Owed>>, keep: Keep) -> Begun {
        Begun { hash: Hash::of(0), made: None, bytes: Some(self.bytes), owed, keep }
    }

    /// Whether this caller is the one of all processes who makes a stale entry anew. If not, it has a hit on that.
    pub(in crate::py) fn claims(&self, token: Token, now: When) -> bool {
        if self.shared.region.begin_refresh(token, now.now()) {
            return true;
        }
        self.shared.tally(|counters| &counters.stale_hits);
        self.shared.count(true);
        false
    }
}

impl Wrapper {
    /// Runs `work` on the call of these arguments; without it if its key is too large. Reenters: `key`, and as [`TierRequest::new`].
    pub(in crate::py) fn with_request<R>(
        &self,
        policy: &Policy,
        shared: &Shared,
        args: &CallArgs<'_>,
        work: impl FnOnce(Option<TierRequest<'_>>) -> Result<R>,
    ) -> Result<R> {
        policy.with_key_args(args, |key_args| {
            let near = near::hash(key_args, self.kind)?;
            let request = TierRequest::new(self, policy, shared, key_args, near)?;
            if request.is_none() {
                shared.tally(|counters| &counters.oversize);
            }
            work(request)
        })
    }

    /// Reenters: `key`, options, pickle or the serializer, and as [`TierRequest::answer`].
    pub(in crate::py) fn begin_shared(&self, policy: &Policy, shared: &Shared, args: &CallArgs<'_>) -> Result<Next> {
        policy.with_key_args(args, |key_args| {
            let near = near::hash(key_args, self.kind)?;
            if let Some(hash) = near {
                let now = policy.options.now()?;
                if let Some(value) = self.near_value(policy, shared, key_args, hash, now)? {
                    shared.count(true);
                    return policy.copied(value).map(Next::Return);
                }
            }
            match TierRequest::new(self, policy, shared, key_args, near)? {
                Some(request) => request.answer(),
                None => Ok(begin_unkeyed(shared)),
            }
        })
    }

    /// As [`Wrapper::begin_shared`], where the arguments are the key, whose hash the near cache does not have.
    #[inline(always)]
    pub(in crate::py) fn begin_absent(
        &self,
        policy: &Policy,
        shared: &Shared,
        args: &CallArgs<'_>,
        hash: Hash,
    ) -> Result<Next> {
        match TierRequest::new(self, policy, shared, args, Some(hash))? {
            Some(request) => request.answer(),
            None => Ok(begin_unkeyed(shared)),
        }
    }

    /// Stores a computed value under a key that has these bytes. Reenters: as [`TierRequest::keep_computed`].
    pub fn store_in_region(
        &self,
        policy: &Policy,
        shared: &Shared,
        bytes: Buffers,
        value: &Owned,
        replace: bool,
    ) -> Result<()> {
        let state = State::of_instance(self.as_object())?;
        let key_args = CallArgs::of_positional(&[]);
        let request = TierRequest { wrapper: self, policy, shared, state, key_args: &key_args, near: None, bytes };
        request.keep_computed(value, replace)
    }

    /// What a call would return without computing it. Counts a hit or a miss. Reenters: `key`, `copy`, pickle or the serializer.
    pub fn lookup_shared(&self, policy: &Policy, shared: &Shared, args: &CallArgs<'_>) -> Result<Option<Owned>> {
        let found = self.with_request(policy, shared, args, |request| match request {
            Some(request) => match request.look(When::of(policy)?)? {
                Look::Fresh(value) => Ok(Some(value)),
                Look::Stale(value, _token) => {
                    shared.tally(|counters| &counters.stale_hits);
                    Ok(Some(value))
                }
                Look::Absent => Ok(None),
            },
            None => Ok(None),
        })?;
        shared.count(found.is_some());
        found.map(|value| policy.copied(value)).transpose()
    }

    /// `cache_contains`. Reenters: `key`, pickle or the serializer.
    pub fn contains_shared(&self, policy: &Policy, shared: &Shared, args: &CallArgs<'_>) -> Result<bool> {
        self.with_request(policy, shared, args, |request| request.map_or(Ok(false), |request| request.is_there()))
    }

    /// `cache_invalidate`. Reenters: as [`Wrapper::contains_shared`].
    pub fn invalidate_shared(&self, policy: &Policy, shared: &Shared, args: &CallArgs<'_>) -> Result<bool> {
        self.with_request(policy, shared, args, |request| request.map_or(Ok(false), |request| request.drop_entry()))
    }

    /// `cache_put`. Reenters: as [`TierRequest::keep`], `key`.
    pub fn put_shared(&self, policy: &Policy, shared: &Shared, args: &CallArgs<'_>, value: Borrowed<'_>) -> Result<()> {
        self.with_request(policy, shared, args, |request| {
            request.map_or(Ok(()), |request| request.keep(&Borrowed::to_owned(value)))
        })
    }

    /// The first part of `cache_refresh`. Reenters: `key`, and as [`TierRequest::new`].
    pub fn begin_refresh_shared(&self, policy: &Policy, shared: &Shared, args: &CallArgs<'_>) -> Result<Begun> {
        self.with_request(policy, shared, args, |request| {
            Ok(match request {
                Some(request) => request.begun(None, Keep::Any),
                None => Begun { hash: Hash::of(0), made: None, bytes: None, owed: None, keep: Keep::Not },
            })
        })
    }
}

/// A call whose key is too large.
fn begin_unkeyed(shared: &Shared) -> Next {
    shared.count(false);
    shared.tally(|counters| &counters.oversize);
    Next::Call(Begun { hash: Hash::of(0), made: None, bytes: None, owed: None, keep: Keep::Never })
}
