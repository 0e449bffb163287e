//! A store whose hits take no lock: what readers see of it, what the writer does for them, and when memory is given back.
//!
//! Writers are one at a time; a lock outside of this layer sees to that. Readers are kept safe by hazard pointers
//! (Michael, "Hazard Pointers: Safe Memory Reclamation for Lock-Free Objects", IEEE TPDS 15, 2004): each thread has a
//! `Reader` at each cache it calls, and writes the slot that it looks at there. So a reader that was put to sleep in
//! the middle of a hit keeps one entry from being given back, and not all that leave after it as with epochs.
//!
//! A hit, and what pairs with it:
//!
//! 1. `hazard := SEARCHING`, light barrier. Tables that were replaced are freed only when no reader is inside.
//! 2. Load the view, probe its words. A word leads to a slot; Acquire sees all that the writer put there.
//! 3. `hazard := slot`, light barrier, load the word once more. If it still stands, the slot does too, until the hazard
//!    goes: a writer first takes the word away, then has the heavy barrier, then looks at the hazards.
//! 4. Compare the key, mark, take a reference to the value.
//! 5. `hazard := OUTSIDE`, Release: the writer that sees it sees the reader gone.

mod batch;
mod departed;
mod outside;
mod reader;
mod reader_side;
mod readers;
mod retired;
#[cfg(test)]
mod tests;
mod writer;

pub use departed::{After, Departed, Ticket};
pub use outside::Outside;
pub use reader_side::{OwnReader, ReaderSide};
pub use writer::WriterSide;
