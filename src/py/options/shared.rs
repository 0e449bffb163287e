//! What goes with `backend="shared"`.

use crate::ffi::raised::Kind;
use crate::ffi::{Borrowed, Owned, Raised, Result, build, exact, read};
use crate::py::options::values::{natural, wrong};
use crate::shm::Region;
use crate::state::Serializer;
use pyo3_ffi as py;
use std::ffi::CStr;

/// What goes with `backend="shared"`.
pub struct SharedOptions {
    /// `name`: a str. None for the one that the function gives.
    pub name: Option<Owned>,
    /// `path`: a str. None for the user's directory.
    pub path: Option<Owned>,
    /// `max_bytes`
    pub max_bytes: u64,
    /// `serializer`
    pub serializer: Option<Serializer>,
}

/// The options that can't hold for an entry that other processes replace, evict and clear, and why.
const NOT_SHARED: [(&CStr, &CStr); 4] = [
    (c"on_evict", c"on_evict can't be used with backend='shared': other processes evict, and have neither the callback nor the objects"),
    (c"weigher", c"weigher can't be used with backend='shared': max_bytes bounds what the entries of all processes take together"),
    (c"maxweight", c"maxweight can't be used with backend='shared': max_bytes bounds what the entries of all processes take together"),
    (c"clock", c"clock can't be used with backend='shared': all processes go by the machine's monotonic clock"),
];

/// `max_bytes` where it is not given: 8 MiB. All of it is reserved, for each function, and the `/dev/shm` of a container has 64 MiB
/// for all programs in it.
const DEFAULT_MAX_BYTES: u64 = 8 << 20;

impl SharedOptions {
    /// Reenters: `__fspath__`, attributes of the serializer, `__index__` and the like.
    pub(in crate::py) fn parse(
        backend: &BackendOption,
        option: impl Fn(&CStr) -> Result<Option<Owned>>,
    ) -> Result<Option<Self>> {
        let (name, path) = (option(c"name")?, option(c"path")?);
        let (max_bytes, serializer) = (option(c"max_bytes")?, option(c"serializer")?);
        if let BackendOption::Tier(_) = backend {
            let given = path.is_some() || max_bytes.is_some() || serializer.is_some();
            let message =
                c"path and max_bytes go with backend='shared', and a tier has its serializer from its own arguments";
            return if given { Err(Raised::new(Kind::Value, message)) } else { Ok(None) };
        }
        if !matches!(backend, BackendOption::Shared) {
            let given = name.is_some() || path.is_some() || max_bytes.is_some() || serializer.is_some();
            let message = c"name, path, max_bytes and serializer go with backend='shared'";
            return if given { Err(Raised::new(Kind::Value, message)) } else { Ok(None) };
        }
        for (name, why) in NOT_SHARED {
            if option(name)?.is_some() {
                return Err(Raised::new(Kind::Value, why));
            }
        }
        if let Some(name) = &name {
            if !exact::is_str_instance(name.borrow()) {
                return Err(wrong(c"name takes the name of a shared region (a str), not %.200s", name.borrow()));
            }
            // A lone surrogate has no bytes in a file's header, and is not to stand for another name.
            let text = read::text(name.borrow())?;
            let whole = build::string(&text)?;
            // SAFETY: two strs.
            if text.is_empty() || unsafe { py::PyUnicode_Compare(name.as_ptr(), whole.as_ptr()) } != 0 {
                return Err(Raised::with(
                    Kind::Value,
                    c"name takes the name of a shared region, not %R",
                    name.borrow(),
                ));
            }
        }
        let path = path.map(|path| directory(path.borrow())).transpose()?;
        let max_bytes = match max_bytes {
            None => DEFAULT_MAX_BYTES,
            Some(value) => size(value.borrow())?,
        };
        let serializer = serializer.map(|value| serializer_of(value.borrow())).transpose()?;
        Ok(Some(Self { name, path, max_bytes, serializer }))
    }
}

