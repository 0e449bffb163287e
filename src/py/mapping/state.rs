//! What goes into a mapping as a whole, and comes out of it.

use crate::core::clock::NEVER;
use crate::core::{OutOfMemory, boxed};
use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, build, call, exact, read};
use crate::py::cache::Cache;
use crate::py::cache::capacity::Bound;
use crate::py::cache::policy::Policy;
use crate::py::cache::snapshot::Item;
use crate::py::key::{Key, KeyKind};
use crate::py::mapping::object::Mapping;
use crate::py::options::{Keyed, Options, Ttl};
use crate::py::{decorators, options};
use pyo3_ffi as py;
use std::ffi::CStr;

impl Mapping {
    /// A new list of what `make` makes of each entry, from the oldest to the newest.
    fn list(&self, make: impl Fn(Item) -> Result<Owned>) -> Result<(Owned, usize)> {
        let (items, hand) = self.cache()?.items()?;
        // SAFETY: an attached thread.
        let list = unsafe { py::PyList_New(0) };
        // SAFETY: a new reference, or null with an exception set.
        let list = unsafe { Owned::from_call(list) }?;
        for item in items {
            let made = make(item)?;
            // SAFETY: a list and a live object, of which the list takes a reference of its own.
            if unsafe { py::PyList_Append(list.as_ptr(), made.as_ptr()) } != 0 {
                return Err(Raised::by_callee());
            }
        }
        Ok((list, hand))
    }

    pub(in crate::py) fn iterate(&self) -> Result<Owned> {
        let (keys, _hand) = self.list(|item| item.key.to_object())?;
        // SAFETY: a live list.
        let iterator = unsafe { py::PyObject_GetIter(keys.as_ptr()) };
        // SAFETY: a new reference, or null with an exception set.
        unsafe { Owned::from_call(iterator) }
    }

    pub(in crate::py) fn pairs(&self) -> Result<Owned> {
        let pair = |item: Item| build::tuple(&[item.key.to_object()?.borrow(), item.value.borrow()]);
        self.list(pair).map(|(list, _hand)| list)
    }

    /// What [`Mapping::restore`] takes, and the options.
    pub(in crate::py) fn snapshot(&self) -> Result<Owned> {
        let cache = self.cache()?;
        let (entries, hand) = self.list(|item| {
            let left = match item.left {
                NEVER => build::none(),
                left => build::float(left as f64 / 1e9)?,
            };
            build::tuple(&[
                item.key.to_object()?.borrow(),
                item.value.borrow(),
                build::boolean(item.marked).borrow(),
                left.borrow(),
                build::count(item.weight)?.borrow(),
            ])
        })?;
        let options = match cache.policy() {
            Some(policy) => options::values::copied(policy.given())?,
            None => options::values::empty()?,
        };
        let hand = build::count(hand as u64)?;
        build::tuple(&[cache.maxsize()?.borrow(), options.borrow(), entries.borrow(), hand.borrow()])
    }

    /// Puts entries of [`Mapping::snapshot`] in, and the hand where it was. Reenters: as [`Mapping::set`].
    pub(in crate::py) fn restore(&self, entries: Borrowed<'_>, hand: Borrowed<'_>) -> Result<Owned> {
        let cache = self.cache()?;
        // SAFETY: a live object.
        let entries = unsafe { py::PySequence_Tuple(entries.as_ptr()) };
        // SAFETY: a new reference, or null with an exception set.
        let entries = unsafe { Owned::from_call(entries) }?;
        for &entry in exact::tuple_items(entries.borrow()) {
            let damaged = || Raised::type_error(c"a SieveCache's saved entry is a tuple of five");
            if !exact::is_tuple(entry) {
                return Err(damaged());
            }
            let &[key, value, marked, left, weight] = exact::tuple_items(entry) else { return Err(damaged()) };
            let marked = marked.is_true()?;
            let left = match options::values::ttl_of(left)? {
                NEVER => NEVER,
                left => left.max(1),
            };
            let weight = options::values::weight_of(weight)?;
            self.with_key(key, |args, hash| {
                let item = Item { key: Key::new(args, KeyKind::Item)?, value: value.to_owned(), marked, left, weight };
                cache.put_item(args, hash, item)
            })?;
        }
        cache.set_hand(options::values::weight_of(hand)? as usize);
        Ok(build::none())
    }

