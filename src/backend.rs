//! What stands behind a near cache: the requests, the answers, and the trait of all that answers them. No Python.
//!
//! The region that processes share is one implementor (`shm/region/backend.rs`; `shm/unsupported.rs` where there is none). A
//! server on another machine is another one: its calls may block on a network, fail, and name versions as the server does.
//! Calls are static: whoever serves several kinds matches on the kind once, and the rest is compiled for each.
//!
//! Keys and values are bytes here. Who asks has made the key's bytes and its hash, and brings the memory that a value is
//! copied to.

use crate::core::clock::Time;
use crate::core::expiry::Terms;
use std::fmt::Debug;
use std::time::Duration;

/// The key that a call is about.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// [`Backend::hash`] of the key.
    pub hash: u64,
    /// The key.
    pub key: &'a [u8],
}

/// The time now, looked up where somebody needs it.
pub trait Now {
    /// Says it.
    fn now(&self) -> Time;
}

impl Now for Time {
    #[inline(always)]
    fn now(&self) -> Time {
        *self
    }
}

/// Runs what may sleep. Python's side detaches the thread from the interpreter meanwhile. No lock that others wait for is
/// held then.
pub trait Wait {
    /// Calls `work` once.
    fn detached(&self, work: &mut dyn FnMut());

    /// False: the thread has other work, such as an event loop. What can't be had at once is refused, as if the time were up.
    #[inline(always)]
    fn may_wait(&self) -> bool {
        true
    }
}

/// Sleeps as it is.
impl Wait for () {
    fn detached(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// Never sleeps: for threads that run an event loop.
pub struct NoWait;

impl Wait for NoWait {
    fn detached(&self, work: &mut dyn FnMut()) {
        debug_assert!(false, "who may not wait is refused before");
        work();
    }

    fn may_wait(&self) -> bool {
        false
    }
}

/// What was found, beside the bytes. `V` names one entry as it was stored once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundEntry<V> {
    /// For [`Backend::stands`] and [`Backend::claim_refresh`].
    pub version: V,
    /// Until when it may be used.
    pub terms: Terms,
}

/// The answer of [`Backend::get`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup<V> {
    /// The bytes are the value.
    Fresh(FoundEntry<V>),
    /// The bytes are the value, past its time: [`Backend::claim_refresh`] says who makes it anew.
    Stale(FoundEntry<V>),
    /// Nothing, or it is being written at this moment, or what is there is damaged.
    Absent,
}

/// The answer of [`Backend::put`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stored<V> {
    /// It is there: not marked as visited if it is new, marked if it was replaced.
    Done(V),
    /// There will never be room for it.
    TooLarge,
    /// The lease under which it was computed is another's by now, or the entry was invalidated meanwhile. Nothing was stored.
    Superseded,
}

/// A lock could not be had in time. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

/// Who computes. `L` names one computation, for those who wait for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lease<L> {
    /// The caller, who ends the lease after it has stored.
    Mine(L),
    /// Another caller of this very process.
    Ours(L),
    /// Another process.
    Theirs(L),
    /// There is none to be had: compute alone.
    Full,
    /// A lock could not be had in time, or at once by who may not wait. Nothing was changed.
    Busy,
}

/// The answer of [`Backend::wait_lease`]. `O` names an owner who has the lease no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waited<O> {
    /// The computation has ended; look whether it stored something.
    Over,
    /// The time is up, or a signal came.
    StillRunning,
    /// Its owner has ended, or is another program now: ask for the lease again.
    OwnerGone(O),
    /// Its owner is stopped, or has taken too long: compute alone.
    Enough,
}

/// A version or a lease of any backend, for who keeps it beside an entry or a call. Only the backend that it is of can tell what it
/// means.
pub type Words = [u64; 2];

/// Where entries live that several processes share.
pub trait Backend {
    /// Names one entry as it was stored once: never stands again when that was replaced, evicted, removed or cleared.
    type Version: Copy + PartialEq + Debug + From<Words> + Into<Words>;
    /// Names one computation, for its owner and for those who wait for it.
    type Lease: Copy + PartialEq + Debug + From<Words> + Into<Words>;
    /// What a caller who waits for another's lease has seen of it so far.
    type LeaseWait;
    /// An owner who was found to have a lease no more, though the backend says so.
    type FormerOwner: Copy + PartialEq + Debug;
    /// Why there is no answer.
    type Error;
    /// What it counts.
    type Stats;

    /// Whether calls may block on something outside of this machine. Then a coroutine's call makes none of them on its loop's
    /// thread. Where not, each is over in microseconds but for those that are given a [`Wait`].
    const MAY_BLOCK: bool;

    /// The hash of a key, for [`Request`]: the same in all processes that share the entries.
    fn hash(&self, key: &[u8]) -> u64;

    /// Whether no entry has this hash, as far as that can be told at once. False: ask.
    #[inline(always)]
    fn lacks(&self, _hash: u64) -> bool {
        false
    }

    /// Looks for the key, copies its value out, and marks it as visited. What is in `value` goes.
    fn get(
        &self,
        request: Request<'_>,
        now: impl Now,
        value: &mut Vec<u8>,
    ) -> Result<Lookup<Self::Version>, Self::Error>;

    /// Whether the entry still stands as it was found, as far as this process knows without asking; marks it as visited.
    fn stands(&self, version: Self::Version) -> bool;

    /// For entries with a bound on idleness, after [`Backend::stands`]: notes when the entry was read. False: it has expired.
    fn touch(&self, version: Self::Version, terms: &Terms, now: Time) -> bool;

    /// Whether the key is there, fresh or stale. Marks nothing.
    fn contains(&self, request: Request<'_>, now: Time) -> Result<bool, Self::Error>;

    /// Stores. `lease` is the one under which the value was computed, if there is one.
    fn put(
        &self,
        request: Request<'_>,
        value: &[u8],
        terms: &Terms,
        now: impl Now,
        lease: Option<Self::Lease>,
        wait: &dyn Wait,
    ) -> Result<Stored<Self::Version>, Self::Error>;

    /// Drops one entry. True: it was there, expired or not.
    fn remove(&self, request: Request<'_>, wait: &dyn Wait) -> Result<bool, Self::Error>;

    /// Drops all entries, and zeroes the counts.
    fn clear(&self, wait: &dyn Wait) -> Result<(), Self::Error>;

    /// True for one caller of all processes, who makes the stale entry anew and calls [`Backend::give_up_refresh`] in the
    /// end, also where it has stored.
    fn claim_refresh(&self, version: Self::Version, now: Time) -> bool;

    /// Gives a claim back.
    fn give_up_refresh(&self, version: Self::Version);

    /// Asks who computes the value of this key. `former` was found to have the lease no more.
    fn lease(&self, request: Request<'_>, former: Option<Self::FormerOwner>, wait: &dyn Wait) -> Lease<Self::Lease>;

    /// Ends a lease that is [`Lease::Mine`], and wakes who waits for it.
    fn end_lease(&self, lease: Self::Lease);

    /// Begins to wait for another's lease.
    fn begin_wait(&self, lease: Self::Lease) -> Self::LeaseWait;

    /// Sleeps until a lease ends, or for so long: call it detached.
    fn wait_lease(&self, wait: &mut Self::LeaseWait, at_most: Duration) -> Waited<Self::FormerOwner>;

    /// [`Backend::wait_lease`] without a sleep.
    fn look_at_lease(&self, wait: &mut Self::LeaseWait) -> Waited<Self::FormerOwner>;

    /// The counts of all processes.
    fn stats(&self) -> Result<Self::Stats, Self::Error>;
}
