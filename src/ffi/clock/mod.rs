//! Monotonic clocks: one that is exact, and one that is cheap.

#[cfg(not(target_os = "linux"))]
#[path = "any.rs"]
mod platform;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;

pub use platform::{coarse, exact, prepare};
