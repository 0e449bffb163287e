//! The heavy half of the asymmetric fence that hits rely on; the light half is
//! [`light_barrier`](crate::core::atomics::light_barrier).

#[cfg(target_os = "linux")]
#[path = "barrier_linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "barrier_any.rs"]
mod platform;

pub use platform::{heavy, is_there, prepare};
