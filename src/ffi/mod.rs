//! CPython made safe to say. Raw pointers come in by the slot functions and turn into these types at once.

pub mod args;
pub mod clock;
pub mod compat;
pub mod coroutine;
pub mod dropper;
pub mod err;
pub mod exact;
pub mod object;
pub mod plain;
#[allow(dead_code, reason = "from 3.14 on CPython looks by itself")]
pub mod stack;
pub mod sync;
pub mod thread;

pub use args::CallArgs;
pub use err::Raised;
pub use object::{Borrowed, Owned};

/// The result of anything that can leave a Python exception set.
pub type Result<T> = std::result::Result<T, Raised>;
