//! What a cached function becomes on an instance: a bound method whose `cache_...` methods are about calls with that instance.
//!
//! `obj.method` is one of these wherever it is no call: `obj.method(1)` makes none. It passes for CPython's own bound method, by its
//! `__class__`, and leaves to one what those do alike: `repr`, `hash`, pickling.
//!
//! There is a second, weak kind. It is the function of the cache that a cached method has for one instance, which it does not
//! keep alive.

mod attributes;
pub mod binding;
pub mod class_method;
pub mod object;
pub mod slots;
