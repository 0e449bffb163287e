//! The Python types and functions.

pub mod decorator;
pub mod info;
pub mod key;
pub mod wrapper;