/// `max_bytes`
fn size(value: Borrowed<'_>) -> Result<u64> {
    const _: () = assert!(Region::SMALLEST <= 64 << 10);
    let bytes = natural(value, c"max_bytes takes the size of the region in bytes (an int), not %.200s")?;
    bytes.filter(|&bytes| bytes >= Region::SMALLEST.max(1)).ok_or_else(|| {
        let message = c"max_bytes takes the size of the region in bytes, from 65536 (64 KiB) to 2**63 - 1, not %R";
        Raised::with(Kind::Value, message, value)
    })
}

fn serializer_of(value: Borrowed<'_>) -> Result<Serializer> {
    let message = c"serializer takes an object with dumps(obj) -> bytes and loads(bytes) -> obj, not %.200s";
    match Serializer::of(value) {
        Ok(serializer) if serializer.is_callable() => Ok(serializer),
        Ok(_) => Err(wrong(message, value)),
        Err(raised) => {
            raised.unless_attribute_error()?;
            Err(wrong(message, value))
        }
    }
}

/// A directory as a str. Reenters: `__fspath__`.
fn directory(value: Borrowed<'_>) -> Result<Owned> {
    let message = c"path takes a directory (a str or os.PathLike), not %.200s";
    // SAFETY: a live object.
    let path = unsafe { py::PyOS_FSPath(value.as_ptr()) };
    // SAFETY: a new reference, or null with an exception set.
    match unsafe { Owned::from_call(path) } {
        Ok(path) if exact::is_str_instance(path.borrow()) => Ok(path),
        Ok(other) => Err(wrong(message, other.borrow())),
        Err(raised) => {
            raised.unless(Kind::Type)?;
            Err(wrong(message, value))
        }
    }
}

/// `backend`
pub enum BackendOption {
    /// "memory", or not given.
    Memory,
    /// "shared"
    Shared,
    /// An object such as `tamis.remote.Redis`.
    Tier(Owned),
}

impl BackendOption {
    /// Reenters: attributes of a tier.
    pub(in crate::py) fn parse(option: impl Fn(&CStr) -> Result<Option<Owned>>) -> Result<Self> {
        let Some(backend) = option(c"backend")? else { return Ok(Self::Memory) };
        let object = backend.borrow();
        if !exact::is_str_instance(object) {
            if !is_tier(object)? {
                return Err(Self::wrong(object));
            }
            if option(c"clock")?.is_some() {
                let message = c"clock can't be used with a tier: the server's time is what all machines go by";
                return Err(Raised::new(Kind::Value, message));
            }
            return Ok(Self::Tier(backend));
        }
        let is = |name: &CStr| {
            // SAFETY: a str and a terminated string.
            unsafe { py::PyUnicode_CompareWithASCIIString(object.as_ptr(), name.as_ptr()) == 0 }
        };
        match is(c"shared") {
            true => Ok(Self::Shared),
            false if is(c"memory") => Ok(Self::Memory),
            false => Err(Self::wrong(object)),
        }
    }

    fn wrong(backend: Borrowed<'_>) -> Raised {
        Raised::with(
            Kind::Value,
            c"backend takes 'memory', 'shared' or a tier such as tamis.remote.Redis(...), not %R",
            backend,
        )
    }

    /// The tier, if it is one.
    pub fn into_tier(self) -> Option<Owned> {
        match self {
            Self::Tier(tier) => Some(tier),
            Self::Memory | Self::Shared => None,
        }
    }
}

/// Whether an object is a tier. Reenters: its attributes.
fn is_tier(object: Borrowed<'_>) -> Result<bool> {
    // SAFETY: a live object's type is live.
    let class = unsafe { Borrowed::from_ptr(object.type_ptr().cast()) };
    match class.attr(build::interned(c"_open")?.borrow()) {
        Ok(open) => Ok(open.borrow().is_callable()),
        Err(raised) => raised.unless_attribute_error().map(|()| false),
    }
}
