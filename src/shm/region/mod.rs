//! A region as its users see it.

mod backend;
mod claims;
mod fork;
mod mapped;
mod open;

#[cfg(test)]
pub(in crate::shm) use fork::Known;
pub use mapped::Region;
pub(in crate::shm) use mapped::stats;
