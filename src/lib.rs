//! tamis: a SIEVE cache around a Python callable, against CPython's raw C API.
//!
//! The layers, each using only what stands below it:
//!
//! | layer | what it is |
//! |---|---|
//! | `module` | `PyInit__core`, the module's slots and its state |
//! | `py` | the Python types: the wrapper (hit path and miss path), keys, the decorators |
//! | `ffi` | CPython made safe to say: references, errors, argument views; what differs between versions and builds |
//! | [`shm`] | the region that processes share: bytes in, bytes out; no Python |
//! | [`core`] | what the cache is: hashes, index, slab and ring; no Python |
//!
//! Imports run one way: `module -> py -> {ffi, shm} -> core`. Without the feature `python` only [`core`] and [`shm`] are
//! built, and the compiler keeps them honest.

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
