//! The Python types and functions.

pub mod bound;
pub mod cache;
pub mod cache_info;
pub mod cached_method;
pub mod capsule;
pub mod codec;
pub mod completed;
pub mod coroutine_object;
pub mod decorators;
pub mod entry;
pub mod flight;
pub mod function;
pub mod key;
pub mod libraries;
pub mod mapping;
pub mod options;
pub mod tier;
pub mod types;
pub mod unhashable;
