//! What is done with the items of a mapping.

use crate::core::hash::Hash;
use crate::core::view::Hit;
use crate::ffi::exact::{Exact, Int};
use crate::ffi::raised::Kind;
use crate::ffi::sync::StoreLock;
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call, hash};
use crate::py::cache::Cache;
use crate::py::cache::lookup::Seen;
use crate::py::key::Key;
use crate::py::mapping::object::Mapping;
use std::sync::atomic::Ordering;

impl Mapping {
    /// The hit path, of small natural numbers and of the very objects that are stored where their hash is at hand, if there are no
    /// options. Else nothing, and [`Mapping::find`] is to look further. Counts a hit.
    #[inline(always)]
    pub(super) fn hit(&self, key: Borrowed<'_>) -> Option<Owned> {
        let cache = self.parts().cache.get().filter(|cache| cache.policy().is_none())?;
        let found = match Exact::<Int>::of(key) {
            Some(key) => cache.store.hit(Hash::of(u64::from(key.small_natural()?)), Key::is_inline_int),
            None => cache.store.hit(Hash::of(hash::in_place(key)?), |stored| stored.is_object(key)),
        };
        if let Hit::Value(value) = found { Some(value) } else { None }
    }

    /// The value for a key, marked as used, or nothing. Counts both. Reenters: `__hash__` and `__eq__` of keys.
    #[inline(always)]
    pub(super) fn find(&self, key: Borrowed<'_>) -> Result<Option<Owned>> {
        let cache = self.cache()?;
        self.with_key(key, |args, hash| {
            let found = cache.find(args, hash, &Seen::default())?;
            if found.is_none() {
                cache.store.count_miss();
            }
            Ok(found)
        })
    }

    /// `self.get(key, default)`, where [`Mapping::hit`] has found nothing. Reenters: as [`Mapping::find`].
    #[inline(never)]
    pub(super) fn get(&self, key: Borrowed<'_>, default: Option<Borrowed<'_>>) -> Result<Owned> {
        let found = self.find(key)?;
        Ok(found.or_else(|| default.map(Borrowed::to_owned)).unwrap_or_else(build::none))
    }

    /// `self[key]`, as above. Reenters: as [`Mapping::find`], and `__missing__` of a subclass.
    #[inline(never)]
    pub(super) fn subscript(&self, key: Borrowed<'_>) -> Result<Owned> {
        let (alive, key) = (self.as_object().to_owned(), key.to_owned());
        if let Some(value) = self.find(key.borrow())? {
            return Ok(value);
        }
        match alive.borrow().attr(build::interned(c"__missing__")?.borrow()) {
            Ok(method) => call::with(method.borrow(), &[key.borrow()]),
            Err(raised) => raised.unless_attribute_error().and_then(|()| Err(Raised::key_error(key.borrow()))),
        }
    }

    /// Reenters: as [`Mapping::find`].
    pub(super) fn peek(&self, key: Borrowed<'_>) -> Result<Owned> {
        let cache = self.cache()?;
        let found = self.with_key(key, |args, hash| cache.peek(args, hash, &Seen::default()))?;
        let found: Vec<_> = found.iter().map(Owned::borrow).collect();
        build::tuple(&found)
    }

    /// Who calls `get_or_compute` from now on is not to get what is being computed now. Reenters: `__eq__` of keys.
    pub(super) fn detach(&self, cache: &Cache, args: &CallArgs<'_>, hash: Hash) -> Result<()> {
        cache.detach_flight(self.parts().flights.get(), args, hash)
    }

    /// Reenters: `__hash__` and `__eq__` of keys, options, finalizers of what leaves.
    pub(super) fn set(&self, key: Borrowed<'_>, value: Borrowed<'_>) -> Result<()> {
        let cache = self.cache()?;
        let _alive = self.as_object().to_owned();
        if cache.policy().is_none() && self.parts().flights.get().is_none() {
            let mut held = None;
            let hash = match hash::in_place(key) {
                Some(hash) => hash,
                None => {
                    held = Some((key.to_owned(), value.to_owned()));
                    hash::of(key)?
                }
            };
            let values = [key];
            let done = cache.set_in_place(&CallArgs::of_positional(&values), Hash::of(hash), value);
            drop(held);
            return done;
        }
        let value = value.to_owned();
        self.with_key(key, |args, hash| {
            self.detach(cache, args, hash)?;
            cache.set(args, hash, value)
        })
    }

    /// Takes an entry out. Reenters: as [`Mapping::set`].
    pub(super) fn take(&self, key: Borrowed<'_>) -> Result<Option<Owned>> {
        let cache = self.cache()?;
        self.with_key(key, |args, hash| {
            self.detach(cache, args, hash)?;
            cache.take(args, hash)
        })
    }

    pub(super) fn contains(&self, key: Borrowed<'_>) -> Result<bool> {
        let cache = self.cache()?;
        let values = [key];
        let _alive = self.as_object().to_owned();
        cache.contains(&CallArgs::of_positional(&values))
    }

    /// Reenters: as [`Mapping::set`].
    pub(super) fn set_default(&self, key: Borrowed<'_>, default: Borrowed<'_>) -> Result<Owned> {
        let cache = self.cache()?;
        self.with_key(key, |args, hash| {
            let seen = Seen::default();
            if let Some(value) = cache.find(args, hash, &seen)? {
                return Ok(value);
            }
            cache.store.count_miss();
            cache.set_default(args, hash, default.to_owned(), false, &seen)
        })
    }

    /// Reenters: `on_evict`, finalizers.
    pub(super) fn pop_item(&self) -> Result<Owned> {
        match self.cache()?.take_victim()? {
            Some((key, value)) => build::tuple(&[key.to_object()?.borrow(), value.borrow()]),
            None => Err(Raised::new(Kind::Key, c"popitem(): the cache is empty")),
        }
    }

    /// Reenters: `on_evict`, finalizers.
    pub(super) fn clear(&self) -> Result<Owned> {
        if let Some(flights) = self.parts().flights.get() {
            flights.forget();
        }
        // Relaxed: a number alone.
        self.parts().coalesced.store(0, Ordering::Relaxed);
        self.cache()?.clear().map(|()| build::none())
    }

    pub(super) fn stats(&self) -> Result<Owned> {
        let stats = self.cache()?.stats()?;
        // Relaxed: a number alone.
        let coalesced = build::count(self.parts().coalesced.load(Ordering::Relaxed))?;
        let (name, size) = (build::interned(c"coalesced")?, build::interned(c"currsize")?);
        build::set_item(&stats, name.borrow(), coalesced.borrow())?;
        build::set_item(&stats, size.borrow(), build::count(self.cache()?.good_len()? as u64)?.borrow())?;
        Ok(stats)
    }
}
