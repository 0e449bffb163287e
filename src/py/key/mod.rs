//! What a call is remembered by.
//!
//! A call with one positional argument is remembered by that object alone. Any other shape gets a block of our own,
//! a plain piece of memory that only the entry knows: no user's object can be mistaken for one, and the collector sees
//! through it since the wrapper's traverse visits what it holds.

mod block;
pub mod hash;
mod kind;
mod marked;
mod shape;

pub use kind::KeyKind;
pub use marked::Key;