    /// `__init__`. Reenters: `__float__` and the like of odd values.
    pub(in crate::py) fn init(&self, args: Borrowed<'_>, keywords: Option<Borrowed<'_>>) -> Result<()> {
        const TAKES: &CStr =
            c"SieveCache() takes maxsize, and by keyword ttl, tti, jitter, weigher, maxweight, on_evict and clock";
        let mut maxsize = match *exact::tuple_items(args) {
            [] => None,
            [maxsize] => Some(maxsize.to_owned()),
            _ => return Err(Raised::type_error(TAKES)),
        };
        let given = options::values::empty()?;
        for (name, value) in keywords.map_or(Ok(Vec::new()), read::dict_pairs)? {
            let is = |known: &CStr| {
                exact::is_str_instance(name.borrow())
                    // SAFETY: a str and a terminated string.
                    && unsafe { py::PyUnicode_CompareWithASCIIString(name.as_ptr(), known.as_ptr()) } == 0
            };
            if is(c"maxsize") {
                if maxsize.replace(value).is_some() {
                    return Err(Raised::type_error(c"SieveCache() got maxsize both by position and by keyword"));
                }
            } else if !OPTIONS.iter().any(|known| is(known)) {
                return Err(decorators::unknown_option(c"SieveCache", name.borrow(), &OPTIONS));
            } else if !value.borrow().is_none() {
                build::set_item(&given, name.borrow(), value.borrow())?;
            }
        }
        let maxsize = maxsize.ok_or_else(|| Raised::type_error(TAKES))?;
        let bound = bound_of(maxsize.borrow())?;
        let policy = match Options::parse(given.borrow(), false)? {
            Some(mut options) => {
                options.keyed = keyed(&options)?;
                let policy =
                    Policy::new(self.state()?, self.as_object(), None, (options, None), given.borrow(), false, None)?;
                Some(boxed(policy).map_err(|OutOfMemory| Raised::no_memory())?)
            }
            None => None,
        };
        // Imported now: `info()` may be called by a finalizer, inside of another import.
        self.state()?.cache_info_class.get()?;
        match self.parts().cache.set(Cache::new(bound, KeyKind::Item, policy)?) {
            Ok(()) => Ok(()),
            Err(_other) => Err(Raised::type_error(c"SieveCache.__init__() has been called before")),
        }
    }
}

/// The options of a mapping.
const OPTIONS: [&CStr; 8] = [c"maxsize", c"ttl", c"tti", c"jitter", c"weigher", c"maxweight", c"on_evict", c"clock"];

/// Which of its callables take a key before the value: those that need two arguments. Reenters: their signatures.
fn keyed(options: &Options) -> Result<Keyed> {
    let takes_key = |callable: &Owned| {
        let ask = call::import(c"tamis._signature", c"needs_two")?;
        call::with(ask.borrow(), &[callable.borrow()])?.borrow().is_true()
    };
    let ttl = if let Ttl::Of(ttl) = &options.ttl { takes_key(ttl)? } else { false };
    let weigher = options.weight.as_ref().map_or(Ok(false), |(weigher, _)| takes_key(weigher))?;
    Ok(Keyed { ttl, weigher })
}

pub(super) fn bound_of(maxsize: Borrowed<'_>) -> Result<Bound> {
    if exact::is_bool(maxsize) {
        return Err(Raised::type_error(c"maxsize takes an int of 1 or more, or None, not a bool"));
    }
    match decorators::bound_of(maxsize)? {
        Some(Bound::Off) => {
            Err(Raised::with(Kind::Value, c"maxsize takes an int of 1 or more, or None, not %R", maxsize))
        }
        Some(bound) => Ok(bound),
        None => {
            let message = c"maxsize takes an int of 1 or more, or None, not %.200s";
            Err(Raised::type_error_naming_type(message, maxsize))
        }
    }
}
