//! What a call is remembered by.
//!
//! A call with one positional argument is remembered by that object alone. Any other shape gets a block of our own,
//! a plain piece of memory that only the entry knows: no object of a program can be mistaken for one. The collector knows what it
//! holds, since the traverse function of the cache visits that.

mod block;
pub mod hash;
mod kind;
mod marked;
mod shape;

pub use kind::KeyKind;
pub use marked::Key;
