//! One call of a cache with a tier, known by its key's bytes.

use crate::backend::{Backend, FoundEntry, Lookup, Now, Stored};
use crate::core::clock;
use crate::core::clock::Time;
use crate::core::expiry::{Age, Terms};
use crate::core::hash::Hash;
use crate::ffi::{CallArgs, Owned, Raised, Result, build};
use crate::py::cache::policy::Use;
use crate::py::codec;
use crate::py::codec::decode::Decoded;
use crate::py::codec::encode::Encoded;
use crate::py::entry::{EntryTerms, StaleEntry, StalePlace};
use crate::py::options::Background;
use crate::py::tier::buffers::Buffers;
use crate::py::tier::cache::TieredCache;
use crate::py::tier::clock::When;
use crate::py::tier::near;
use crate::py::tier::source::{Detached, Event, Source};
use crate::state::State;

type Version<S> = <<S as Source>::Backend as Backend>::Version;
type Lease<S> = <<S as Source>::Backend as Backend>::Lease;

/// One call, known by its key.
pub struct TierRequest<'a, S> {
    /// The cache that is called.
    pub cache: TieredCache<'a, S>,
    /// The module's.
    pub state: &'a State,
    /// What makes the key.
    key_args: &'a CallArgs<'a>,
    /// Its hash in the near cache, if that may hold it.
    near: Option<Hash>,
    /// The key's bytes.
    pub bytes: Buffers,
}

/// What the tier has.
pub enum TierLook<V> {
    /// To be returned.
    Fresh(Owned),
    /// Past its time: see [`TierRequest::answer`].
    Stale(Owned, FoundEntry<V>),
    /// Nothing, or nothing that can be read.
    Absent,
}

/// What comes of a call.
pub enum Answer {
    /// This value, of which the caller gets a copy where the options say so.
    Value(Owned),
    /// The function is to be called: to replace an entry past its time, if there is one.
    Compute(Option<StaleEntry>),
    /// This value, while somebody else computes it anew: see the option `background`.
    Recompute(Owned, StaleEntry),
}

impl<'a, S: Source> TieredCache<'a, S> {
    /// The call of these arguments. None if the key takes more bytes than there may be. Reenters: pickle or the serializer, for
    /// arguments that are not of built-in types.
    #[inline(always)]
    pub fn request(self, key_args: &'a CallArgs<'a>, near: Option<Hash>) -> Result<Option<TierRequest<'a, S>>> {
        let state = self.state()?;
        let mut bytes = Buffers::take();
        let (serializer, kind) = (self.tier.serializer.as_ref(), self.near.kind);
        if !codec::keys::encode_call(state, serializer, key_args, kind, bytes.key_mut(), self.tier.most)? {
            return Ok(None);
        }
        bytes.set_hash(self.tier.backend().hash(bytes.request().key));
        Ok(Some(TierRequest { cache: self, state, key_args, near, bytes }))
    }

    /// The call whose key has these bytes.
    pub fn request_of_key(self, key_args: &'a CallArgs<'a>, key: Vec<u8>) -> Result<TierRequest<'a, S>> {
        let hash = self.tier.backend().hash(&key);
        self.request_of_bytes(key_args, Buffers::of_key(key, hash))
    }

    /// The call whose key lies in these buffers, with its hash.
    pub fn request_of_bytes(self, key_args: &'a CallArgs<'a>, bytes: Buffers) -> Result<TierRequest<'a, S>> {
        Ok(TierRequest { cache: self, state: self.state()?, key_args, near: None, bytes })
    }

    /// Runs `work` on the call of these arguments; without it if its key is too large. Reenters: `key`, and as
    /// [`TieredCache::request`].
    pub fn with_request<R>(
        self,
        args: &CallArgs<'_>,
        work: impl FnOnce(Option<TierRequest<'_, S>>) -> Result<R>,
    ) -> Result<R> {
        self.policy.with_key_args(args, |key_args| {
            let near = near::hash(key_args, self.near.kind)?;
            let request = self.request(key_args, near)?;
            if request.is_none() {
                self.tier.count(Event::Oversize);
            }
            work(request)
        })
    }
}

