//! `SieveCacheBase`: a mapping on the same store and hit path as cached functions.
//!
//! `tamis/_mapping.py` makes `SieveCache` of it, with what `collections.abc.MutableMapping` can do with these methods.

mod compute;
mod entry_times;
mod items;
mod methods;
mod object;
pub mod slots;
mod state;
