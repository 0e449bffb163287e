//! The Python types and functions.

pub mod awaitable;
pub mod bound;
pub mod capsule;
pub mod codec;
pub mod coroutine_object;
pub mod decorator;
pub mod entry;
pub mod flight;
mod functions;
pub mod info;
pub mod key;
pub mod libraries;
pub mod mapping;
pub mod method;
pub mod options;
pub mod regions;
pub mod task_flight;
pub mod types;
pub mod unhashable;
pub mod wrapper;
