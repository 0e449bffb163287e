//! Flights: computations that others wait for.
//!
//! A flight is a small object of ours in a store of its own, under the key that is being computed (`cache/in_flight.rs`). Whoever
//! finds one there waits for its outcome, and whoever finds none leads a new one. What leaders and followers do is the same for
//! threads and tasks, and stands in `policy.rs`. What differs:
//!
//! - How one waits. A thread sleeps (`thread.rs`); a task awaits a future of its loop, and its thread goes on (`task.rs`). So what
//!   a thread does between two waits is one function, and the same of a task is several steps.
//! - Who may wait. A thread waits for the leader's thread (`deadlock.rs`). A task waits for the leader's task, and knows those that it
//!   was started under by its context (`task_deadlock.rs`), as one thread runs many; where the leader is in another thread, both
//!   rules hold.
//! - What can fail. Waking threads runs no Python code, unless they are greenlets. Waking tasks calls methods of their loops.

pub mod deadlock;
pub mod outcome;
pub mod policy;
pub mod task;
pub mod task_deadlock;
pub mod thread;
