//! `cached_method`: a method with a cache for each instance.
//!
//! The caches lie in a store of their own under the instances' addresses, so that a call is two hits of the kind that a
//! cached function has. A weak reference with a callback takes a cache out when its instance dies, which is before the
//! address can be another's.

mod caches;
mod calls;
pub mod decorate;
pub mod forget;
pub mod object;
pub mod slots;
