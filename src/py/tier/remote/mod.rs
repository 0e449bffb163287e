//! A server as a tier: what the near cache of one function has to do with `tamis.remote`.
//!
//! The near cache is the cache in memory itself, with all its options: any key, any value, flights of its own. An entry holds a ticket of
//! [`NearWatch`], which a hit looks at besides the entry's time. A miss calls [`Remote::fetch`] in the place of the function: the Python
//! part asks the server, computes if it has to, and answers with the value and its terms. No lock and no borrow of the store is held
//! meanwhile, since all of that is Python code.

pub mod functions;
pub mod watch;

use crate::core::clock::{NEVER, Time};
use crate::core::near::{NearWatch, Ticket};
use crate::ffi::exact::{Exact, Int, Tuple};
use crate::ffi::{Borrowed, CallArgs, Owned, Raised, Result, build, call};
use crate::py::codec;
use crate::py::key::KeyKind;
use crate::py::options::Options;
use crate::state::State;
use std::ffi::CStr;
use std::sync::Arc;

/// A function's part of a tier.
pub struct Remote {
    /// What asks the server: a `tamis.remote._cache.RemoteCache`.
    cache: Owned,
    /// Tells which near entries stand.
    near: Arc<NearWatch>,
    kind: KeyKind,
}

/// Where the value of an answer is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The function has computed it.
    Computed,
    /// The server had it.
    Found,
    /// The server had it past its time, and somebody computes it anew.
    Stale,
    /// The server had it past its time, and the function has raised.
    InsteadOfError,
}

/// What came of a miss.
pub struct Answer {
    /// The value.
    pub value: Owned,
    /// Where it is from.
    pub origin: Origin,
    /// How the near cache is to keep it: for how long it is fresh and for how long it is to be used at all, from now on, with its
    /// ticket. None: not at all.
    pub keep: Option<(Time, Time, Ticket)>,
}

impl Answer {
    /// What [`Remote::fetch`] has returned, or what the coroutine has that it did.
    pub fn of(answer: Borrowed<'_>) -> Result<Self> {
        let parts = Exact::<Tuple>::of(answer).map(Exact::items);
        let Some(&[value, origin, fresh, used, key, time]) = parts else {
            return Err(Raised::type_error(c"a tier answers with six things"));
        };
        let origin = match Exact::<Int>::of(origin).and_then(Exact::short) {
            Some(0) => Origin::Computed,
            Some(1) => Origin::Found,
            Some(2) => Origin::Stale,
            _ => Origin::InsteadOfError,
        };
        let keep = if key.is_none() { None } else { Some((span(fresh), span(used), watch::ticket_of(key, time)?)) };
        Ok(Self { value: value.to_owned(), origin, keep })
    }
}

/// A span of nanoseconds, or None for ever.
fn span(value: Borrowed<'_>) -> Time {
    let number = Exact::<Int>::of(value).and_then(Exact::short);
    number.map_or(NEVER, |number| Time::try_from(number).unwrap_or(0))
}

impl Remote {
    /// The part that this function has of the tier that its options name. Reenters: the tier, what the function depends on.
    pub fn open(
        state: &State,
        function: Borrowed<'_>,
        options: &mut Options,
        given: Borrowed<'_>,
        is_typed: bool,
    ) -> Result<Option<Box<Self>>> {
        let Some(tier) = options.tier.take() else { return Ok(None) };
        let open = tier.borrow().attr(build::interned(c"_open")?.borrow())?;
        let coroutine = build::boolean(options.coroutine);
        let opened = call::with(open.borrow(), &[function, given, coroutine.borrow()])?;
        let Some(&[cache, watch]) = Exact::<Tuple>::of(opened.borrow()).map(Exact::items) else {
            return Err(Raised::type_error(c"a tier opens with two things"));
        };
        let near = watch::near_of(state, watch)?;
        Ok(Some(Box::new(Self { cache: cache.to_owned(), near, kind: KeyKind::of_calls(is_typed) })))
    }

    /// For the collector.
    pub fn held(&self) -> &Owned {
        &self.cache
    }

    /// Gives it up.
    pub fn into_held(self) -> Owned {
        self.cache
    }

    /// Whether an entry with this ticket may be used.
    #[inline(always)]
    pub fn stands(&self, ticket: Ticket, now: Time) -> bool {
        self.near.stands(ticket, now)
    }

    /// The bytes of a key. Reenters: pickle, for arguments that are not of built-in types.
    fn key(&self, state: &State, key_args: &CallArgs<'_>) -> Result<Owned> {
        let mut bytes = Vec::new();
        match codec::keys::encode_call(state, None, key_args, self.kind, &mut bytes, usize::MAX)? {
            true => build::bytes(&bytes),
            false => Err(Raised::no_memory()),
        }
    }

    fn ask(&self, name: &CStr, args: &[Borrowed<'_>]) -> Result<Owned> {
        let method = self.cache.borrow().attr(build::interned(name)?.borrow())?;
        call::with(method.borrow(), args)
    }

    /// Asks the server for the value of a call, and computes if it has none: an [`Answer`], or for a coroutine function a coroutine of one.
    /// With `refresh` it computes in any case. Reenters: the Python part, the function.
    pub fn fetch(
        &self,
        wrapper: Borrowed<'_>,
        state: &State,
        key_args: &CallArgs<'_>,
        args: &CallArgs<'_>,
        refresh: bool,
    ) -> Result<Owned> {
        let key = self.key(state, key_args)?;
        let positional = build::tuple(args.positional())?;
        let named = build::dict()?;
        for (&name, &value) in args.names().iter().zip(&args.values()[args.positional().len()..]) {
            build::set_item(&named, name, value)?;
        }
        let refresh = build::boolean(refresh);
        let given = [wrapper, key.borrow(), positional.borrow(), named.borrow(), refresh.borrow()];
        self.ask(c"fetch", &given)
    }

    /// Whether the server has an entry. Reenters: the Python part.
    pub fn contains(&self, state: &State, key_args: &CallArgs<'_>) -> Result<bool> {
        self.ask(c"contains", &[self.key(state, key_args)?.borrow()])?.borrow().is_true()
    }

    /// Drops an entry of the server's, and tells whether it was there. Reenters: the Python part.
    pub fn invalidate(&self, state: &State, key_args: &CallArgs<'_>) -> Result<bool> {
        self.ask(c"invalidate", &[self.key(state, key_args)?.borrow()])?.borrow().is_true()
    }

    /// Stores an entry on the server. Reenters: the Python part, `ttl`.
    pub fn put(
        &self,
        wrapper: Borrowed<'_>,
        state: &State,
        key_args: &CallArgs<'_>,
        value: Borrowed<'_>,
    ) -> Result<()> {
        self.ask(c"put", &[wrapper, self.key(state, key_args)?.borrow(), value]).map(drop)
    }

    /// Drops all entries of the function. Reenters: the Python part.
    pub fn clear(&self) -> Result<()> {
        self.ask(c"clear", &[]).map(drop)
    }

    /// Adds what the Python part counts to a dict of counts. Reenters: the Python part.
    pub fn add_counts(&self, counts: &Owned) -> Result<()> {
        self.ask(c"add_counts", &[counts.borrow()]).map(drop)
    }
}