impl<S: Source> TierRequest<'_, S> {
    #[inline(always)]
    fn backend(&self) -> &S::Backend {
        self.cache.tier.backend()
    }

    /// The key as an object, for what goes by objects: flights.
    pub fn key_object(&self) -> Result<Owned> {
        build::bytes(self.bytes.request().key)
    }

    /// What the tier has. Reenters: pickle or the serializer, where they have made the value.
    #[inline(always)]
    pub fn look(&self, now: When) -> Result<TierLook<Version<S>>> {
        if self.backend().lacks(self.bytes.request().hash) {
            return Ok(TierLook::Absent);
        }
        self.look_closely(now)
    }

    #[inline(never)]
    fn look_closely(&self, now: When) -> Result<TierLook<Version<S>>> {
        let bytes = &mut *self.bytes.value();
        let (found, fresh) = match self.backend().get(self.bytes.request(), now, bytes) {
            // Who does not answer has nothing for this call.
            Ok(Lookup::Absent) | Err(_) => return Ok(TierLook::Absent),
            Ok(Lookup::Fresh(found)) => (found, true),
            Ok(Lookup::Stale(found)) => (found, false),
        };
        match codec::decode::decode(self.state, self.cache.tier.serializer.as_ref(), bytes)? {
            Decoded::Damaged => Ok(TierLook::Absent),
            Decoded::Value(value, _) if !fresh => Ok(TierLook::Stale(value, found)),
            Decoded::Value(value, immutable) => {
                if let (true, Some(hash)) = (immutable, self.near) {
                    self.cache.keep_near(self.key_args, hash, &value, found, bytes.len())?;
                }
                Ok(TierLook::Fresh(value))
            }
        }
    }

    /// The value that is fresh now, which counts as a hit. Reenters: as [`TierRequest::look`].
    pub fn peek(&self) -> Result<Option<Owned>> {
        match self.look(When::of(self.cache.policy)?)? {
            TierLook::Fresh(value) => {
                self.cache.tier.count(Event::Hit);
                Ok(Some(value))
            }
            TierLook::Stale(..) | TierLook::Absent => Ok(None),
        }
    }

    /// Whether the tier has it, and for more than what is returned where computing raises.
    pub fn is_there(&self) -> Result<bool> {
        let (policy, when) = (self.cache.policy, When::of(self.cache.policy)?);
        let now = when.now();
        if policy.options.on_error.is_some() {
            return Ok(match self.look(when)? {
                TierLook::Fresh(_) => true,
                TierLook::Stale(_, found) => policy.use_of(Age::Stale, &found.terms, now) == Use::Stale,
                TierLook::Absent => false,
            });
        }
        self.backend().contains(self.bytes.request(), now).map_err(S::raised)
    }

    /// Drops the entry. True if there was one that was good.
    pub fn drop_entry(&self) -> Result<bool> {
        let good = self.is_there()?;
        let was_there = self.backend().remove(self.bytes.request(), &Detached).map_err(S::raised)?;
        Ok(good && was_there)
    }

    /// Stores a value that the caller has, if it has bytes and they fit. Reenters: `ttl`, pickle or the serializer, filters of
    /// warnings.
    pub fn keep(&self, value: &Owned) -> Result<()> {
        match self.cache.policy.options.expires() {
            true => self.keep_on(value, self.cache.policy.terms(None, value.borrow())?, None),
            false => self.keep_for(value, &Terms::NONE, When::Coarse, None),
        }
    }

    /// Stores a value that was computed, under this lease if there is one. If `ttl` fails, that is reported, and the value is not
    /// stored; what it was to `replace` is out of date. Reenters: as [`TierRequest::keep`], `sys.unraisablehook`.
    #[inline(always)]
    pub fn keep_computed(&self, value: &Owned, replace: bool, lease: Option<Lease<S>>) -> Result<()> {
        let policy = self.cache.policy;
        if !policy.options.expires() {
            return self.keep_for(value, &Terms::NONE, When::Coarse, lease);
        }
        match policy.terms_of_computed(None, value.borrow())? {
            Some(terms) => self.keep_on(value, terms, lease),
            None if replace => self.forget_older(),
            None => Ok(()),
        }
    }

    #[inline(always)]
    fn keep_on(&self, value: &Owned, (terms, now): (EntryTerms, Time), lease: Option<Lease<S>>) -> Result<()> {
        self.keep_for(value, &terms.times, When::At(now), lease)
    }

    /// Reenters: pickle or the serializer, filters of warnings.
    fn keep_for(&self, value: &Owned, terms: &Terms, now: When, lease: Option<Lease<S>>) -> Result<()> {
        let bytes = &mut *self.bytes.value();
        let tier = self.cache.tier;
        match codec::encode::encode(self.state, tier.serializer.as_ref(), value.borrow(), bytes, tier.most)? {
            // What it returns goes into the near cache with the first hit, if there ever is one.
            Encoded::Done => match self.backend().put(self.bytes.request(), bytes, terms, now, lease, &Detached) {
                // Where it can't be stored now it is not, and nobody's call fails for it.
                Ok(Stored::Done(_) | Stored::Superseded) | Err(_) => Ok(()),
                Ok(Stored::TooLarge) => self.is_oversize(),
            },
            Encoded::TooLarge => self.is_oversize(),
            Encoded::Unserializable(exception) => {
                tier.count(Event::Unserializable);
                self.forget_older()?;
                tier.warn(exception.borrow())
            }
        }
    }

    fn is_oversize(&self) -> Result<()> {
        self.cache.tier.count(Event::Oversize);
        self.forget_older()
    }

    /// What was stored before is out of date.
    fn forget_older(&self) -> Result<()> {
        if self.is_there()? {
            // Where it can't be removed now it stays until it expires or is evicted.
            let _gone_or_not = self.backend().remove(self.bytes.request(), &Detached);
        }
        Ok(())
    }

    /// What comes of the call. Counts a hit. Reenters: as [`TierRequest::look`].
    #[inline(always)]
    pub fn answer(&self) -> Result<Answer> {
        let now = When::of(self.cache.policy)?;
        match self.look(now)? {
            TierLook::Fresh(value) => {
                self.cache.tier.count(Event::Hit);
                Ok(Answer::Value(value))
            }
            TierLook::Stale(value, found) => {
                let policy = self.cache.policy;
                let kept = policy.options.on_error.map(|_| (value.clone(), found.terms));
                let place = StalePlace::InTier(found.version.into(), kept);
                Ok(if policy.use_of(Age::Stale, &found.terms, now.now()) == Use::OnError {
                    Answer::Compute(Some(StaleEntry::unclaimed(place)))
                } else if !self.claims(found.version, now) {
                    Answer::Value(value)
                } else if let Background::No = policy.options.background {
                    Answer::Compute(Some(StaleEntry::claimed(place)))
                } else {
                    Answer::Recompute(value, StaleEntry::claimed(place))
                })
            }
            TierLook::Absent => Ok(Answer::Compute(None)),
        }
    }

    /// The value of the entry that was to be computed anew, or of one that has taken its place, if there is one that may be returned.
    /// If not, the exception stays. Reenters: `clock`, and as [`TierRequest::look`] and [`TierRequest::keep`].
    pub fn instead_of_error(&self, old: &StaleEntry, lease: Option<Lease<S>>, raised: Raised) -> Result<Owned> {
        let policy = self.cache.policy;
        let (Some(on_error), StalePlace::InTier(version, Some((value, terms)))) = (policy.options.on_error, &old.place)
        else {
            return Err(raised);
        };
        policy.instead_of(raised, || {
            let now = policy.options.now()?;
            if self.backend().stands((*version).into()) {
                if now >= terms.stale_until {
                    return Ok(None);
                }
                let fresh_until = clock::after(now, on_error.retry).min(terms.stale_until);
                self.keep_for(value, &Terms { fresh_until, ..*terms }, When::At(now), lease)?;
                return Ok(Some(value.clone()));
            }
            match self.look(When::At(now))? {
                TierLook::Fresh(value) => Ok(Some(value)),
                TierLook::Stale(..) | TierLook::Absent => Ok(None),
            }
        })
    }

    /// Whether this caller is the one of all processes who makes a stale entry anew. If not, it has a hit on that.
    fn claims(&self, version: Version<S>, now: When) -> bool {
        if self.backend().claim_refresh(version, now.now()) {
            return true;
        }
        self.cache.tier.count(Event::StaleHit);
        self.cache.tier.count(Event::Hit);
        false
    }
}
