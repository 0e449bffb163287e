//! CPython made safe to say. Raw pointers come in by the slot functions and turn into these types at once.

pub mod args;
pub mod build;
pub mod call;
pub mod clock;
pub mod compare;
pub mod compat;
pub mod coroutine;
pub mod dropper;
pub mod exact;
pub mod hash;
pub mod known;
pub mod layouts;
mod like;
pub mod method_table;
pub mod raise;
pub mod raised;
pub mod read;
pub mod reference;
#[allow(dead_code, reason = "from 3.14 on CPython looks by itself")]
pub mod stack;
pub mod sync;
pub mod thread;
pub mod types;

pub use args::CallArgs;
pub use call::{to_slot, to_status};
pub use raised::{Raised, Result};
pub use reference::{Borrowed, Owned};
