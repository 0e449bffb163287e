//! std's atomics, or those of loom, which runs the shipped code in every order that the memory model allows
//! (`RUSTFLAGS="--cfg loom"`). The two files export the same names.

#[cfg(loom)]
#[path = "loom.rs"]
mod imp;
#[cfg(not(loom))]
#[path = "std.rs"]
mod imp;

pub use imp::{
    AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, Place, fence, light_barrier, spin_loop, yield_now,
};
