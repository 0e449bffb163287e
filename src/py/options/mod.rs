//! The options of a cache beside `maxsize` and `typed`: what they take, and what is wrong with what was given.

mod fields;
pub mod parse;
pub mod shared;
pub mod values;

pub use fields::{Background, Clock, CopyPolicy, Keyed, Options, Ttl};
