//! tamis: a SIEVE cache around a Python callable, against CPython's raw C API.
//!
//! The layers, each using only what stands below it:
//!
//! | layer | what it is |
//! |---|---|
//! | `module` | `PyInit__core` and the module's slots |
//! | `py` | the Python types: cached functions, methods and mappings, keys, options, tiers, the decorators |
//! | `state` | what an interpreter's module keeps: its types, interned names, what it has imported |
//! | `ffi` | CPython made safe to say: references, errors, argument views; what differs between versions and builds |
//! | [`shm`] | the region that processes share: bytes in, bytes out; no Python |
//! | [`backend`] | what a region and a server on another machine have in common: requests, answers, a trait; no Python |
//! | [`core`] | what the cache is: hashes, index, slab and ring; no Python |
//!
//! Imports run one way: `module -> py -> state -> ffi -> core` and `py -> shm -> backend -> core`, and no files import each other in a
//! circle; `tests/package/test_layers.py` reads them. Without the feature `python` only [`core`], [`backend`] and [`shm`] are built.

#[cfg(any(feature = "shm", test))]
pub mod backend;
pub mod core;

#[cfg(feature = "python")]
mod ffi;
#[cfg(feature = "python")]
mod module;
#[cfg(feature = "python")]
mod py;
#[cfg(any(feature = "shm", test))]
#[cfg_attr(not(target_os = "linux"), path = "shm/unsupported.rs")]
#[cfg_attr(loom, path = "shm/loom.rs")]
pub mod shm;
#[cfg(feature = "python")]
mod state;

#[cfg(feature = "python")]
pub use module::PyInit__core;
