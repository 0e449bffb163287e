//! `cached_method`: a method with a cache for each instance.
//!
//! The caches lie in a store of their own under the instances' addresses, so that a call is two hits of the kind that a
//! cached function has. A weak reference with a callback removes a cache when its instance is freed, which is before another
//! object can have the address.

mod caches;
mod calls;
pub mod decorate;
pub mod forget;
pub mod object;
pub mod slots;
