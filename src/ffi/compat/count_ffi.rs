//! Reference counts wherever they are not as `count_half.rs` has them: pyo3-ffi knows.

pub use pyo3_ffi::{Py_DECREF as decref, Py_INCREF as incref};
