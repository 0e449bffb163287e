//! Calls of cached functions: a vectorcall function for each kind of cache. It is chosen once, when the function is decorated.

pub mod computation;
pub mod coroutine;
pub mod expiring;
pub mod miss;
pub mod parts;
pub mod plain;
pub mod probe;
pub mod remote;
pub mod tiered;
