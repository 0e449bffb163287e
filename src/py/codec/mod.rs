//! Values and keys as bytes, for caches that processes share.
//!
//! A value is one tagged item: `None`, a number, a string, or a container of items, all of exact built-in types; or the bytes
//! that pickle (protocol 5) or the user's serializer has made of the whole value. Numbers are in the machine's own byte order:
//! a region is of one machine. Decoding trusts nothing: see `decode.rs`. A key is a list of items that are equal bytes where
//! Python's `==` holds: see `keys.rs`.

pub mod decode;
pub mod encode;
pub mod format;
pub mod functions;
pub mod keys;
mod out;
pub mod pickled;
mod walk;
